"""What decides who is put aside, where, and who waits for whom; each without a broker."""

from ringback_common.outcomes import Emit, Reason, Received, Reject
from ringback_events.topics import FETCH_ASIDE, FETCH_ASIDES, FETCH_BULK
from ringback_stream.aside.detached_reads import DetachedReads
from ringback_stream.aside.lanes import AsideLanes
from ringback_stream.aside.shares import TenantShares
from ringback_stream.consume.partitions import Partition

FIRST, SECOND = (Partition(topic.name, 3) for topic in FETCH_ASIDES)
BULK = Partition(FETCH_BULK.name, 3)


def lanes() -> AsideLanes:
    """The lanes of one member, nothing known of them."""
    made = AsideLanes(FETCH_ASIDES, [FETCH_BULK])
    made.begin({FIRST: 100, SECOND: 100, BULK: 100})
    return made


def written(made: AsideLanes, tenant: str) -> str:
    """The lane chosen for a record of this tenant, which is written there."""
    topic = made.choose(tenant, 3)
    made.expect(topic, 3, tenant)
    return topic


def note(made: AsideLanes, partition: Partition, *tenants: str) -> None:
    """These tenants' records stand in a partition, from offset 100 on."""
    ahead = made.of(partition)
    assert ahead is not None
    for offset, tenant in enumerate(tenants, start=100):
        ahead.note(offset, tenant)


def starving(made: AsideLanes, partition: Partition, next_offset: int, tenant: str, *hungry: str) -> bool:
    """Whether another of these tenants waits behind the head, which is this tenant's."""
    return made.starving(
        partition, next_offset, tenant, lambda other: other in hungry, lambda other: other not in hungry
    )


def test_a_share_is_what_the_quota_serves_within_its_bounds() -> None:
    """Never below the least, never above the most."""
    quotas = {"small": 3, "usual": 60, "large": 1000}
    shares = TenantShares(8, 128, quotas.__getitem__)
    assert [shares.of(tenant) for tenant in quotas] == [8, 60, 128]


def test_a_share_that_was_too_much_is_halved_and_grows_with_each_record_served() -> None:
    """Down to the least, and back to what the quota serves, no further."""
    shares = TenantShares(8, 128, lambda _: 40)
    shares.overdue("slow")
    assert (shares.of("slow"), shares.of("other")) == (20, 40)
    for _ in range(5):
        shares.overdue("slow")
    assert shares.of("slow") == 8
    for _ in range(12):
        shares.served("slow")
    assert shares.of("slow") == 20
    for _ in range(100):
        shares.served("slow")
    assert shares.of("slow") == 40


def test_two_tenants_are_put_on_different_lanes_and_stay_there() -> None:
    """Neither ever stands behind the other; a third one shares."""
    made = lanes()
    first, second = written(made, "a"), written(made, "b")
    assert {first, second} == {FIRST.topic, SECOND.topic}
    assert [written(made, tenant) for tenant in "abab"] == [first, second, first, second]
    assert made.choose("c", 3) in {first, second}
    assert made.choose("a", 3) == first


def test_a_lane_that_is_not_assigned_is_not_chosen_for_what_is_known_of_it() -> None:
    """The first is as good as any: whoever has it looks."""
    made = AsideLanes(FETCH_ASIDES)
    made.begin({})
    assert made.choose("a", 3) == FETCH_ASIDE.name


def test_only_a_tenant_behind_the_head_that_has_little_makes_it_move() -> None:
    """Not one that is full, not the head's own, not one whose last record was taken."""
    made = lanes()
    note(made, FIRST, "a", "a", "b")
    assert not starving(made, FIRST, 100, "a")
    assert not starving(made, FIRST, 100, "a", "a")
    assert starving(made, FIRST, 100, "a", "b")
    assert not starving(made, FIRST, 103, "a", "b")


def test_heads_move_until_the_tenant_they_move_for_is_full() -> None:
    """Not only until it has half of its share: each beginning costs a seek."""
    made = lanes()
    note(made, FIRST, "a", "a", "b")
    assert starving(made, FIRST, 100, "a", "b")
    assert made.starving(FIRST, 101, "a", lambda _: False, lambda _: False)
    assert not made.starving(FIRST, 101, "a", lambda _: False, lambda _: True)


def test_what_is_in_the_way_moves_to_the_lane_that_is_free() -> None:
    """So two tenants that met are parted for good; with others on both lanes it goes to the end of its own."""
    made = lanes()
    note(made, FIRST, "a", "b")
    assert made.beyond(FIRST, "a") == SECOND.topic
    made.expect(SECOND.topic, 3, "a")
    note(made, SECOND, "c")
    assert made.beyond(FIRST, "b") == FIRST.topic
    note(made, BULK, "a", "b")
    assert made.beyond(BULK, "a") == BULK.topic


def test_a_partition_that_begins_anew_is_unknown() -> None:
    """Its log may be another; one of another lane is never known."""
    made = lanes()
    note(made, FIRST, "a", "b")
    made.begin_anew(FIRST, 0)
    assert not starving(made, FIRST, 0, "a", "b")
    made.begin_anew(Partition("another lane", 0), 0)
    assert made.of(Partition("another lane", 0)) is None


def copy(name: bytes) -> Received:
    """A copy that stands for a read."""
    return Received("lane", 0, 0, 0, b"t|1", b"", (("ringback_read", name),))


def test_a_copy_is_answered_as_its_read_has_answered() -> None:
    """Each record of the step by its own answer, however often it comes; before the end there is none."""
    reads = DetachedReads()
    first, second = reads.begin(b"t|1", 2)
    assert reads.goes_on(b"t|1")
    assert reads.answer(copy(first)) is None
    reads.ended(b"t|1", [Emit(), Reject(Reason.NOT_FOUND)])
    assert not reads.goes_on(b"t|1")
    assert [reads.answer(copy(name)) for name in (first, second, first)] == [Emit(), Reject(Reason.NOT_FOUND), Emit()]
    assert reads.answer(Received("lane", 0, 0, 0, b"t|1", b"")) is None
    assert reads.answer(Received("lane", 0, 0, 0, b"t|2", b"", (("ringback_read", first),))) is None


def test_a_read_that_fails_answers_nothing_and_so_does_another_process() -> None:
    """Their copies are requests like any other."""
    reads = DetachedReads()
    (failed,) = reads.begin(b"t|1", 1)
    reads.ended(b"t|1")
    (elsewhere,) = DetachedReads().begin(b"t|2", 1)
    assert reads.answer(copy(failed)) is reads.answer(copy(elsewhere)) is None
