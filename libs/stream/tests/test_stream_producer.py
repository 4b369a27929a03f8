"""The producer when the broker refuses a batch, or answers a write with what may pass."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import pytest
from aiokafka.errors import (
    CorruptRecordException,
    InvalidRequiredAcksError,
    KafkaError,
    ListenerNotFound,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ReplicaNotAvailableError,
    StaleLeaderEpochCodeError,
    TopicAuthorizationFailedError,
    UnknownError,
)
from ringback_common.errors import ConfigError, Transient
from ringback_common.outcomes import Message
from ringback_common.settings import KafkaSettings
from ringback_stream.publish import producer
from ringback_stream.publish.producer import MessageTooLarge, Producer


class _Client:
    """A client of a broker that refuses every batch of two or more messages, and the value `large` in any batch.

    Once it has answered a message with the failure that is to come, it takes the next.
    """

    open: ClassVar[int] = 0
    most_open: ClassVar[int] = 0
    taken: ClassVar[list[bytes | None]] = []
    to_come: ClassVar[list[KafkaError]] = []

    def __init__(self, _: KafkaSettings) -> None:
        self._together: list[Message] = []

    async def start(self) -> None:
        """Connect."""
        _Client.open += 1
        _Client.most_open = max(_Client.most_open, _Client.open)
        await asyncio.sleep(0)

    async def retire(self) -> None:
        """Disconnect."""
        _Client.open -= 1

    async def deliver(self, message: Message) -> None:
        """Take a message that comes alone."""
        self._together.append(message)
        await asyncio.sleep(0.001)
        if len(self._together) > 1 or message.value == b"large":
            raise MessageSizeTooLargeError
        if _Client.to_come:
            raise _Client.to_come.pop()
        _Client.taken.append(message.value)


@pytest.fixture
async def refusing(monkeypatch: pytest.MonkeyPatch) -> Producer:
    """A started producer."""
    monkeypatch.setattr(producer, "Client", _Client)
    monkeypatch.setattr(_Client, "open", 0)
    monkeypatch.setattr(_Client, "most_open", 0)
    monkeypatch.setattr(_Client, "taken", [])
    monkeypatch.setattr(_Client, "to_come", [])
    made = Producer(KafkaSettings(bootstrap_servers="nowhere:1"))
    await made.start()
    return made


def _messages(*values: bytes) -> Sequence[Message]:
    return [Message("topic", b"key", value) for value in values]


async def test_a_refused_batch_is_repeated_message_by_message_over_one_connection(refusing: Producer) -> None:
    """At most three clients are open at once: the refused one, its successor, and one for the message in turn."""
    await refusing.stages([_messages(*[b"small"] * 200)])
    assert _Client.most_open <= 3
    assert _Client.taken == [b"small"] * 200
    await refusing.stop()
    assert _Client.open == 0


async def test_what_is_refused_alone_is_too_large_and_the_others_are_written(refusing: Producer) -> None:
    """The stage fails, after its other messages were written once each."""
    with pytest.raises(MessageTooLarge):
        await refusing.stages([_messages(b"first", b"large", b"last")])
    assert _Client.taken == [b"first", b"last"]
    await refusing.stop()
    assert _Client.open == 0


PASSING = (
    UnknownError,
    CorruptRecordException,
    ReplicaNotAvailableError,
    StaleLeaderEpochCodeError,
    ListenerNotFound,
)


@pytest.mark.parametrize("failure", PASSING)
async def test_what_a_broker_in_trouble_answers_is_transient(refusing: Producer, failure: type[KafkaError]) -> None:
    """Its caller waits and writes again; it is no bug that would end the process."""
    _Client.to_come.append(failure())
    with pytest.raises(Transient, match=failure.__name__):
        await refusing.send(_messages(b"small")[0])
    await refusing.send(_messages(b"small")[0])
    assert _Client.taken == [b"small"]
    await refusing.stop()


@pytest.mark.parametrize("failure", [*PASSING, OutOfOrderSequenceNumber])
async def test_so_it_is_of_what_is_repeated_alone(refusing: Producer, failure: type[KafkaError]) -> None:
    """The messages of a refused batch: the first two are written alone, the first of them fails."""
    _Client.to_come.append(failure())
    with pytest.raises(Transient, match=failure.__name__):
        await refusing.stages([_messages(b"first", b"last")])
    assert _Client.taken == [b"last"]
    await refusing.stop()
    assert _Client.open == 0


@pytest.mark.parametrize("batched", [False, True])
async def test_a_missing_right_and_a_bug_stay_what_they_are(refusing: Producer, *, batched: bool) -> None:
    """Neither passes by itself, whether the message went with others or alone."""
    messages = _messages(*[b"small"] * (1 + batched))
    _Client.to_come.append(TopicAuthorizationFailedError())
    with pytest.raises(ConfigError):
        await refusing.stages([messages])
    _Client.to_come.append(InvalidRequiredAcksError())
    with pytest.raises(InvalidRequiredAcksError):
        await refusing.stages([messages])
    await refusing.stop()
