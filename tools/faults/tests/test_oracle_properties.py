"""The parts of the oracle that count: against the plainest way to say the same."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from ringback_faults.ledgers import Commit
from ringback_faults.oracle.durable_ack import _matched  # pyright: ignore[reportPrivateUsage]
from ringback_faults.oracle.offset_safety import _Highest  # pyright: ignore[reportPrivateUsage]
from ringback_faults.oracle.politeness import _most  # pyright: ignore[reportPrivateUsage]

_MOMENTS = st.lists(st.integers(0, 20).map(float), max_size=5)
_SPANS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 8)).map(lambda s: (float(s[0]), float(s[0] + s[1]))), max_size=5
)


@given(_SPANS, _MOMENTS)
def test_items_and_records_are_matched_as_well_as_they_can_be(
    spans: list[tuple[float, float]], moments: list[float]
) -> None:
    """No assignment leaves fewer items without a record; and everything is either matched or left over."""
    lost, left = _matched(spans, moments)
    padded = [*moments, *([None] * len(spans))]
    best = min(
        sum(moment is None or not at <= moment <= end for (at, end), moment in zip(spans, order, strict=True))
        for order in permutations(padded, len(spans))
    )
    assert len(lost) == best
    assert len(spans) - len(lost) == len(moments) - len(left)


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 9))
def test_the_commit_that_first_passes_an_offset(offsets: list[int], offset: int) -> None:
    """In whatever order a group commits, lower ones included."""
    commits = [Commit(float(place), "g", "t", 0, committed) for place, committed in enumerate(offsets)]
    passing = [commit.at for commit in commits if commit.offset > offset]
    assert _Highest(commits).passed(offset) == min(passing, default=float("inf"))


@given(st.lists(st.integers(0, 100).map(float), max_size=40))
def test_the_fullest_window(moments: list[float]) -> None:
    """As many as the fullest window that begins with a request holds, its end left out."""
    ordered = sorted(moments)
    plain = max((sum(start <= moment < start + 20 for moment in ordered) for start in ordered), default=0)
    assert _most(ordered) == plain
