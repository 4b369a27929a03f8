"""The rules number is raised whenever what is derived or projected changes, so that corrected events win."""

import re
from pathlib import Path

import pytest
from ringback_testing.derivation.outcome import Case, Outcome, current, objection, read, write

pytestmark = pytest.mark.contract

COMMITTED = Path(__file__).parents[2] / "contracts" / "derivation.json"
BEFORE = Outcome(4, {"times": Case("t", "1"), "parties": Case("p", "1")})


def test_the_committed_outcome_is_that_of_this_source() -> None:
    """Every case of the corpus is derived and projected as it was when the rules number was raised last."""
    committed, now = read(COMMITTED), current()
    refused = objection(committed, now)
    assert refused is None, refused
    assert committed == now, "contracts/derivation.json is of another rules number or corpus: run `make contracts`."


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (BEFORE, None),
        (
            Outcome(4, {**BEFORE.cases, "times": Case("t", "2")}),
            r"changed \(times\): raise RULES_NUMBER .* `make contr",
        ),
        (Outcome(5, {**BEFORE.cases, "times": Case("t", "2")}), None),
        (Outcome(4, {**BEFORE.cases, "times": Case("other", "2")}), None),
        (Outcome(4, {**BEFORE.cases, "new": Case("n", "1")}), None),
        (Outcome(4, {"times": Case("t", "2")}), "raise RULES_NUMBER"),
        (Outcome(5, BEFORE.cases), "no case shows why: add one"),
        (Outcome(5, {**BEFORE.cases, "new": Case("n", "1")}), None),
        (Outcome(3, {**BEFORE.cases, "times": Case("t", "2")}), "RULES_NUMBER was 4: it never goes back"),
    ],
)
def test_an_outcome_is_replaced_by_that_of_a_greater_number_only(now: Outcome, said: str | None) -> None:
    """The sentence says what to do; another corpus says nothing about the derivation."""
    refused = objection(BEFORE, now)
    assert (refused is None) is (said is None)
    assert re.search(said or "", refused or "")


def test_the_file_is_not_written_over_a_changed_outcome(tmp_path: Path) -> None:
    """`make contracts` does not accept what the rules number does not say."""
    file, changed = tmp_path / "derivation.json", {"times": Case("t", "2")}
    assert write(file, BEFORE) is None
    assert write(file, Outcome(4, changed)) is not None
    assert read(file) == BEFORE
    assert write(file, Outcome(5, changed)) is None
    assert read(file) == Outcome(5, changed)
