"""How a dead letter is named, and what is said when Kafka does not give it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ringback_cli import dead_letters
from ringback_cli.dead_letters import show_one
from ringback_common.errors import ConfigError, Transient
from ringback_events.topics import INTERNAL_DEAD_LETTERS, RECORDS
from ringback_stream.shared.read_stalled import ReadStalled


@pytest.mark.parametrize(
    "where",
    ["", "7", f"{INTERNAL_DEAD_LETTERS.name}/0", f"{INTERNAL_DEAD_LETTERS.name}/0/\u00b2", f"{RECORDS.name}/0/0"],
    ids=["nothing", "a number", "no offset", "no digit", "another topic"],
)
def test_what_is_no_dead_letter_is_not_read(where: str) -> None:
    """A typing mistake ends in a sentence; a topic of people's records cannot be read this way."""
    with pytest.raises(ConfigError, match="topic/partition/offset"):
        show_one(where)


class Silent:
    """A consumer that knows its partition and gets nothing more."""

    def assign(self, partitions: Sequence[Any]) -> None:
        """Take it."""

    def seek(self, partition: Any, offset: int) -> None:
        """Go there."""

    async def beginning_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        """From the first."""
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        """To the tenth."""
        return dict.fromkeys(partitions, 10)

    async def getone(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


def test_a_letter_that_kafka_does_not_give_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka went away between the look at the partition and the letter: aiokafka would wait for ever."""

    @asynccontextmanager
    async def connected(_kafka: Any) -> AsyncGenerator[Silent]:
        yield Silent()

    monkeypatch.setattr(dead_letters, "connected", connected)
    monkeypatch.setattr(ReadStalled, "SECONDS", 0.1)
    monkeypatch.setenv("RINGBACK_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("RINGBACK_PROFILE", "dev")
    with pytest.raises(Transient, match="Try again when it answers"):
        show_one(f"{INTERNAL_DEAD_LETTERS.name}/0/3")
