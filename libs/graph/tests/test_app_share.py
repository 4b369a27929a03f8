"""The app's limit in a process that has a share of it: what it asks for, and what a grant lets pass."""

import asyncio

import pytest
from ringback_common.errors import Throttled
from ringback_common.scopes import APP, Scope
from ringback_graph.availability import Bucket, FairQueue, Priority, QuotaRequest, RateLimiter, Role, Shares
from ringback_graph.availability.bucket import NOTHING
from ringback_testing.virtual_time import VirtualClock, VirtualTimeLoop


def ticket(tenant: str, call: str = "x", limit: int = 1500) -> QuotaRequest:
    """A wish to ask for a record."""
    return QuotaRequest(tenant, limit, Priority.LIVE, Scope.record(tenant, call))


def test_a_bucket_without_a_grant_lets_nothing_pass_and_saves_nothing() -> None:
    """Before the first, and from its end on; a later one begins empty."""
    bucket = Bucket(NOTHING, 0.0)
    assert bucket.wait(1000.0) == float("inf")
    bucket.grant(1000, 20.0, 1100.0, 1000.0)
    assert bucket.wait(1000.0) > 0
    assert bucket.wait(1050.0) <= 0
    assert bucket.wait(1100.0) == float("inf")
    bucket.grant(1000, 20.0, 1300.0, 1200.0)
    assert bucket.wait(1200.0) > 0


def test_a_smaller_grant_takes_what_was_saved_under_a_larger_one() -> None:
    """Of 20 saved tokens one is left where one may be saved."""
    bucket, passed = Bucket(NOTHING, 0.0), 0
    bucket.grant(1000, 20.0, 1000.0, 0.0)
    bucket.grant(50, 20.0, 1000.0, 100.0)
    while bucket.wait(100.0) <= 0:
        bucket.take()
        passed += 1
    assert passed == 1


def test_a_tenant_that_waits_asks_for_its_whole_limit_and_one_that_does_not_for_little_more_than_it_used() -> None:
    """However small the share is: what is asked for does not follow from what was given."""
    queue, now = FairQueue(Shares(tenant=0.96, app=0.0), 0.0), 100.0
    assert queue.demand(now) == 0
    assert not queue.try_acquire(ticket("busy"), now)
    queue.enqueue(ticket("busy"))
    assert queue.demand(now) == 1440
    queue.grant_app(15_000, 1000.0, now)
    assert len(queue.grant(now + 1.0)[0]) == 1
    assert queue.demand(now + 1.0) == 1440
    queue.pause(ticket("quiet"), now)  # its bucket begins to fill
    for second in range(40):
        assert queue.try_acquire(ticket("quiet", str(second)), now + 21.0 + second / 2)
    assert queue.demand(now + 40.9) == pytest.approx(40 * 1.25 / 0.96, abs=3)


def test_what_retry_after_or_its_own_record_holds_back_asks_for_no_share() -> None:
    """No share of the app's limit would let it pass."""
    queue, now = FairQueue(Shares(tenant=0.96), -1000.0), 0.0
    held = ticket("held")
    queue.pause(ticket("a"), -100.0)  # its buckets begin to fill
    queue.freeze(Scope.tenant("held"), 25.0, held, now)
    assert not queue.try_acquire(held, now)
    queue.enqueue(held)
    for _ in range(4):
        assert not queue.try_acquire(ticket("a"), now)  # another waits already
        queue.enqueue(ticket("a"))
        queue.grant(now)
    queue.enqueue(ticket("a"))
    assert queue.grant(now)[0] == []
    assert queue.demand(now) == pytest.approx(4 * 1.25 / 0.96, abs=1)


def test_requests_that_wait_for_a_share_leave_when_it_is_granted() -> None:
    """Nothing wakes them before; they need no timer."""
    loop = VirtualTimeLoop()

    async def play() -> float:
        limiter = RateLimiter(Role.FETCHER, 0, VirtualClock(loop))
        waiting = asyncio.create_task(limiter.acquire(ticket("a")))
        await asyncio.sleep(29)
        assert not waiting.done()
        assert limiter.demand() == 1440
        limiter.grant(1500, loop.time() + 24)
        await waiting
        return loop.time()

    try:
        assert loop.run_until_complete(play()) == pytest.approx(29, abs=0.1)
    finally:
        loop.close()


def test_without_a_share_a_request_gives_up_after_the_longest_wait_and_with_one_it_waits_its_turn() -> None:
    """A keeper that is to stop while Kafka is away finishes its visit; a long queue is no reason to fail."""
    loop = VirtualTimeLoop()

    async def play() -> None:
        limiter = RateLimiter(Role.FETCHER, 0, VirtualClock(loop))
        with pytest.raises(Throttled) as without:
            await limiter.acquire(ticket("a"))
        assert (without.value.scope, loop.time()) == (APP, 30.0)
        with pytest.raises(Throttled):  # at once: three hundred visits behind each other must not wait 30 s each
            await limiter.acquire(ticket("b"))
        assert loop.time() == 30.0
        limiter.grant(20, loop.time() + 1000)
        waiting = [asyncio.create_task(limiter.acquire(ticket("a", str(call)))) for call in range(100)]
        await asyncio.gather(*waiting)
        assert loop.time() > 100

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()
