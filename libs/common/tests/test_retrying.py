"""Trying again, on an event loop whose clock the test moves."""

import asyncio
from collections.abc import Iterator

import pytest
from ringback_common.backoff import Backoff
from ringback_common.errors import ConfigError, Throttled, Transient
from ringback_common.retrying import FailedAttempt, until_it_works
from ringback_common.scopes import Scope
from ringback_testing.virtual_time import VirtualTimeLoop


class Story:
    """A try that fails as often as the test says, and what was reported meanwhile."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = iter(failures)
        self.tried_at: list[float] = []
        self.reports: list[FailedAttempt] = []

    async def attempt(self) -> str:
        """Fail, or work."""
        self.tried_at.append(asyncio.get_running_loop().time())
        for failure in self.failures:
            raise failure
        return "done"


@pytest.fixture
def loop() -> Iterator[VirtualTimeLoop]:
    """A loop with a clock of its own."""
    made = VirtualTimeLoop()
    yield made
    made.close()


def test_waits_double_up_to_the_bound_and_the_answer_comes_back(loop: VirtualTimeLoop) -> None:
    """Five failures: 0.25, 0.5, 1, 2, 2 s; what each report says is what follows."""
    story = Story(*(Transient() for _ in range(5)))
    assert loop.run_until_complete(until_it_works(story.attempt, Backoff(0.25, 2.0), story.reports.append)) == "done"
    assert story.tried_at == [0.0, 0.25, 0.75, 1.75, 3.75, 5.75]
    assert [(each.attempt, each.wait) for each in story.reports] == [(1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (5, 2.0)]


def test_a_throttle_says_how_long(loop: VirtualTimeLoop) -> None:
    """Never before Retry-After has passed, and the wait after it is no shorter than without it."""
    story = Story(Throttled(Scope.tenant("t"), 7.0), Transient())
    loop.run_until_complete(until_it_works(story.attempt, Backoff(1.0, 30.0), story.reports.append))
    assert story.tried_at == [0.0, 7.0, 9.0]


def test_what_is_no_passing_failure_is_raised_at_once(loop: VirtualTimeLoop) -> None:
    """A mistake in the settings does not go away by trying."""
    story = Story(ConfigError("no"))
    with pytest.raises(ConfigError):
        loop.run_until_complete(until_it_works(story.attempt, Backoff(1.0, 1.0), story.reports.append))
    assert (story.tried_at, story.reports) == ([0.0], [])


def test_reports_are_no_more_than_asked_for(loop: VirtualTimeLoop) -> None:
    """A try each second and a report each ten: 21 failures make three."""
    story = Story(*(Transient() for _ in range(21)))
    tried = until_it_works(story.attempt, Backoff(1.0, 1.0), story.reports.append, report_every=10.0)
    loop.run_until_complete(tried)
    assert [each.attempt for each in story.reports] == [1, 11, 21]


def test_a_cancelled_wait_ends(loop: VirtualTimeLoop) -> None:
    """It has no limit of its own: the caller sets one around it."""
    story = Story(*(Transient() for _ in range(100)))

    async def bounded() -> None:
        async with asyncio.timeout(3.5):
            await until_it_works(story.attempt, Backoff(1.0, 1.0), story.reports.append)

    with pytest.raises(TimeoutError):
        loop.run_until_complete(bounded())
    assert story.tried_at == [0.0, 1.0, 2.0, 3.0]


def test_jitter_shortens_a_wait_by_its_share_at_most() -> None:
    """What failed together is spread, and never waits longer than the bound."""
    waits = {Backoff(1.0, 8.0, jitter=0.5).after(9) for _ in range(200)}
    assert len(waits) > 100
    assert 4.0 <= min(waits) <= max(waits) <= 8.0


def test_very_many_failures_overflow_nothing() -> None:
    """A week of failures is still the longest wait."""
    assert Backoff(0.25, 5.0).after(10_000_000) == 5.0
