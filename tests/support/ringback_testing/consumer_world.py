"""One process with a keyed flow on a Kafka in memory and a virtual clock: the world of the consumer's model test."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from aiokafka import TopicPartition
from ringback_common.errors import Throttled, Transient
from ringback_common.outcomes import Drop, Emit, Message, Outcome, Reason, Received, Reject
from ringback_common.scopes import Scope
from ringback_common.settings import KafkaSettings
from ringback_events.topics import FETCH, FETCH_ASIDE, FETCH_ASIDES, FETCH_BULK, FETCH_RETRY_2M, FETCH_RETRY_60M
from ringback_stream.aside.deadlines import AsideTargets
from ringback_stream.aside.lanes import AsideLanes
from ringback_stream.aside.policy import AsidePolicy
from ringback_stream.aside.writer import AsideWriter
from ringback_stream.consume.assignment import Assignment
from ringback_stream.consume.consumer import Consumer
from ringback_stream.consume.keyed_runner import KeyedRunner
from ringback_stream.consume.outcome_handler import OutcomeHandler
from ringback_stream.consume.ownership import Ownership
from ringback_stream.flows import Aside, Caps, KeyedFlow, Lane, LaneKind

from ringback_testing.kafka_in_memory import GroupInMemory, LogInMemory, ProducerInMemory
from ringback_testing.virtual_time import VirtualClock

__all__ = ["ANSWERS", "CAPS", "KEYS", "PLACES", "WITHIN", "Step", "World", "effect_of", "name_of"]

PLACES = tuple(
    TopicPartition(topic.name, number)
    for topic in (FETCH, FETCH_BULK, FETCH_RETRY_2M, FETCH_ASIDE)
    for number in range(2)
)
CAPS = Caps(
    in_flight=3,
    in_flight_per_tenant=2,
    in_flight_bulk=1,
    in_flight_bulk_per_tenant=1,
    largest_share=4,
    least_share=2,
    records_per_key=3,
)
WITHIN = 5.0
KEYS = tuple(f"{tenant}|{call}".encode() for tenant in "abc" for call in range(5))
ANSWERS = ("publish", "publish", "drop", "nothing", "reject", "transient", "throttled")
REFUSALS = {"reject": Reject(Reason.NOT_FOUND), "drop": Drop(Reason.TOO_OLD), "nothing": Emit()}


class Step:
    """A step under way: what it was given, and the answer it waits for."""

    def __init__(self, records: Sequence[Received]) -> None:
        self.records = records
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.is_cancelled = False
        self.is_bulk = all(record.topic == FETCH_BULK.name for record in records)

    @property
    def key(self) -> bytes:
        """Of all its records."""
        return self.records[0].key or b""

    @property
    def tenant(self) -> str:
        """Whose call it is."""
        return self.key.decode().partition("|")[0]


def name_of(record: Received) -> str:
    """As `Entry.name`."""
    return f"{record.topic}|{record.partition}|{record.offset}|{record.timestamp_ms}"


def effect_of(*records: Received, topic: str = FETCH_RETRY_60M.name) -> Message:
    """A message that says whose effect it is."""
    return Message(topic, records[0].key or b"", b"", (("of", ",".join(map(name_of, records)).encode()),))


class World:
    """One process with its flow; made inside the loop."""

    def __init__(self, log: LogInMemory, clock: VirtualClock) -> None:
        self.log, self.clock = log, clock
        self.steps: list[Step] = []
        self.paused_tenants: set[bytes] = set()
        self.held_until: dict[str, float] = {}
        self.at_once: Iterator[str] | None = None
        """While set, what each step answers as soon as it begins."""
        self.group, self.producer = GroupInMemory(log), ProducerInMemory(log)
        aside = Aside(
            topics=FETCH_ASIDES,
            move=lambda record, topic: Emit(((effect_of(record, topic=topic),),)),
            slow=lambda record, _: Emit(((effect_of(record),),)),
            busy=lambda record, _: Emit(((effect_of(record),),)),
            is_paused=lambda tenant: tenant.encode() in self.paused_tenants,
            may_ask=lambda record: (record.key or b"").partition(b"|")[0] not in self.paused_tenants,
            quota=lambda _: 1000,
            within=WITHIN,
        )
        flow = KeyedFlow(
            group="model",
            lanes=(
                Lane(FETCH),
                Lane(FETCH_BULK, LaneKind.BULK),
                Lane(FETCH_RETRY_2M, LaneKind.RETRY),
                Lane(FETCH_ASIDE, LaneKind.ASIDE),
            ),
            step=self._step,
            on_exhausted=lambda record, _: Emit(((effect_of(record),),)),
            aside=aside,
            caps=CAPS,
            key_interval=0.5,
        )
        kafka = KafkaSettings(bootstrap_servers="nowhere:1")
        self.assignment = Assignment("model", clock, str, lambda: self.consumer.lost(), Ownership(clock))  # noqa: PLW0108 - it is made below
        producer: Any = self.producer
        outcome_handler = OutcomeHandler(producer, "model", "model", self.assignment.finish)
        self.writer = AsideWriter(outcome_handler, clock)
        lanes = AsideLanes(FETCH_ASIDES, [FETCH_BULK])
        self.putting = AsideTargets(aside, lanes, self.writer)
        self.runner = KeyedRunner(flow, outcome_handler, clock, self.assignment.trackers.is_out_of_order, self.putting)
        policy = AsidePolicy(aside, self.runner, lanes, self.writer, clock)
        self.consumer = Consumer(kafka, flow, self.runner, policy, self.assignment, clock)
        client: Any = self.group
        self.consumer._subscriber.consumer = client
        self.background = [
            asyncio.ensure_future(coroutine)
            for coroutine in (
                self.runner.run(),
                self.writer.run(),
                self.assignment.keep_committing(lambda: client),
                self._let_in(),
            )
        ]

    async def _let_in(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            self.consumer.gate.look_again(self.group)

    async def _step(self, records: Sequence[Received]) -> Sequence[Outcome]:
        step = Step(records)
        self.steps.append(step)
        if self.at_once is not None:
            step.answer.set_result(next(self.at_once))
        self._check_slots()
        assert self.clock.monotonic() >= self.held_until.get(step.tenant, 0.0), "inside a Retry-After"
        try:
            return self._outcomes(step, await step.answer)
        except asyncio.CancelledError:
            step.is_cancelled = True
            raise
        finally:
            self.steps.remove(step)

    def _check_slots(self) -> None:
        live = [step for step in self.steps if not step.is_bulk]
        tenants = [step.key.partition(b"|")[0] for step in live]
        assert len({step.key for step in self.steps}) == len(self.steps), "two steps of one key"
        assert len(self.steps) - len(live) <= CAPS.in_flight_bulk
        assert len(self.steps) <= CAPS.in_flight + CAPS.in_flight_bulk
        most = CAPS.in_flight_per_tenant + CAPS.in_flight_bulk_per_tenant  # a slow read goes on in a slot of bulk's
        assert all(tenants.count(tenant) <= most for tenant in tenants)

    def _outcomes(self, step: Step, answer: str) -> Sequence[Outcome]:
        others = len(step.records) - 1
        if answer == "transient":
            raise Transient("later")
        if answer == "throttled":
            self.held_until[step.tenant] = self.clock.monotonic() + 3.0
            raise Throttled(Scope.tenant(step.tenant), 3.0)
        if answer == "publish":
            message = effect_of(*step.records, topic=FETCH.name)
            return [Emit(((message,),)), *[Emit()] * others]
        if answer != "reject":  # to be counted is all the effect there is
            self.log.done.update(map(name_of, step.records))
        return [REFUSALS[answer]] * (others + 1)
