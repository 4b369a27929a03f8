"""Buckets, lines and waiting."""

import asyncio
from bisect import bisect_left
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ringback_common.clock import SystemClock
from ringback_common.errors import Throttled
from ringback_common.scopes import Scope, ScopeKind
from ringback_graph.availability import (
    Bucket,
    FairQueue,
    Priority,
    Quota,
    QuotaRequest,
    RateLimiter,
    Role,
    Shares,
    ThrottleScopeInference,
)

LIVE, BULK = Priority.LIVE, Priority.BULK


def ticket(
    tenant: str = "a",
    call: str | None = None,
    priority: Priority = LIVE,
    limit: int = 1500,
    narrow: Scope | None = None,
) -> QuotaRequest:
    """A wish to send one request."""
    return QuotaRequest(tenant, limit, priority, Scope.record(tenant, call) if call else narrow)


def run_until(queue: FairQueue, now: float, end: float) -> list[tuple[float, QuotaRequest]]:
    """Grant whatever may go, hopping from one possible moment to the next."""
    sent: list[tuple[float, QuotaRequest]] = []
    while now <= end:
        granted, pause = queue.grant(now)
        sent.extend((now, each) for each in granted)
        if pause is None:
            break
        now += pause
    return sent


def most_in_any_window(moments: list[float], window: float) -> int:
    """The most moments any half-open window of that length holds."""
    return max((bisect_left(moments, start + window) - at for at, start in enumerate(moments)), default=0)


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(20, 2000),
    window=st.sampled_from([20.0, 60.0]),
    restarts=st.lists(st.floats(0, 60), max_size=3),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=8),
)
def test_no_sliding_window_ever_exceeds_the_limit(
    limit: int, window: float, restarts: list[float], pauses: list[float]
) -> None:
    """However greedy, however bursty, and across restarts of the process: at most `limit` in any window."""
    now, moments = 0.0, list[float]()
    bucket = Bucket(Quota.of(limit, window), now)
    starts = sorted(restarts)
    for pause in pauses:
        now += pause
        while starts and starts[0] <= now:
            bucket = Bucket(Quota.of(limit, window), starts.pop(0))
        for _ in range(limit):
            wait = bucket.wait(now)
            if wait > 3:
                break
            now += wait
            if bucket.wait(now) <= 0:
                bucket.take()
                moments.append(now)
    assert most_in_any_window(moments, window) <= limit


@given(st.lists(st.floats(0, 25), min_size=1, max_size=60), st.integers(0, 59))
def test_a_record_s_requests_stay_within_forty_in_twenty_seconds(pauses: list[float], restart: int) -> None:
    """The bucket of one record, which begins with four tokens, holds too, even if the process restarts once."""
    now, moments = 0.0, list[float]()
    queue = FairQueue(Shares(1.0), now)
    for turn, pause in enumerate(pauses):
        now += pause / 10
        queue = FairQueue(Shares(1.0), now) if turn == restart else queue
        for _ in range(3):
            queue.enqueue(ticket(call="one"))
        sent = run_until(queue, now, now + pause / 10)
        moments.extend(at for at, _ in sent)
        now = max([now, *(at for at, _ in sent)])
    assert most_in_any_window(sorted(moments), 20.0) <= 40


@pytest.mark.parametrize("share", [role.value for role in Role])
def test_the_smallest_budget_of_a_tenant_still_serves_both_roles(share: float) -> None:
    """With the least the tenants file accepts, fetcher and keeper stay below their share and are served in time."""
    least = 100
    queue = FairQueue(Shares(share), 0.0)
    for call in range(600):
        queue.enqueue(ticket(call=str(call), limit=least))
    sent = [at for at, _ in run_until(queue, 0.0, 60.0)]
    assert 1 <= most_in_any_window(sent, 20.0) <= least * share
    assert sent[0] < 10


@pytest.mark.parametrize("limit", [0.0, 0.8, 1.0, 1.9])
def test_a_quota_too_small_for_a_rate_is_refused(limit: float) -> None:
    """A bucket that drains by itself would let everybody pass."""
    with pytest.raises(ValueError, match="at least 2"):
        Quota.of(limit, 20.0)


def test_a_tenant_s_budget_is_used_to_95_percent() -> None:
    """A queue that never empties is served at no less than 95 % of what the fetcher has of 1,500 in 20 s."""
    queue = FairQueue(Shares(0.96), 0.0)
    for call in range(9000):
        queue.enqueue(ticket(call=str(call)))
    sent = [at for at, _ in run_until(queue, 0.0, 100.0)]
    assert most_in_any_window(sent, 20.0) <= 1440
    assert sum(20.0 <= at < 100.0 for at in sent) >= 0.95 * 1440 * 4


def test_lists_stay_within_forty_in_twenty_seconds() -> None:
    """The LIST scope is a tenant's own, and is used to 95 %."""
    queue = FairQueue(Shares(1.0), 0.0)
    for _ in range(300):
        queue.enqueue(ticket(narrow=Scope(ScopeKind.LIST, "a")))
    sent = [at for at, _ in run_until(queue, 0.0, 100.0)]
    assert most_in_any_window(sent, 20.0) <= 40
    assert sum(20.0 <= at < 100.0 for at in sent) >= 0.95 * 160


def test_the_app_s_limit_holds_over_all_tenants_and_tenants_take_turns() -> None:
    """With a small app share, tenants with equal needs get equal parts, a long line of one does not starve another."""
    queue = FairQueue(Shares(1.0, app=0.01), 0.0)
    for call in range(2000):
        queue.enqueue(ticket("greedy", str(call)))
    for call in range(60):
        queue.enqueue(ticket("modest", str(call)))
    sent = run_until(queue, 0.0, 20.0)
    assert most_in_any_window([at for at, _ in sent], 20.0) <= 150
    assert sum(each.tenant_id == "modest" for _, each in sent[:120]) == 60


def test_bulk_gets_a_tenth_while_live_waits_and_all_when_it_does_not() -> None:
    """Live goes first, bulk neither starves nor holds live back."""
    queue = FairQueue(Shares(1.0), 0.0)
    for call in range(400):
        queue.enqueue(ticket(call=f"b{call}", priority=BULK))
    for call in range(400):
        queue.enqueue(ticket(call=f"l{call}"))
    order = [each.priority for _, each in run_until(queue, 0.0, 60.0)]
    first_live_done = order.index(BULK, len(order) - 1 - order[::-1].index(LIVE))
    assert order[:first_live_done].count(BULK) == pytest.approx(400 / 9, abs=2)
    assert order.count(BULK) == 400


def test_a_record_that_waits_holds_nobody_back() -> None:
    """The pages of one large record wait for its own limit while other calls of the tenant pass."""
    queue = FairQueue(Shares(1.0), 0.0)
    for _ in range(20):
        queue.enqueue(ticket(call="large"))
    for call in range(20):
        queue.enqueue(ticket(call=str(call)))
    sent = run_until(queue, 1.0, 2.0)
    assert sum(each.narrow != Scope.record("a", "large") for _, each in sent) == 20


def test_a_freeze_holds_its_scope_and_no_other() -> None:
    """Nothing of the scope passes before Retry-After is over; a shorter one does not shorten it."""
    queue = FairQueue(Shares(1.0), 0.0)
    frozen, other = ticket("a", "x"), ticket("b", "y")
    queue.freeze(Scope.tenant("a"), 12.0, frozen, 1.0)
    queue.freeze(Scope.tenant("a"), 2.0, frozen, 1.0)
    for each in (frozen, other):
        queue.enqueue(each)
    sent = run_until(queue, 1.0, 60.0)
    assert [(each.tenant_id, at >= 13.0) for at, each in sent] == [("b", False), ("a", True)]


def test_buckets_of_old_records_are_forgotten() -> None:
    """A million calls leave no million buckets."""
    queue = FairQueue(Shares(1.0, app=1.0), 0.0)
    now = 0.0
    for call in range(30_000):
        now += 0.1
        queue.enqueue(ticket(call=str(call)))
        queue.grant(now)
    assert len(queue) <= 4096
    queue.forget(now + 60)
    assert len(queue) == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans(), st.booleans()), max_size=120))
def test_every_ticket_is_granted_once_or_withdrawn(wishes: list[tuple[str, str, bool, bool]]) -> None:
    """Whatever is asked and withdrawn, each remaining ticket is granted exactly once and no line stays behind."""
    queue = FairQueue(Shares(1.0), 0.0)
    kept: list[QuotaRequest] = []
    for tenant, call, bulk, withdraw in wishes:
        each = ticket(tenant, call, BULK if bulk else LIVE)
        queue.enqueue(each)
        if withdraw:
            queue.withdraw(each)
        else:
            kept.append(each)
    sent = [each for _, each in run_until(queue, 0.0, 10_000.0)]
    assert sorted(map(id, sent)) == sorted(map(id, kept))
    assert list(queue.waiting()) == []


def test_a_changed_budget_of_a_tenant_takes_effect() -> None:
    """The tenants file may lower a budget while the process runs."""
    queue = FairQueue(Shares(1.0), 0.0)
    queue.enqueue(ticket(call="first"))
    run_until(queue, 0.0, 20.0)
    for call in range(500):
        queue.enqueue(ticket(call=str(call), limit=100))
    sent = [at for at, _ in run_until(queue, 20.0, 60.0)]
    assert most_in_any_window([at for at in sent if at > 21], 20.0) <= 100


@dataclass
class ShiftedClock(SystemClock):
    """The real clock, moved ahead so that buckets are full."""

    ahead: float = 0.0

    def monotonic(self) -> float:
        """Seconds, plus what the test added."""
        return super().monotonic() + self.ahead


async def test_waiters_are_served_in_order_and_a_cancelled_one_frees_its_place() -> None:
    """Cancelling one waiter neither blocks nor reorders the others."""
    clock = ShiftedClock()
    budget = RateLimiter(Role.FETCHER, 1.0, clock)
    served: list[int] = []

    async def wait(number: int) -> None:
        await budget.acquire(ticket(call=str(number)))
        served.append(number)

    tasks = [asyncio.create_task(wait(number)) for number in range(6)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert served == [0, 1, 3, 4, 5]
    assert budget.waiting() == 0


def test_who_comes_first_passes_by_and_nobody_passes_those_who_wait() -> None:
    """With all lines empty a request costs its tokens and no place in a line; while a ticket waits, none."""
    queue = FairQueue(Shares(tenant=1.0), 0.0)
    assert not any(queue.try_acquire(ticket(tenant), 0.0) for tenant in "ab")
    assert [queue.try_acquire(ticket("a", "x"), 10.0) for _ in range(5)] == [True] * 4 + [False]
    queue.enqueue(ticket("a", "x"))
    assert queue.grant(10.0)[0] == []
    assert not queue.try_acquire(ticket("b", "y"), 10.0)
    assert len(queue.grant(11.0)[0]) == 1
    assert queue.try_acquire(ticket("b", "y"), 11.0)


async def test_a_newcomer_neither_delays_nor_is_delayed_by_those_who_wait() -> None:
    """The request that may leave first wakes the queue, in whatever order they came."""
    budget, done, clock = RateLimiter(Role.FETCHER, 1.0, SystemClock()), dict[str, float](), SystemClock()

    async def pass_as(name: str, one: QuotaRequest) -> None:
        await budget.acquire(one)
        done[name] = clock.monotonic() - began

    await asyncio.sleep(0.1)
    for name in ("slow", "quick", "late"):
        await budget.acquire(ticket(name, "warm"))
    budget.throttled(ticket("slow"), 2.5)
    budget.throttled(ticket("quick"), 0.4)
    budget.throttled(ticket("late"), 1.4)
    began = clock.monotonic()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for name in ("slow", "quick", "late"):
            group.create_task(pass_as(name, ticket(name)))
    assert list(done) == ["quick", "late", "slow"]
    assert done["quick"] < 1.2


async def test_a_long_retry_after_sends_waiters_away_and_a_short_one_makes_them_wait() -> None:
    """Over 30 s the caller gets an error at once; below it the request waits in place and nothing passes early."""
    clock = ShiftedClock()
    budget = RateLimiter(Role.FETCHER, 1.0, clock)
    clock.ahead = 100.0
    await budget.acquire(ticket(call="x", limit=20))
    asked = asyncio.create_task(budget.acquire(ticket(limit=20)))
    budget.throttled(ticket(limit=20), 0.2)
    before = clock.monotonic()
    await asked
    assert clock.monotonic() - before >= 0.2
    waiting = asyncio.create_task(budget.acquire(ticket(limit=20)))
    await asyncio.sleep(0)
    budget.throttled(ticket(limit=20), 60.0)
    with pytest.raises(Throttled) as sent_away:
        await waiting
    assert sent_away.value.scope == Scope.tenant("a")
    with pytest.raises(Throttled):
        await budget.acquire(ticket(limit=20))
    assert budget.waiting() == 0


def test_a_429_holds_the_tenant_until_only_one_record_is_proven() -> None:
    """The tenant waits first; the record alone once it is refused again after others have passed."""
    inference = ThrottleScopeInference()
    sick, well = ticket(call="sick"), ticket(call="well")
    assert inference.infer(sick, 5.0, 100.0) == Scope.tenant("a")
    inference.answered(well, 99.0)
    inference.answered(sick, 106.0)
    assert inference.infer(sick, 5.0, 106.0) == Scope.tenant("a")
    inference.answered(ticket("b", "other"), 112.0)
    inference.answered(well, 112.0)
    assert inference.infer(sick, 5.0, 113.0) == sick.narrow
    assert inference.infer(well, 5.0, 113.0) == Scope.tenant("a")


def test_what_was_learnt_of_a_scope_is_forgotten() -> None:
    """After five minutes a 429 may mean the tenant again."""
    inference, sick = ThrottleScopeInference(), ticket(call="sick")
    inference.infer(sick, 5.0, 100.0)
    inference.answered(ticket(call="well"), 105.0)
    assert inference.infer(sick, 5.0, 404.0) == sick.narrow
    assert inference.infer(sick, 5.0, 406.0) == Scope.tenant("a")


async def test_a_429_to_a_page_of_a_large_record_holds_the_whole_tenant() -> None:
    """The record's own bucket is empty while it is paged; that does not make it the culprit."""
    clock = ShiftedClock()
    budget = RateLimiter(Role.FETCHER, 1.0, clock)
    clock.ahead = 100.0
    page = ticket(call="large")
    for _ in range(4):
        await budget.acquire(page)
    assert budget.throttled(page, 60.0).scope == Scope.tenant("a")
    with pytest.raises(Throttled):
        await budget.acquire(ticket(call="small"))
