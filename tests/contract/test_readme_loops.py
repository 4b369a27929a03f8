"""The loops of the consumer kit's README beside Kafka's edge in memory: a rebalance begins when it would hurt most."""

import asyncio
import inspect
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from ringback_testing.kit_readme import blocks
from ringback_testing.records import Record

pytestmark = [pytest.mark.contract, pytest.mark.timeout(60)]

EXAMPLES = Path(__file__).parents[2] / "contracts" / "examples"
PLACE = TopicPartition("callrecords.open.sessions.v1", 7)
OTHER = PLACE._replace(partition=8)
SESSION = (EXAMPLES / "session" / "peer-to-peer-0.json").read_bytes()
MARKER = (EXAMPLES / "sessions-completed" / "peer-to-peer.json").read_bytes()
CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
LOOPS = ["read_with_aiokafka", "read_with_faststream"]

Headers = Sequence[tuple[str, bytes | None]]
Batch = Mapping[TopicPartition, Sequence[object]]
"""What a read gives, by partition: records, unless the test plants something else."""


class Consumer:
    """A group's member in memory: gives batch after batch, then ends the process in order.

    Args:
        batches: what each read gives.
        revoked: by the number of a batch, the partition that is revoked as soon as anything else may run behind its
            read; the next read waits for the end of it.
    """

    def __init__(self, *batches: Batch, revoked: dict[int, TopicPartition] | None = None) -> None:
        self._batches, self._revoked = list(enumerate(batches)), revoked or {}
        self.commits: list[dict[TopicPartition, int]] = []
        self._listener: ConsumerRebalanceListener | None = None
        self._rebalance: asyncio.Future[None] | None = None

    def subscribe(self, *_topics: str, listener: ConsumerRebalanceListener, **_options: object) -> None:
        """Keep the listener of rebalances."""
        self._listener = listener

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """A rebalance that has begun ends."""
        await self._rebalanced()

    async def getmany(self, **_options: object) -> Batch:
        """The next batch, without a pause, as from records that are there already."""
        await self._rebalanced()
        if not self._batches:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0.01)
            return {}
        number, batch = self._batches.pop(0)
        if number in self._revoked and self._listener is not None:
            self._rebalance = asyncio.ensure_future(self._revoke(self._listener, {self._revoked[number]}))
        return batch

    @staticmethod
    async def _revoke(listener: ConsumerRebalanceListener, places: set[TopicPartition]) -> None:
        revoking: object = listener.on_partitions_revoked(places)
        if inspect.isawaitable(revoking):  # as aiokafka does
            await revoking

    async def _rebalanced(self) -> None:
        if self._rebalance is not None:
            await self._rebalance

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Note a commit."""
        self.commits.append(offsets)


def record(offset: int, value: bytes, place: TopicPartition = PLACE, headers: Headers = ()) -> Record:
    """A record as aiokafka gives it."""
    return ConsumerRecord(*place, offset, 0, 0, None, value, None, 0, len(value), headers)  # type: ignore[arg-type]


Run = Callable[[str, Consumer], Coroutine[Any, Any, list[str]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a loop of the README by its name until its process gets SIGTERM; returns the calls that it gave whole."""

    async def running(loop: str, consumer: Consumer) -> list[str]:
        def opened(*_topics: str, **_options: object) -> Consumer:
            return consumer

        monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", opened)
        names: dict[str, Any] = {"__name__": "documented"}
        exec(blocks(), names)  # noqa: S102 - to run the documentation is the point
        given: list[str] = []

        async def act(whole: Any) -> None:
            given.append(whole.call_id)

        await names[loop](act)
        return given

    return running


@pytest.mark.parametrize("loop", LOOPS)
async def test_a_rebalance_right_behind_the_read_waits_for_the_batch(run: Run, loop: str) -> None:
    """Whatever the framework awaits between the read and the handler: nothing is forgotten and then committed over."""
    consumer = Consumer({PLACE: [record(0, SESSION)]}, {PLACE: [record(1, MARKER)]}, revoked={1: PLACE})
    assert await run(loop, consumer) == [CALL]
    assert consumer.commits == [{PLACE: 0}, {PLACE: 2}]


@pytest.mark.parametrize("loop", LOOPS)
async def test_what_an_incremental_rebalance_leaves_is_read_on(run: Run, loop: str) -> None:
    """Another partition is revoked while this one waits for its marker, which comes then."""
    both = {PLACE: [record(0, SESSION)], OTHER: [record(5, SESSION, OTHER)]}
    consumer = Consumer(both, {PLACE: [record(1, MARKER)]}, revoked={0: OTHER})
    assert await run(loop, consumer) == [CALL]
    assert consumer.commits == [{PLACE: 0, OTHER: 5}, {PLACE: 2}]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("value", [None, b"\xff"], ids=["null", "not UTF-8"])
async def test_a_header_that_cannot_be_decoded_costs_nothing(run: Run, loop: str, value: bytes | None) -> None:
    """Its batch is neither passed over nor does it stand still: the kit reads no header."""
    headers = [("ce_id", b"1"), ("x", value)]
    consumer = Consumer({PLACE: [record(0, SESSION, headers=headers)]}, {PLACE: [record(1, MARKER, headers=headers)]})
    assert await run(loop, consumer) == [CALL]
    assert consumer.commits == [{PLACE: 0}, {PLACE: 2}]


@pytest.mark.parametrize("loop", LOOPS)
async def test_what_fails_before_the_handler_ends_the_process_before_the_commit(run: Run, loop: str) -> None:
    """A batch that the framework itself cannot take apart is not logged and committed over by the next."""
    consumer = Consumer({PLACE: [record(0, SESSION)]}, {PLACE: ["no record"]}, {PLACE: [record(2, MARKER)]})
    with pytest.raises((AttributeError, TypeError)):
        await run(loop, consumer)
    assert consumer.commits == [{PLACE: 0}]
