"""Run by `tests/integration/test_parallel_run.py` only: its tests pass, and yet the run must fail."""

from hypothesis import given, settings
from hypothesis import strategies as st
from ringback_testing.transcript import PEOPLE, TRANSCRIPT


def test_a_person_is_printed() -> None:
    """By a process that this test would have started, with a secret of its own."""
    TRANSCRIPT.plant({"secret of the one": "the-secret-of-one-plant"})
    TRANSCRIPT.said("planted log", b"caller " + PEOPLE["name of the fixtures"].encode())


@settings(max_examples=5)
@given(st.integers())
def test_drawn(number: int) -> None:
    """Printed, so that two processes can be compared."""
    print("drawn", number)  # noqa: T201 - what the run is asked for
