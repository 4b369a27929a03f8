"""What a producer of Kafka does, as functions that a writer in memory and the real one both pass."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ringback_common.outcomes import Message
from ringback_events.topics import FETCH

from ringback_testing.kafka_in_memory import OF

__all__ = ["WRITES", "Writer", "message", "name_in"]


class Writer(Protocol):
    """What the runtime writes with."""

    async def send(self, message: Message) -> None:
        """Write one message."""
        ...

    async def stages(self, stages: Sequence[Sequence[Message]]) -> None:
        """Write stage after stage."""
        ...

    async def send_together(self, messages: Sequence[Message], acked: Callable[[int], None]) -> list[int]:
        """Write many; the indices of those that were not written."""
        ...


Written = Callable[[], Awaitable[Sequence[str]]]
"""The names of the messages that were written so far, in their order."""


def message(name: str) -> Message:
    """A message that has a name; all have one key."""
    return Message(FETCH.name, b"t|c", b"{}", ((OF, name.encode()),))


def name_in(headers: Sequence[tuple[str, bytes]]) -> str:
    """The name of a message."""
    return dict(headers)[OF].decode()


async def what_was_sent_is_written(writer: Writer, written: Written) -> None:
    """As soon as `send` returns."""
    for name in ("a", "b"):
        await writer.send(message(name))
        assert name in await written()
    assert await written() == ["a", "b"]


async def a_stage_is_written_before_the_next(writer: Writer, written: Written) -> None:
    """Whatever the order within one; all of them when `stages` returns."""
    await writer.stages([[message("a"), message("b")], [message("c")], [message("d"), message("e")]])
    found = await written()
    assert [sorted(found[:2]), found[2], sorted(found[3:])] == [["a", "b"], "c", ["d", "e"]]


async def what_was_written_together_is_acknowledged_by_its_place(writer: Writer, written: Written) -> None:
    """Each once, and none comes back."""
    acked: list[int] = []
    assert await writer.send_together([message(name) for name in "abc"], acked.append) == []
    assert sorted(acked) == [0, 1, 2]
    assert await written() == ["a", "b", "c"]


WRITES: Sequence[Callable[[Writer, Written], Awaitable[None]]] = (
    what_was_sent_is_written,
    a_stage_is_written_before_the_next,
    what_was_written_together_is_acknowledged_by_its_place,
)
"""Each is a test of a writer to a topic that is empty."""
