"""The queue of keys: one at a time per key, fair to tenants, nothing lost, nothing before its time."""

from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as st
from ringback_common.outcomes import Received
from ringback_stream.consume.key_queue import Item, KeyQueue, TakenBack, Work
from ringback_stream.consume.offsets import Ticket
from ringback_stream.consume.partitions import Partition
from ringback_stream.flows import Caps, LaneKind

TOPIC = "callrecords.internal.fetch.v1"


def item(key: str, offset: int, kind: LaneKind = LaneKind.LIVE, arrived: float = 0.0) -> Item:
    """One record in hand."""
    received = Received(TOPIC, 0, offset, 0, key.encode(), b"")
    return Item(Ticket(Partition(TOPIC, 0), offset, 1), received, kind, arrived)


def queue(interval: float = 0.0, **caps: int) -> KeyQueue:
    """A queue with these caps."""
    return KeyQueue(Caps(**caps), interval)


def offsets(work: Work | None) -> list[int]:
    """The offsets of a work's records."""
    return [] if work is None else [each.ticket.offset for each in work.items]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_interleaving_serves_every_record_once_and_a_key_one_at_a_time(  # noqa: C901 - one branch per action
    data: st.DataObject,
) -> None:
    """Offer, start, finish, retry and hold in any order: all are finished once, in order within their key."""
    waiting = queue(in_flight=3, in_flight_per_tenant=2, in_flight_bulk=1)
    now, offset = 0.0, 0
    running: list[Work] = []
    done: dict[bytes, list[int]] = {}
    for action in data.draw(
        st.lists(st.sampled_from(["offer", "next", "finish", "again", "hold", "tick"]), max_size=60)
    ):
        if action == "offer":
            key = data.draw(st.sampled_from(["a|1", "a|2", "b|1", "c|1"]))
            waiting.offer(item(key, offset, data.draw(st.sampled_from(LaneKind)), now), now)
            offset += 1
        elif action == "next" and (work := waiting.next(now)) is not None:
            assert work.key not in {other.key for other in running}
            assert sum(other.tenant == work.tenant for other in running) < 2
            running.append(work)
        elif action in {"finish", "again"} and running:
            work = running.pop(data.draw(st.integers(0, len(running) - 1)))
            if action == "finish":
                done.setdefault(work.key, []).extend(offsets(work))
                waiting.finish(work, now)
            else:
                waiting.again(work, now, now + 1.0)
        elif action == "hold":
            waiting.hold("a", now, 2.0)
        elif action == "tick":
            now += 0.5
    for _ in range(1000):
        while (work := waiting.next(now)) is not None:
            running.append(work)
        for work in running:
            done.setdefault(work.key, []).extend(offsets(work))
            waiting.finish(work, now)
        running.clear()
        now += 0.5
    assert sorted(chain.from_iterable(done.values())) == list(range(offset))
    assert all(taken == sorted(taken) for taken in done.values())


def test_waiting_records_of_a_key_share_the_next_step() -> None:
    """What comes while a key runs waits, and is handed over together."""
    waiting = queue()
    waiting.offer(item("t|1", 0), 0.0)
    first = waiting.next(0.0)
    for offset in (1, 2, 3):
        waiting.offer(item("t|1", offset), 0.0)
    assert first is not None
    assert waiting.next(0.0) is None
    waiting.finish(first, 0.0)
    assert offsets(waiting.next(0.0)) == [1, 2, 3]


def test_the_key_of_the_oldest_record_is_known_by_what_it_waits_for() -> None:
    """A slot, or its tenant's time; what runs waits for nothing."""
    waiting = queue(in_flight=1)
    for name, arrived in (("t|runs", 1.0), ("t|young", 3.0), ("t|old", 2.0), ("held|c", 1.5)):
        waiting.offer(item(name, 0, arrived=arrived), arrived)
    waiting.begin(b"t|runs", 3.0)
    waiting.hold("held", 3.0, 97.0)
    assert [waiting.oldest_key(why, 4.0) for why in ("ready", "tenant", "record")] == [b"t|old", b"held|c", b""]


def test_live_goes_before_bulk_and_bulk_has_slots_of_its_own() -> None:
    """A full bulk lane takes no live slot, and a full live lane no bulk slot."""
    waiting = queue(in_flight=2, in_flight_bulk=1)
    for number in range(4):
        waiting.offer(item(f"t|bulk{number}", number, LaneKind.BULK), 0.0)
    for number in range(4):
        waiting.offer(item(f"t|live{number}", 10 + number), 0.0)
    started = [waiting.next(0.0) for _ in range(4)]
    assert [work.kind if work else None for work in started] == [LaneKind.LIVE, LaneKind.LIVE, LaneKind.BULK, None]


def test_a_live_record_lifts_its_key_out_of_the_bulk_line() -> None:
    """The key of a waiting bulk record runs as live once a live record of it comes."""
    waiting = queue(in_flight_bulk=0)
    waiting.offer(item("t|1", 0, LaneKind.BULK), 0.0)
    assert waiting.next(0.0) is None
    waiting.offer(item("t|1", 1), 0.0)
    work = waiting.next(0.0)
    assert offsets(work) == [0, 1]
    assert work is not None
    assert work.kind is LaneKind.LIVE


def test_tenants_take_turns() -> None:
    """A tenant with a long line does not make another one wait behind it."""
    waiting = queue(in_flight=10)
    for number in range(5):
        waiting.offer(item(f"big|{number}", number), 0.0)
    waiting.offer(item("small|1", 9), 0.0)
    started = [waiting.next(0.0) for _ in range(2)]
    assert {work.tenant for work in started if work} == {"big", "small"}


def test_one_tenant_leaves_slots_for_others() -> None:
    """A tenant whose calls hang holds only its share."""
    waiting = queue(in_flight=3, in_flight_per_tenant=2)
    for number in range(5):
        waiting.offer(item(f"sick|{number}", number), 0.0)
    while waiting.next(0.0) is not None:
        pass
    waiting.offer(item("well|1", 9), 0.0)
    assert offsets(waiting.next(0.0)) == [9]


def test_a_held_tenant_waits_exactly_as_long_as_told_and_others_go_on() -> None:
    """Nothing of the tenant starts before, everything may after."""
    waiting = queue()
    waiting.offer(item("sick|1", 0), 0.0)
    waiting.offer(item("well|1", 1), 0.0)
    waiting.hold("sick", 0.0, 7.0)
    assert offsets(waiting.next(0.0)) == [1]
    assert waiting.next(6.99) is None
    assert waiting.next_change(0.0) == 7.0
    assert offsets(waiting.next(7.0)) == [0]


def test_what_has_ended_by_the_time_of_the_last_look_is_no_change_to_wait_for() -> None:
    """It may start already; a step that ends later is reported, even if it has ended before the wait for it begins."""
    waiting = queue()
    waiting.offer(item("sick|1", 0), 0.0)
    waiting.hold("sick", 0.0, 7.0)
    assert waiting.next(6.9999) is None
    assert waiting.next_change(6.9999) == 7.0
    assert offsets(waiting.next(7.0)) == [0]
    assert waiting.next_change(7.0) is None


def test_bulk_records_of_a_held_tenant_keep_no_slot_from_others() -> None:
    """Whether they still wait or were put aside meanwhile."""
    waiting = queue(in_flight_bulk=2, in_flight_bulk_per_tenant=2)
    given = [item(f"held|{number}", number, LaneKind.BULK) for number in range(2)]
    for each in given:
        assert waiting.has_bulk_slot("held")
        waiting.offer(each, 0.0)
    assert not waiting.has_bulk_slot("other")
    waiting.hold("held", 0.0, 30.0)
    assert waiting.has_bulk_slot("other")
    for each in given:
        waiting.take_back(each)
    assert waiting.has_bulk_slot("held")


def test_what_waits_is_taken_back_with_all_of_its_key_and_how_often_it_failed() -> None:
    """Nothing of it is left in hand; a record that runs cannot be taken back."""
    waiting = queue()
    first, second = item("a|1", 0), item("a|1", 1)
    waiting.offer(first, 0.0)
    waiting.offer(item("a|2", 2), 0.0)
    work = waiting.next(0.0)
    assert work is not None
    assert waiting.take_back(first) == TakenBack()
    waiting.failed(work, 1.0)
    waiting.again(work, 1.0, 9.0)
    waiting.offer(second, 1.0)
    assert waiting.take_back(second) == TakenBack([first, second], 1)
    assert waiting.take_back(first) == TakenBack()
    assert waiting.in_hand("a", bulk=False) == 1
    assert offsets(waiting.next(10.0)) == [2]


def test_what_waits_behind_a_step_of_its_key_is_taken_back_alone() -> None:
    """The step goes on, and its key is in hand until it has ended."""
    waiting = queue()
    waiting.offer(item("a|1", 0), 0.0)
    work, later = waiting.next(0.0), item("a|1", 1)
    assert work is not None
    waiting.offer(later, 1.0)
    assert waiting.take_back(later) == TakenBack([later])
    assert waiting.runs(b"a|1")
    waiting.finish(work, 2.0)
    assert waiting.in_hand("a", bulk=False) == 0
    assert waiting.next(10.0) is None


def test_a_step_that_goes_on_leaves_its_slot_while_bulk_has_one() -> None:
    """The next live record begins beside it; with no slot of bulk's free it keeps its own."""
    waiting = queue(in_flight=1, in_flight_per_tenant=1, in_flight_bulk=1)
    for number in range(3):
        waiting.offer(item(f"a|{number}", number), 0.0)
    first = waiting.next(0.0)
    assert first is not None
    assert waiting.next(0.0) is None
    waiting.detach(first)
    second = waiting.next(0.0)
    assert offsets(second) == [1]
    assert second is not None
    waiting.detach(second)
    assert waiting.next(0.0) is None
    waiting.finish(first, 1.0)
    waiting.detach(second)
    assert offsets(waiting.next(1.0)) == [2]


def test_a_burst_of_one_key_becomes_two_steps() -> None:
    """With a key interval the second step waits, and gets all that came meanwhile."""
    waiting = queue(interval=1.0)
    waiting.offer(item("t|1", 0), 0.0)
    first = waiting.next(0.0)
    assert first is not None
    waiting.finish(first, 0.1)
    for number in range(1, 100):
        waiting.offer(item("t|1", number), number / 101)
    assert waiting.next(0.99) is None
    assert offsets(waiting.next(1.0)) == list(range(1, 100))


def test_a_tenants_bulk_keys_leave_room_for_its_live_ones() -> None:
    """A tenant whose bulk backlog is at its cap is full for bulk, not for live."""
    waiting = queue(keys_per_tenant=2)
    for number in range(2):
        waiting.offer(item(f"t|{number}", number, LaneKind.BULK), 0.0)
    assert waiting.tenant_is_full(item("t|new", 5).received, LaneKind.BULK)
    assert not waiting.tenant_is_full(item("t|new", 5).received, LaneKind.LIVE)
    for number in range(2):
        waiting.offer(item(f"t|{number}", 10 + number), 0.0)
    assert waiting.tenant_is_full(item("t|new", 5).received, LaneKind.LIVE)
    assert not waiting.tenant_is_full(item("t|new", 5).received, LaneKind.BULK)


def test_what_came_while_a_step_ran_is_not_given_back() -> None:
    """The step read for it, too; the process that gets it next would not know, and publish the same again."""
    waiting = queue(interval=2.0)
    waiting.offer(item("a|1", 0), 0.0)
    waiting.offer(item("a|2", 1), 0.0)
    work = waiting.next(0.0)
    assert work is not None
    waiting.offer(item("a|1", 2), 0.5)
    assert waiting.out_of_order(lambda _: False) == []
    waiting.finish(work, 1.0)
    assert waiting.out_of_order(lambda _: False) == [b"a|1"]
    assert sorted(waiting.out_of_order(lambda ticket: ticket.offset == 1)) == [b"a|1", b"a|2"]
    assert offsets(waiting.begin(b"a|1", 1.0)) == [2]
    assert waiting.out_of_order(lambda _: False) == []


def test_what_waits_behind_a_read_that_goes_on_alone_may_be_overtaken() -> None:
    """A drain does not wait for such a read; of any other step it does, and then sees what waited."""
    waiting = queue(interval=2.0)
    waiting.offer(item("a|1", 0), 0.0)
    work = waiting.next(0.0)
    assert work is not None
    waiting.detach(work)
    assert waiting.out_of_order(lambda _: True) == []
    waiting.offer(item("a|1", 2), 0.5)
    assert waiting.out_of_order(lambda _: False) == []
    assert waiting.out_of_order(lambda _: True) == [b"a|1"]
    taken = waiting.take_back(waiting.first_waiting(b"a|1"))
    assert [each.ticket.offset for each in taken.items] == [2]
