"""The budget in sliding windows: the real `RateLimiter`, in several processes, under any schedule, in virtual time."""

import asyncio
import random
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import count, pairwise
from operator import itemgetter

from hypothesis import given
from hypothesis import strategies as st
from ringback_common.errors import Throttled
from ringback_common.scopes import APP, Scope, ScopeKind
from ringback_graph.availability import FairQueue, Priority, QuotaRequest, RateLimiter, Role, Shares
from ringback_testing.properties import examples
from ringback_testing.virtual_time import VirtualClock, VirtualTimeLoop

TENANT_LIMITS = (100, 1500)
"""The least a tenants file accepts, and Graph's own; in 20 s."""
ROLES = (Role.FETCHER, Role.KEEPER)
APP_SHARES = ((0.6, 0.4), (0.006, 0.004))
"""Of the two processes: all of the app's 15,000 in 20 s, or, so that it is felt, a hundredth of it."""
LIMITS = {
    ScopeKind.RECORD: (40, 20.0),
    ScopeKind.LIST: (40, 20.0),
    ScopeKind.LOG: (50, 60.0),
}
"""Requests in seconds of the narrow scopes."""
_calls = count()

kinds = st.sampled_from(["fresh", "fresh", "record:x", "record:y", "list", "log"])
bursts = st.tuples(
    st.sampled_from([0.0, 0.0, 0.3, 2.0, 9.0, 21.0]),  # seconds before it
    st.sampled_from("abc"),
    kinds,
    st.sampled_from(Priority),
    st.sampled_from([9, 60, 150]),  # tickets
)
accidents = st.tuples(
    st.sampled_from(["none", "none", "none", "throttled", "restart", "cancel"]), st.sampled_from([0.5, 5.0, 29.0, 60.0])
)


def ticket(tenant: str, kind: str, priority: Priority, limit: int = 100) -> QuotaRequest:
    """A wish to send one request of a kind."""
    word, _, call = kind.partition(":")
    if word in {"list", "log"}:
        return QuotaRequest(tenant, limit, priority, Scope(ScopeKind(word), tenant))
    return QuotaRequest(tenant, limit, priority, Scope.record(tenant, call or f"fresh{next(_calls)}"))


@dataclass
class Sent:
    """What left, and which scopes were held by which process when."""

    limits: dict[ScopeKind, tuple[int, float]]
    at: dict[Scope, list[float]] = field(default_factory=dict[Scope, list[float]])
    frozen: list[tuple[int, Scope, float, float]] = field(default_factory=list[tuple[int, Scope, float, float]])

    def note(self, process: int, one: QuotaRequest, now: float) -> None:
        """A request leaves now; nothing may leave a held scope, except at the moment it is held."""
        assert one.narrow is not None
        scopes = (APP, Scope.tenant(one.tenant_id), one.narrow)
        for scope in scopes:
            self.at.setdefault(scope, []).append(now)
        for where, scope, since, until in self.frozen:
            inside = since < now < until - 1e-6
            assert not (where == process and scope in scopes and inside), f"{scope} is held from {since} to {until}"

    def check_windows(self) -> None:
        """No half-open window of any scope ever held more than Graph allows."""
        for scope, moments in self.at.items():
            most, window = self.limits[scope.kind]
            worst = max(bisect_left(moments, start + window) - at for at, start in enumerate(moments))
            assert worst <= most, f"{worst} of {most} in {window} s for {scope}"


class Processes:
    """Some processes of one installation that share the limits."""

    def __init__(self, loop: VirtualTimeLoop, sent: Sent, app_shares: tuple[float, float]) -> None:
        self._loop, self._sent, self._clock, self._shares = loop, sent, VirtualClock(loop), app_shares
        self._budgets = [self._fresh(number) for number in range(len(ROLES))]
        self._waiting: list[list[asyncio.Task[None]]] = [[] for _ in ROLES]
        self._restarted: set[int] = set()

    def _fresh(self, number: int) -> RateLimiter:
        return RateLimiter(ROLES[number], self._shares[number], self._clock)

    def ask(self, number: int, one: QuotaRequest) -> None:
        """A task wants to send a request."""
        self._waiting[number].append(self._loop.create_task(self._send(number, self._budgets[number], one)))

    async def _send(self, number: int, budget: RateLimiter, one: QuotaRequest) -> None:
        try:
            await budget.acquire(one)
        except Throttled:
            return
        self._sent.note(number, one, self._loop.time())

    def befall(self, accident: str, number: int, one: QuotaRequest, seconds: float) -> None:
        """Something happens to a process."""
        now = self._loop.time()
        if accident == "throttled":
            held = self._budgets[number].throttled(one, seconds)
            self._sent.frozen.append((number, held.scope, now, now + seconds))
        elif accident == "cancel":
            for task in self._waiting[number][::2]:
                task.cancel()
        elif accident == "restart" and number not in self._restarted:  # a record's bucket allows one in a window
            self._restarted.add(number)
            for task in self._waiting[number]:
                task.cancel()
            self._sent.frozen = [each for each in self._sent.frozen if each[0] != number]
            self._budgets[number] = self._fresh(number)

    async def settled(self) -> None:
        """Everybody who waits is served or sent away."""
        async with asyncio.timeout(100_000):
            await asyncio.gather(*(task for tasks in self._waiting for task in tasks), return_exceptions=True)
        assert all(budget.waiting() == 0 for budget in self._budgets)


@examples(40)
@given(
    st.lists(st.tuples(bursts, accidents), min_size=4, max_size=15),
    st.sampled_from(APP_SHARES),
    st.sampled_from(TENANT_LIMITS),
)
def test_no_schedule_exceeds_any_scope_s_window_over_all_processes(
    schedule: list[tuple[tuple[float, str, str, Priority, int], tuple[str, float]]],
    app_shares: tuple[float, float],
    limit: int,
) -> None:
    """App, tenant, record, LIST and log at once, two processes, 429s, cancellations, a restart: never one too many."""
    loop, sent = (
        VirtualTimeLoop(),
        Sent(LIMITS | {ScopeKind.APP: (round(15_000 * sum(app_shares)), 20.0), ScopeKind.TENANT: (limit, 20.0)}),
    )

    async def play() -> None:
        await asyncio.sleep(1000)  # the processes before these are long gone
        processes = Processes(loop, sent, app_shares)
        for (pause, tenant, kind, priority, tickets), (accident, seconds) in schedule:
            await asyncio.sleep(pause)
            number = ROLES.index(Role.KEEPER if kind in {"list", "log"} else Role.FETCHER)
            wishes = [ticket(tenant, kind, priority, limit) for _ in range(tickets)]
            for one in wishes:
                processes.ask(number, one)
            await asyncio.sleep(0.001)
            processes.befall(accident, number, wishes[0], seconds)
        await processes.settled()

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()
    sent.check_windows()


@examples(15)
@given(limit=st.integers(100, 1500), late=st.floats(0, 20), call=st.sampled_from(["fresh", "record:x"]))
def test_processes_that_never_run_out_of_work_stay_below_the_tenant_s_limit_together(
    limit: int, late: float, call: str
) -> None:
    """Fetcher and keeper, each with more than it may send, buckets being forgotten all the while."""
    sent = Sent(LIMITS | {ScopeKind.TENANT: (limit, 20.0), ScopeKind.APP: (15_000, 20.0)})
    moments: list[tuple[float, QuotaRequest]] = []
    for role, kind, now in ((Role.FETCHER, call, 0.0), (Role.KEEPER, "fresh", late)):
        queue, pause = FairQueue(Shares(role.value), now - 100), 0.0  # idle until then: bursts are saved up
        for _ in range(round(3 * limit * role.value)):
            queue.enqueue(ticket("a", kind, Priority.LIVE, limit))
        while now + (pause or 0.0) <= 60.0:
            now += pause or 0.0  # noqa: PLW2901 - time goes on
            granted, pause = queue.grant(now)
            moments += [(now, one) for one in granted]
            queue.forget(now)
            if pause is None:
                break
    for at, one in sorted(moments, key=itemgetter(0)):
        sent.note(0, one, at)
    sent.check_windows()


arrivals = st.tuples(
    st.sampled_from([0.0, 0.1, 1.0, 5.0]), st.sampled_from("abc"), st.sampled_from(Priority), st.integers(1, 40)
)


@dataclass
class Line:
    """Tickets of one tenant that wait, and what left since a bulk request did."""

    live: int = 0
    live_since_bulk: int = 0


@examples(40)
@given(
    arrivals=st.lists(arrivals, min_size=1, max_size=20),
    app=st.sampled_from([0.005, 1.0]),
)
def test_bulk_never_holds_live_back(arrivals: list[tuple[float, str, Priority, int]], app: float) -> None:
    """While a tenant's live requests wait, nine of them leave before each of its bulk requests, whatever else waits."""
    now, queue, lines = 0.0, FairQueue(Shares(1.0, app=app), 0.0), {tenant: Line() for tenant in "abc"}

    def note(granted: list[QuotaRequest]) -> None:
        for one in granted:
            line = lines[one.tenant_id]
            if one.priority is Priority.LIVE:
                line.live, line.live_since_bulk = line.live - 1, line.live_since_bulk + 1
                continue
            assert not line.live or line.live_since_bulk >= 9
            line.live_since_bulk = 0

    def serve(until: float) -> float:
        at = now
        while True:
            granted, pause = queue.grant(at)
            note(granted)
            if pause is None or at + pause > until:
                return until
            at += pause

    for pause, tenant, priority, tickets in [*arrivals, (10_000.0, "a", Priority.LIVE, 1)]:
        now = serve(now + pause)
        for _ in range(tickets):
            queue.enqueue(ticket(tenant, "fresh", priority))
            lines[tenant].live += priority is Priority.LIVE
    serve(now + 10_000.0)
    assert [line.live for line in lines.values()] == [0, 0, 0]
    assert list(queue.waiting()) == []


freezes = st.tuples(
    st.floats(0, 40), st.floats(0.1, 60), st.sampled_from([Scope.tenant("a"), Scope.record("a", "x"), APP])
)


@examples(30)
@given(st.lists(freezes, max_size=8), st.randoms(use_true_random=False))
def test_a_frozen_scope_lets_none_out_however_freezes_overlap(
    held: list[tuple[float, float, Scope]], order: random.Random
) -> None:
    """Several scopes, in any order and overlapping: none lets anything out before its longest freeze is over."""
    queue, sent = FairQueue(Shares(1.0), -1000.0), list[tuple[float, QuotaRequest]]()
    record = ticket("a", "record:x", Priority.LIVE)
    wishes = [ticket("a", "record:x", Priority.LIVE) for _ in range(20)]
    wishes += [ticket("b", "fresh", Priority.BULK) for _ in range(20)]
    order.shuffle(wishes)
    for one in wishes:
        queue.enqueue(one)
    moments = sorted(held)
    for (at, seconds, scope), (after, *_) in pairwise([*moments, (200.0, 0.0, APP)]):
        queue.freeze(scope, seconds, record, at)
        moment: float | None = at
        while moment is not None and moment < after:
            granted, pause = queue.grant(moment)
            sent += [(moment, one) for one in granted]
            moment = None if pause is None else moment + max(pause, 1e-9)
    for at, seconds, scope in moments:
        within = [one for moment, one in sent if at <= moment < at + seconds - 1e-6]
        assert not [one for one in within if scope in {APP, Scope.tenant(one.tenant_id), one.narrow}]
