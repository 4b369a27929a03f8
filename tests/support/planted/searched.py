"""Run by `tests/integration/test_parallel_run.py` only: a process with a secret of its own that it does not print."""

from hypothesis import given, settings
from hypothesis import strategies as st
from ringback_testing.transcript import TRANSCRIPT


def test_nothing_is_printed() -> None:
    """By a process that this test would have started, with a secret of its own."""
    TRANSCRIPT.plant({"secret of the other": "the-secret-of-another"})
    TRANSCRIPT.said("planted log", b"nothing of interest")


@settings(max_examples=5)
@given(st.integers())
def test_drawn(number: int) -> None:
    """Printed, so that two processes can be compared."""
    print("drawn", number)  # noqa: T201 - what the run is asked for
