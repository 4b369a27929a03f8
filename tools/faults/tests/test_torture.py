"""What is told of a torture: only what was done to the other installation while notifications came in there."""

import pytest
from ringback_faults.actions.torture import done_besides
from ringback_faults.ledgers import Act

FLOODED = Act(100.0, 150.0, "flood", "webhook", {"sent": 900})


def _reset(written: float) -> Act:
    return Act(written - 1, written + 4, "reset offsets", "store", {"written": f"{written:.6f}", "records": 70})


@pytest.mark.parametrize(
    ("written", "meanwhile", "last"),
    [((110.0, 130.0), 2, "130.000000"), ((110.0, 151.0), 1, "151.000000"), ((99.0,), 0, "99.000000"), ((), 0, "0")],
    ids=["in the flood", "one after it", "before it", "none"],
)
def test_offsets_that_are_set_back_when_nothing_comes_do_not_count(
    written: tuple[float, ...], meanwhile: int, last: str
) -> None:
    """They would prove nothing: nobody works then, and nobody could be disturbed."""
    reported = done_besides([FLOODED, *map(_reset, written)])
    assert (reported["resets"], reported["sent"], reported["records_again"]) == (meanwhile, 900, 70 * len(written))
    assert str(reported["last_reset"]).startswith(last)
