"""Members that share a quota by leases in one log: never too much in any window, and nothing left lying, in a model.

Each member has a clock of its own, reads the log late, loses writes, freezes, dies, leaves; each asks as much as its
real bucket lets it.
"""

import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_graph.availability import Bucket
from ringback_graph.availability.bucket import NOTHING
from ringback_stream.quota.lease import WINDOW_SECONDS, Lease, LeaseHolder
from ringback_testing.properties import examples

QUOTA = 1000
STEP = 0.25
"""Seconds of a step of the model; a member acts once in each."""
_SHORTER = 0.5
"""Seconds by which a window is shorter by another's clock."""
_COMES_BACK = 8.0
"""Seconds for which a process that thaws has no connection to Kafka yet, though it has one to Graph."""


@dataclass
class Log:
    """The control topic: entries in order, each with the moment from which it can be read."""

    entries: list[tuple[float, Lease]] = field(default_factory=list[tuple[float, Lease]])
    coming: list[tuple[float, Lease]] = field(default_factory=list[tuple[float, Lease]])
    """Sent, and appended at that moment; never out of order for one member."""

    def append_due(self, now: float) -> None:
        """Append what has arrived."""
        self.entries += [(at, lease) for at, lease in sorted(self.coming, key=lambda each: each[0]) if at <= now]
        self.coming = [(at, lease) for at, lease in self.coming if at > now]

    def compacted(self) -> list[Lease]:
        """What one reads who begins now: the newest entry of each member."""
        return list({lease.member: lease for _, lease in self.entries}.values())


@dataclass
class Member:
    """One process: its clock, its place in the log, its bucket."""

    name: str
    log: Log
    born: float
    wants: Callable[[float], int]
    """Requests in a window it would send, by the model's time."""
    rate: float
    """Seconds of its clock in one of the model's."""
    reads_late: float
    chance: random.Random
    lost: float = 0.0
    """Part of its writes that are lost."""
    offset: float = 0.0
    frozen: tuple[float, float] = (0.0, 0.0)
    gone: float = float("inf")
    leaves: bool = False
    away: tuple[float, float] = (0.0, 0.0)
    """When Kafka is away, for this member."""
    sent: list[float] = field(default_factory=list[float])
    shares: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """What it might have used at each moment, had it asked."""

    def __post_init__(self) -> None:
        now = self.clock(self.born)
        self.holder, self.bucket = LeaseHolder(self.name, QUOTA), Bucket(NOTHING, now)
        self.late = self.chance.uniform(0, self.reads_late)
        self.position, self.credit, self.busy_until, self.next_check = len(self.log.entries), 0.0, 0.0, 0.0
        for lease in self.log.compacted():
            self.holder.read(lease, now)

    def clock(self, at: float) -> float:
        """Its monotonic clock."""
        return self.offset + at * self.rate

    def act(self, at: float) -> None:
        """Ask first, with what is known: a process that thaws does; then read, then write."""
        if at < self.born or at >= self.gone or self.frozen[0] <= at < self.frozen[1]:
            return
        self._ask(at)
        self._read(at)
        self._write(at)
        if self.leaves and at + STEP >= self.gone:
            self.log.coming.append((at + 0.1, self.holder.leave(self.clock(at))))

    def _ask(self, at: float) -> None:
        now = self.clock(at)
        self.credit = min(self.credit + self.wants(at) * STEP / WINDOW_SECONDS, 50.0)
        while self.credit >= 1 and self.bucket.wait(now) <= 0:
            self.bucket.take()
            self.credit -= 1
            self.sent.append(at)

    def _read(self, at: float) -> None:
        if self._is_cut_off(at):
            return
        while self.position < len(self.log.entries) and self.log.entries[self.position][0] + self.late <= at:
            self.holder.read(self.log.entries[self.position][1], self.clock(at))
            self.position += 1
            self.late = self.chance.uniform(0, self.reads_late)
        self._grant(at)

    def _is_cut_off(self, at: float) -> bool:
        """Kafka is away, or not yet back after it froze."""
        return self.away[0] <= at < self.away[1] or self.frozen[0] <= at < self.frozen[1] + _COMES_BACK

    def _write(self, at: float) -> None:
        now, want = self.clock(at), self.wants(at)
        if at < self.next_check or at < self.busy_until or self._is_cut_off(at):
            return
        self.next_check = at + 1.0
        if not self.holder.due(want, now):
            return
        lease = self.holder.renew(want, now)
        self._grant(at)
        takes = self.chance.uniform(0, 1.5)
        self.busy_until = at + takes
        if self.chance.random() >= self.lost:
            self.log.coming.append((at + takes, lease))

    def note(self, at: float) -> None:
        """Note what it might use now, frozen or not; the dead use nothing."""
        self.shares.append((at, self.holder.usable(self.clock(at)).limit if self.born <= at < self.gone else 0))

    def most_lately(self) -> int:
        """The most it might have used at any moment of the last window."""
        steps = int((WINDOW_SECONDS - _SHORTER) / STEP)
        return max(share for _, share in self.shares[-steps:]) if self.shares else 0

    def _grant(self, at: float) -> None:
        limit, until = self.holder.usable(self.clock(at))
        self.bucket.grant(limit, WINDOW_SECONDS, until, self.clock(at))


def play(members: Callable[[float], Sequence[Member]], log: Log, seconds: float) -> None:
    """Run the model: at each moment every live member acts, in an order that changes."""
    at = 0.0
    while at < seconds:
        log.append_due(at)
        present = list(members(at))
        for member in present[int(at * 7) % max(1, len(present)) :] + present[: int(at * 7) % max(1, len(present))]:
            member.act(at)
            member.note(at)
        together = sum(member.most_lately() for member in present)
        assert together <= QUOTA, f"{together} at {at}: a share is used by two, or has not rested"
        at += STEP


def worst_window(members: Sequence[Member]) -> int:
    """The most requests of all members in any half-open window."""
    moments = sorted(moment for member in members for moment in member.sent)
    return max((bisect_left(moments, at + WINDOW_SECONDS) - index for index, at in enumerate(moments)), default=0)


def used(members: Sequence[Member], since: float, until: float) -> float:
    """The part of the quota that was used between two moments."""
    count = sum(since <= moment < until for member in members for moment in member.sent)
    return count * WINDOW_SECONDS / (until - since) / QUOTA


def least_used(members: Sequence[Member], since: float, until: float) -> float:
    """The least used window between two moments."""
    starts = range(int(since), int(until - WINDOW_SECONDS) + 1)
    return min(used(members, start, start + WINDOW_SECONDS) for start in starts)


class Group:
    """Members that are made when their time has come: they read what the log holds then."""

    def __init__(self, seed: int, *, late: float = 1.0, lost: float = 0.0, skew: float = 0.002) -> None:
        self.log, self.chance, self.made = Log(), random.Random(seed), list[Member]()  # noqa: S311 - a seed of a test
        self._late, self._lost, self._skew = late, lost, skew
        self._plans: list[tuple[float, Callable[[], Member]]] = []

    def plan(self, born: float, wants: Callable[[float], int], **events: object) -> None:
        """Have a member begin at that moment."""
        number = len(self._plans)

        def make() -> Member:
            rate, offset = 1 + self.chance.uniform(-self._skew, self._skew), self.chance.uniform(0, 1e6)
            spread = random.Random(self.chance.random())  # noqa: S311 - the same
            return Member(f"m{number}", self.log, born, wants, rate, self._late, spread, self._lost, offset, **events)  # pyright: ignore[reportArgumentType]

        self._plans.append((born, make))

    def present(self, at: float) -> Sequence[Member]:
        """Those that have begun."""
        due = [make for born, make in self._plans if born <= at]
        self.made += [make() for make in due[len(self.made) :]]
        return self.made

    def play(self, seconds: float) -> None:
        """Run it."""
        self._plans.sort(key=lambda plan: plan[0])
        play(self.present, self.log, seconds)


def always(want: int) -> Callable[[float], int]:
    """Asks the same all the time."""
    return lambda _: want


@dataclass(frozen=True)
class Plan:
    """What befalls a member."""

    born: float
    want: int
    then: int
    turns: float
    """When it asks for `then`."""
    freezes: float
    ice: float
    cut_off: float
    outage: float
    lives: float
    leaves: bool

    def wants(self, at: float) -> int:
        """Requests in a window it would send."""
        return self.want if at < self.turns else self.then


plans = st.builds(
    Plan,
    born=st.sampled_from([0.0, 0.0, 40.0, 41.0, 95.0]),
    want=st.sampled_from([3000, 3000, 300, 5]),
    then=st.sampled_from([3000, 3000, 0]),
    turns=st.floats(20, 160),
    freezes=st.floats(10, 130),
    ice=st.sampled_from([0.0, 0.0, 26.0, 60.0]),
    cut_off=st.floats(10, 130),
    outage=st.sampled_from([0.0, 0.0, 10.0, 30.0, 80.0]),
    lives=st.sampled_from([1000.0, 1000.0, 60.0]),
    leaves=st.booleans(),
)


@examples(40)
@given(
    st.lists(plans, min_size=2, max_size=5),
    st.integers(0, 1 << 30),
    st.sampled_from([0.5, 3.0, 12.0]),
    st.sampled_from([0.0, 0.0, 0.3]),
)
def test_no_window_exceeds_the_quota_whatever_befalls_the_members(
    befalls: list[Plan], seed: int, late: float, lost: float
) -> None:
    """Joins, deaths, leavings, freezes, Kafka away for some, late reads, lost writes, clocks that run unevenly."""
    group = Group(seed, late=late, lost=lost)
    for plan in sorted(befalls, key=lambda plan: plan.born):
        group.plan(
            plan.born,
            plan.wants,
            frozen=(plan.freezes, plan.freezes + plan.ice),
            away=(plan.cut_off, plan.cut_off + plan.outage),
            gone=plan.born + plan.lives,
            leaves=plan.leaves,
        )
    group.play(200.0)
    assert worst_window(group.made) <= QUOTA


def test_of_two_that_claim_the_same_room_at_once_the_first_in_the_log_has_it() -> None:
    """Each sees it free, and reads the other's entry seconds later."""
    group = Group(2, late=12.0)
    for _ in range(3):
        group.plan(0.0, always(3000))
    group.play(60.0)
    assert worst_window(group.made) <= QUOTA


@pytest.mark.parametrize("cause", ["away", "frozen"])
def test_one_that_is_cut_off_from_kafka_alone_stops_before_another_has_its_share(cause: str) -> None:
    """It could go on asking Graph; a minute and a half later the other has everything."""
    group, span = Group(4), (60.0, 150.0)
    group.plan(0.0, always(3000), **{cause: span})
    group.plan(0.0, always(3000))
    group.play(190.0)
    assert worst_window(group.made) <= QUOTA
    assert used(group.made[1:], 120, 150) >= 0.9


@pytest.mark.parametrize("wants", [[1500], [900, 900], [300, 300, 300, 300, 300], [2700, 300]], ids=str)
def test_what_is_asked_beyond_the_quota_uses_nine_tenths_of_it(wants: list[int]) -> None:
    """In steady state, every window from the second minute on; also where one of two has nine of ten busy tenants."""
    group = Group(len(wants))
    for want in wants:
        group.plan(0.0, always(want))
    group.play(160.0)
    assert least_used(group.made, 60, 160) >= 0.9
    assert worst_window(group.made) <= QUOTA
    for member, want in zip(group.made, wants, strict=True):
        part = sum(at >= 60 for at in member.sent) / sum(sum(at >= 60 for at in each.sent) for each in group.made)
        assert part == pytest.approx(want / sum(wants), abs=0.06)


@pytest.mark.parametrize("change", ["joins", "leaves", "dies", "is away", "turns"])
def test_nine_tenths_are_used_again_a_minute_after_a_change(change: str) -> None:
    """A member that joins, leaves or dies, one that Kafka leaves for a while, one whose tenants fall silent."""
    group, at = Group(7), 80.0
    group.plan(0.0, always(2000))
    if change == "joins":
        group.plan(at, always(2000))
    elif change == "turns":
        group.plan(0.0, lambda now: 2000 if now < at else 0)
    else:
        ends = {"is away": {"away": (at - 40, at)}, "leaves": {"gone": at, "leaves": True}, "dies": {"gone": at}}
        group.plan(0.0, always(2000), **ends[change])
    group.play(at + 140)
    assert least_used(group.made, at + 60, at + 140) >= 0.9
    assert worst_window(group.made) <= QUOTA
    if change in {"joins", "is away"}:
        assert used(group.made[1:], at + 60, at + 140) >= 0.4


def test_a_share_that_moves_rests_for_a_window() -> None:
    """What one of two gives up is used by the other no sooner than a window after its last request at that rate."""
    group = Group(3, late=0.0)
    group.plan(0.0, always(2000))
    group.plan(0.0, lambda at: 2000 if at < 80 else 0)
    group.play(140.0)
    for since in range(80, 100):
        assert used(group.made[:1], since, since + 1) <= 0.55


def test_a_member_that_cannot_renew_its_lease_asks_nothing_and_goes_on_at_once_when_it_can() -> None:
    """Kafka is away for all of them, for longer than a lease."""
    group = Group(5)
    for _ in range(2):
        group.plan(0.0, always(2000), away=(60.0, 120.0))
    group.play(160.0)
    assert used(group.made, 85, 120) == 0
    for member in group.made:
        assert used([member], 125, 160) >= 0.4


def test_one_that_joins_a_busy_group_begins_at_once() -> None:
    """With a part of the reserve, before the others have made room."""
    group = Group(6, late=0.5)
    group.plan(0.0, always(2000))
    group.plan(100.0, always(2000))
    group.play(112.0)
    assert len(group.made[1].sent) >= 4


def test_whether_a_peer_is_gone_is_judged_when_a_claim_is_sent_not_when_it_is_read_back() -> None:
    """One that reads 23 s late: what the silent one wrote meanwhile lies behind the claim, and its lease has no gap."""
    late = LeaseHolder("late", QUOTA)
    late.read(Lease("silent", 1, 500, 500, 500), 0.0)
    for at in (0.0, 20.0, 22.0):
        late.read(late.renew(0, at), at + 0.1)
    claim = late.renew(3000, 22.5)
    assert claim.claim >= 400
    late.read(Lease("quick", 1, 400, 400, 400), 45.8)
    late.read(claim, 45.9)
    assert late.usable(45.9).limit <= QUOTA - 500 - 400


def test_a_claim_that_is_read_back_late_counts_no_more_than_a_later_one_that_gave_some_of_it_up() -> None:
    """The others count the later one as soon as they have read it."""
    holder = LeaseHolder("one", QUOTA)
    much = holder.renew(3000, 0.0)
    holder.read(Lease("another", 1, 3000, 0, 0), 1.0)
    less = holder.renew(3000, 4.0)
    assert less.claim < much.claim
    holder.read(much, 5.0)
    assert holder.usable(5.0).limit == less.claim


def test_after_an_outage_the_silence_of_others_proves_nothing() -> None:
    """One that is back first leaves them what they had."""
    holder = LeaseHolder("first", QUOTA)
    holder.read(Lease("second", 1, 500, 500, 500), 0.0)
    for at in (0.0, 4.0, 100.0):
        holder.read(holder.renew(3000, at), at + 0.5)
    assert holder.renew(3000, 101.0).claim <= QUOTA - 500
