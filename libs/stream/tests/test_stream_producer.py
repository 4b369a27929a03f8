"""The producer when the broker refuses a batch: what is repeated alone takes few connections."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from ringback_common.outcomes import Message
from ringback_common.settings import KafkaSettings
from ringback_stream.publish import producer
from ringback_stream.publish.producer import MessageTooLarge, Producer


class _Client:
    """A client of a broker that refuses every batch of two or more messages, and the value `large` in any batch."""

    open: ClassVar[int] = 0
    most_open: ClassVar[int] = 0
    taken: ClassVar[list[bytes | None]] = []

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
        _Client.taken.append(message.value)


@pytest.fixture
async def refusing(monkeypatch: pytest.MonkeyPatch) -> Producer:
    """A started producer."""
    monkeypatch.setattr(producer, "Client", _Client)
    monkeypatch.setattr(_Client, "open", 0)
    monkeypatch.setattr(_Client, "most_open", 0)
    monkeypatch.setattr(_Client, "taken", [])
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
