"""The demo's report says of every call that ended where it is, in numbers that add up."""

import pytest
from ringback_local.demo.calls import explained
from ringback_local.demo.judge import Children, Expected, Key, Stored

CHILDREN = Children(1, 2, "s", "p")
STORED = Stored(1, CHILDREN, rows_match=True)
TOLD = Expected({1: 1}, 0, frozenset({1}), {1: CHILDREN})
FORGED = Expected({}, 1, frozenset(), {1: CHILDREN})
SILENT = Expected({}, 0, frozenset(), {1: CHILDREN})
UNTOLD = (
    "39 were told of by no notification that was answered 2xx, for Graph had no subscription then, or nobody answered"
    " it: nobody asks for such calls yet (back-fill is not built)."
)


def _calls(kinds: dict[str, tuple[int, Expected]]) -> dict[Key, Expected]:
    return {("t", f"{kind}-{number}"): call for kind, (count, call) in kinds.items() for number in range(count)}


def _stored(expected: dict[Key, Expected], kind: str = "told") -> dict[Key, Stored]:
    return {key: STORED for key in expected if key[1].startswith(kind)}


def test_every_call_that_was_ordered_is_accounted_for() -> None:
    """4,200 of which 4,161 are stored: 39 were told to nobody, and 5 more were made up."""
    expected = _calls({"told": (4161, TOLD), "silent": (39, SILENT), "forged": (5, FORGED)})
    assert explained(4200, expected, _stored(expected), set()) == [
        "4,200 calls ended; 4,161 are stored.",
        UNTOLD,
        "5 more are in Graph alone: their only notification was forged on purpose, and dropped.",
    ]


def test_a_whole_day_needs_no_excuse() -> None:
    """All stored, nothing forged: one sentence."""
    expected = _calls({"told": (4200, TOLD)})
    assert explained(4200, expected, _stored(expected), set()) == ["4,200 calls ended; 4,200 are stored."]


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        ({("t", "gone-0"), ("t", "gone-1")}, "2 are dead letters: `ringback dlq ls` says why."),
        (set[Key](), "2 were told of and are neither stored nor dead letters: lost."),
    ],
    ids=["dead letters", "lost"],
)
def test_what_is_not_stored_is_told_apart(refused: set[Key], sentence: str) -> None:
    """A dead letter is no loss, and a loss is called one."""
    expected = _calls({"told": (3, TOLD), "gone": (2, TOLD)})
    assert explained(5, expected, _stored(expected), refused) == ["5 calls ended; 3 are stored.", sentence]


def test_a_day_that_was_cut_short_says_so() -> None:
    """Ctrl-C at noon: the calls that never ended are missing from nothing."""
    expected = _calls({"told": (2, TOLD)})
    assert explained(5, expected, _stored(expected), set())[-1] == "3 had not ended when the day was cut short."
