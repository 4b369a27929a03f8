"""The fault suite is whole: every row of the scorecard has a file that can be run and holds up a promise."""

import re
from pathlib import Path

import pytest
from ringback_faults.actions import check_steps
from ringback_faults.page import page
from ringback_faults.report import INVARIANTS
from ringback_faults.row import Row, read_rows
from ringback_faults.worlds import read_world

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "tests" / "fault"
ROWS = read_rows(FAULTS / "rows")
BUILT = [*range(31), *range(34, 39), 40, 42, *range(44, 56)]
"""The numbers of the scorecard; 31 to 33, 39, 41 and 43 are about what is not built."""


def test_every_row_of_the_scorecard_has_a_file() -> None:
    """A listed fault that no row commits any more is reported."""
    assert sorted({int(re.sub(r"\D", "", row.row)) for row in ROWS}) == BUILT
    assert len({row.row for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.row)
def test_a_row_can_be_run(row: Row) -> None:
    """Its world exists and its steps are actions with the parameters they take, in both lengths."""
    for form in (row, row.at_length()):
        check_steps(form)
        read_world(FAULTS / "worlds", form.world)
    assert row.judged
    assert set(row.judged) <= set(INVARIANTS)


def test_every_class_is_somebody_s_purpose() -> None:
    """No invariant is left that no row was written for."""
    assert set(INVARIANTS) - {name for row in ROWS for name in row.judged} == set()


def test_the_table_of_promises_names_the_rows_that_hold_them_up() -> None:
    """Deleting a row, or taking a class out of one, changes this table: docs/promises.md says what tests each class."""
    text = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| (\d) \| (I\d+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert {number for number, _, _ in lines} == set("12345679")
    assert {name for _, name, _ in lines} | {"I11"} == set(INVARIANTS)
    for number, name, named in lines:
        assert named.split() == [row.row for row in ROWS if name in row.judged], f"promise {number}, {name}"


def test_the_page_of_reliability_was_generated_from_these_rows() -> None:
    """`make reliability` was run after a row changed; the figures are those of the runs."""
    written = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    head = (FAULTS / "reliability.md.in").read_text(encoding="utf-8")
    upto = page(head, ROWS, (), None).partition("\n## The figures\n")[0]
    assert written.partition("\n## The figures\n")[0] == upto
