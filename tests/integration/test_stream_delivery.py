"""What the object that commits promises, on a real Kafka."""

import asyncio
import secrets
from collections import Counter

import pytest
from ringback_common.errors import Transient
from ringback_common.metrics import catalogue
from ringback_common.outcomes import Accounting, Drop, Emit, Message, Outcome, Reason, Received, Reject
from ringback_events.topics import (
    FETCH,
    FETCH_BULK,
    INTERNAL_DEAD_LETTERS,
    RECORDS,
)
from ringback_local.kafka import Broker
from ringback_stream.flows import BatchedFlow, BatchLimits, KeyedFlow
from ringback_testing import dump_topic, eventually
from ringback_testing.fetch_lanes import LANES, NEEDED, fetch, given_up, keyed
from ringback_testing.fixtures import MakeTopics
from ringback_testing.records import Record
from ringback_testing.streaming import Recorder, committed, producing, running, send_all, settings_for

pytestmark = pytest.mark.integration


def done(_: Received) -> Outcome:
    """Satisfied, nothing to write."""
    return Emit()


async def test_records_of_a_key_run_in_order_and_what_waits_is_coalesced(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """While a key's first record runs the others wait, and are handed over together, in order."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    step = Recorder(done)
    step.gate.clear()
    async with running(settings, keyed(step)) as flow:
        await send_all(settings, [fetch("t|call", str(number).encode()) for number in range(6)])
        await eventually(lambda: step.groups)
        await eventually(lambda: flow.stream.status)
        await asyncio.sleep(0.3)  # the rest arrives meanwhile: nothing observable says so from outside
        assert len(step.groups) == 1
        step.gate.set()
        await eventually(lambda: len(step.seen) == 6)
    assert [record.value for record in step.seen] == [str(number).encode() for number in range(6)]
    assert len(step.groups) <= 3


async def test_nothing_is_committed_above_the_lowest_unfinished(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """Fifty finished records above a running one move no offset; when it ends, all do."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    gate = asyncio.Event()
    seen: list[bytes | None] = []

    async def step(records: list[Received]) -> list[Outcome]:
        if records[0].key == b"t|slow":
            await gate.wait()
        seen.extend(record.key for record in records)
        return [Emit()] * len(records)

    flow = keyed(step)
    async with running(settings, flow):
        await send_all(settings, [fetch("t|slow"), *(fetch(f"t|{number}") for number in range(50))])
        await eventually(lambda: len(seen) == 50)
        await asyncio.sleep(0.6)  # three commit intervals: whatever would be committed is
        assert await committed(settings, flow.group, FETCH.name) == {}
        gate.set()

        async def all_committed() -> bool:
            return sum((await committed(settings, flow.group, FETCH.name)).values()) == 51

        await eventually(all_committed)


async def test_a_stop_finishes_what_runs_and_repeats_nothing(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """SIGTERM in the middle of a backlog: the next process continues where this one ended, 0 repeats, 0 lost."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)

    async def answer(records: list[Received]) -> list[Outcome]:
        await asyncio.sleep(0.005)
        places.extend((record.partition, record.offset) for record in records)
        return [Emit()] * len(records)

    places: list[tuple[int, int]] = []
    flow = keyed(answer)
    async with producing(settings) as producer:
        await asyncio.gather(*(producer.send(fetch(f"t{number % 40}|{number}")) for number in range(1500)))
    async with running(settings, flow) as first:
        await eventually(lambda: len(places) > 200)
        await first.finish()
    assert len(places) < 1500
    async with running(settings, flow):
        await eventually(lambda: len(set(places)) == 1500)
    assert Counter(places).most_common(1)[0][1] == 1


async def test_two_members_share_and_a_rebalance_repeats_nothing_and_loses_nothing(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """A second member joins in the middle and leaves again; a clean hand-over costs no record."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    places: list[tuple[int, int]] = []
    busy: Counter[bytes] = Counter()
    members: list[set[int]] = [set(), set()]

    def member(number: int) -> object:
        async def step(records: list[Received]) -> list[Outcome]:
            key = records[0].key or b""
            busy[key] += 1
            assert busy[key] == 1
            await asyncio.sleep(0.05)
            busy[key] -= 1
            members[number].add(records[0].partition)
            places.extend((record.partition, record.offset) for record in records)
            return [Emit()] * len(records)

        return step

    flow = keyed(member(0))
    other = KeyedFlow(flow.group, LANES, member(1), given_up)  # pyright: ignore[reportArgumentType]
    async with producing(settings) as producer, running(settings, flow):
        sending = asyncio.gather(*(producer.send(fetch(f"t{number % 60}|{number}")) for number in range(4000)))
        await eventually(lambda: len(places) > 100)
        async with running(settings, other):
            await eventually(lambda: members[1])
        await sending
        await eventually(lambda: len(set(places)) == 4000, timeout=40)
    assert Counter(places).most_common(1)[0][1] == 1


async def test_poison_goes_to_the_dead_letters_byte_for_byte_and_neighbours_survive(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """Undecodable value and headers no library likes: the record is refused whole, those around it are served."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    poison = b"\x00\xff not json"
    hostile = (("ce_id", b"\xff\xfe"), ("ce_id", b"twice"), ("traceparent", b"00-zz"), ("ringback_due", b"x " * 250))

    def answer(record: Received) -> Outcome:
        return Reject(Reason.UNDECODABLE, "JSONDecodeError") if record.value == poison else Emit()

    step = Recorder(answer)
    flow = keyed(step)
    async with running(settings, flow):
        await send_all(
            settings, [fetch("t|a"), fetch("t|sick", poison, headers=hostile), fetch("t|b", headers=hostile)]
        )
        letters = await eventually(lambda: dump_topic(kafka.bootstrap_servers, topics[INTERNAL_DEAD_LETTERS.name]))
    assert {record.key for record in step.seen} == {b"t|a", b"t|sick", b"t|b"}
    (letter,) = letters
    assert (letter.key, letter.value) == (b"t|sick", poison)
    assert tuple(letter.headers)[:4] == hostile
    assert dict(letter.headers)["ringback_dlq_reason"] == b"undecodable"
    assert dict(letter.headers)["ringback_dlq_topic"] == FETCH.name.encode()
    assert sum((await committed(settings, flow.group, FETCH.name)).values()) == 3


async def test_a_refused_batch_costs_its_record_only_and_the_partition_goes_on(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """What the broker refuses makes the request `too_large`; the next record of the same partition is published."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    huge = secrets.token_bytes(9 * 1024 * 1024)  # random: zstd cannot make it fit into 8 MiB

    def answer(record: Received) -> Outcome:
        value = huge if record.value == b"huge" else b"small"
        return Emit(((Message(RECORDS.name, b"t|same-partition", value),),))

    reported: list[Outcome] = []
    async with running(settings, keyed(Recorder(answer), on_applied=reported.extend)):
        await send_all(settings, [fetch("t|1", b"huge"), fetch("t|2"), fetch("t|3")])
        letters = await eventually(lambda: dump_topic(kafka.bootstrap_servers, topics[INTERNAL_DEAD_LETTERS.name]))

        async def published() -> bool:
            return len(await dump_topic(kafka.bootstrap_servers, topics[RECORDS.name])) == 2

        await eventually(published)
    assert [dict(letter.headers)["ringback_dlq_reason"] for letter in letters] == [b"too_large"]
    assert letters[0].key == b"t|1"
    assert sorted(type(outcome).__name__ for outcome in reported) == ["Emit", "Emit", "Reject"]


async def test_a_step_cancelled_before_its_acknowledgement_is_never_told_as_settled(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while it cannot be published; redelivered, it is counted once after the publication is there."""
    monkeypatch.setattr("ringback_stream.consume.consumer.DRAIN_WITHIN", 0.5)
    topics = await make_topics(*(name for name in NEEDED if name != RECORDS.name))
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    reported: list[Outcome] = []
    step = Recorder(lambda _: Emit(((Message(RECORDS.name, b"t|1", b"whole"),),)))
    flow = keyed(step, on_applied=reported.extend)
    await send_all(settings, [fetch("t|1")])
    async with running(settings, flow):
        await eventually(lambda: step.seen)
    assert reported == []
    topics |= await make_topics(RECORDS.name)
    async with running(settings, flow):
        await eventually(lambda: reported)
    assert len(step.seen) == 2
    assert [record.value for record in await dump_topic(kafka.bootstrap_servers, topics[RECORDS.name])][-1] == b"whole"


async def test_stages_are_acknowledged_one_after_the_other(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """A later stage is stamped by the broker no earlier than all of the stage before."""
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    first = tuple(Message(RECORDS.name, f"t|{number}".encode(), b"1") for number in range(50))
    second = (Message(FETCH_BULK.name, b"t|x", b"2"),)
    async with producing(settings) as producer:
        await producer.stages((first, second))
    ones = await dump_topic(kafka.bootstrap_servers, topics[RECORDS.name])
    (two,) = await dump_topic(kafka.bootstrap_servers, topics[FETCH_BULK.name])
    assert len(ones) == 50
    assert max(record.timestamp for record in ones) <= two.timestamp


@pytest.mark.parametrize("kind", [KeyedFlow, BatchedFlow])
async def test_too_many_rejects_halt_until_the_entry_is_lifted(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics, kind: type[KeyedFlow | BatchedFlow]
) -> None:
    """After 20 rejects the group is left, the process is not ready, a restart stays out, and a lift resumes.

    Also where all 300 were one batch: what is no dead letter is given again, whole.
    """
    topics = await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    bad = True

    def answer(record: Received) -> Outcome:
        return Reject(Reason.SCHEMA_INVALID) if bad else Emit()

    step = Recorder(answer)
    flow = keyed(step) if kind is KeyedFlow else BatchedFlow(f"g-{secrets.token_hex(4)}", (FETCH,), step)
    await send_all(settings, [fetch(f"t|{number}") for number in range(300)])
    async with running(settings, flow, joined=False) as process:
        await eventually(lambda: process.stream.control.get("halt", "fetch"))
        await eventually(lambda: "halted" in str(process.health.failing_ready()))
        assert not process.task.done()
    letters = await dump_topic(kafka.bootstrap_servers, topics[INTERNAL_DEAD_LETTERS.name])
    assert 20 <= len(letters) < 20 + 64 + 16
    seen = len(step.seen)
    bad = False
    async with running(settings, flow, joined=False) as process:
        assert "halted" in str(await eventually(lambda: process.health.failing_ready().get(flow.group)))
        await asyncio.sleep(0.5)
        assert len(step.seen) == seen
        await process.stream.control.lift("halt", "fetch")
        refused = {_offset(letter) for letter in letters}
        await eventually(lambda: {offset for _, _, offset in step.places()[seen:]} | refused == set(range(300)))
    assert len(letters) == len(await dump_topic(kafka.bootstrap_servers, topics[INTERNAL_DEAD_LETTERS.name]))


def _offset(letter: Record) -> int:
    return int(dict(letter.headers)["ringback_dlq_offset"])


async def test_the_batched_runner_repeats_a_failed_batch_and_the_balance_holds(
    kafka: Broker, topic_prefix: str, make_topics: MakeTopics
) -> None:
    """A store that is away for a moment loses nothing; received = satisfied + dropped + dead-lettered + in hand."""
    await make_topics(*NEEDED)
    settings = settings_for(kafka.bootstrap_servers, topic_prefix)
    batches: list[int] = []

    def outcome(record: Received) -> Outcome:
        number = int(record.value or b"0")
        if number % 100 == 7:
            return Reject(Reason.STORE_REFUSED, "23502")
        if number % 100 == 8:
            return Drop(Reason.TOO_OLD)
        return Emit(accounting=Accounting.DEFERRED, reason=Reason.NOT_FOUND) if number % 100 == 9 else Emit()

    async def step(records: list[Received]) -> list[Outcome]:
        batches.append(len(records))
        if len(batches) in {1, 3}:
            raise Transient("the store is away")
        return [outcome(record) for record in records]

    group = f"g-{secrets.token_hex(4)}"
    limits = BatchLimits(records=100, retry_first=0.05)
    async with running(settings, BatchedFlow(group, (FETCH,), step, limits), name="store"):  # pyright: ignore[reportArgumentType]
        async with producing(settings) as producer:
            await asyncio.gather(*(producer.send(fetch(f"t{n % 9}|{n}", str(n).encode())) for n in range(1000)))

        def finished() -> dict[str, float]:
            return {outcome: _metric("finished_total", group, outcome=outcome) for outcome in OUTCOMES}

        await eventually(lambda: sum(finished().values()) == 1000)
        assert finished() == {"satisfied": 970, "deferred": 10, "dropped": 10, "dead_lettered": 10}
        assert _metric("received_total", group) == 1000
        assert _metric("in_hand", group) == 0
    assert max(batches) <= 100
    assert sum((await committed(settings, group, FETCH.name)).values()) == 1000


OUTCOMES = ("satisfied", "deferred", "dropped", "dead_lettered")


def _metric(name: str, group: str, **labels: str) -> float:
    wanted = {"group": group, **labels}
    return sum(
        sample.value
        for metric in catalogue.registry.collect()
        for sample in metric.samples
        if sample.name == f"ringback_stream_{name}" and wanted.items() <= sample.labels.items()
    )
