"""Reads whole sessions from all assigned partitions, with the offsets to commit; no I/O, for any Kafka client."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic_core import from_json

from ringback_events.assembler import SessionAssembler, SessionsOfVersion
from ringback_events.open import OpenSession, SessionsCompleted

__all__ = ["SessionReader", "read_session_event"]

Partition = TypeVar("Partition", bound=Hashable)


def read_session_event(value: bytes | str) -> OpenSession | SessionsCompleted:
    """Read a value of `callrecords.open.sessions.v1`, a session or the marker after them; unknown members are ignored.

    Raises:
        ValueError: the value is not JSON or breaks the contract (`pydantic.ValidationError` is a ValueError).
    """
    event: Any = from_json(value)
    model = SessionsCompleted if isinstance(event, dict) and "completed" in event else OpenSession
    return model.model_validate(event, extra="ignore")


@dataclass(slots=True)
class _Reading:
    assembler: SessionAssembler
    next_offset: int = 0


class SessionReader(Generic[Partition]):
    """One assembler for each assigned partition, made when its first record comes.

    A loop reads a batch, acts on what is whole, then commits `commits()`, and calls `forget(revoked)` when Kafka
    revokes partitions, before any of them can be assigned again. What was acted on may come once more after a rebalance
    or a kill, an older version behind a newer one included, never less: compare with `newer`, as the consumer rule
    says.

    Args:
        make: makes an assembler, for other bounds than the usual ones, which hold for each partition.
    """

    def __init__(self, make: Callable[[], SessionAssembler] = SessionAssembler) -> None:
        self._make = make
        self._reader: dict[Partition, _Reading] = {}
        self._given_up = self._short = 0

    @property
    def given_up(self) -> int:
        """Unfinished versions that a bound has ended, of all partitions so far; see `SessionAssembler`."""
        return self._given_up + sum(reading.assembler.given_up for reading in self._reader.values())

    @property
    def short(self) -> int:
        """Versions whose marker found sessions missing, of all partitions so far; see `SessionAssembler`."""
        return self._short + sum(reading.assembler.short for reading in self._reader.values())

    def read(self, partition: Partition, offset: int, value: bytes | str | None) -> SessionsOfVersion | None:
        """Take the next record of a partition; returns the sessions of a version when this record makes them whole.

        Args:
            partition: any hashable name of it, with the topic if several topics are read.
            offset: of the record; one that goes back begins the reading of its partition anew.
            value: of the record.

        Raises:
            ValueError: the value breaks the contract; note it and go on, its version will not become whole (`short`
                counts it).
        """
        reading = self._reader.get(partition)
        if reading is None or offset < reading.next_offset:
            reading = self._begin(partition)
        reading.next_offset = offset + 1
        return reading.assembler.add(read_session_event(value or b""), offset)

    def commits(self) -> dict[Partition, int]:
        """The offset to commit for each partition read since the last `forget`."""
        return {
            partition: reading.assembler.resume_from(reading.next_offset) for partition, reading in self._reader.items()
        }

    def forget(self, partitions: Iterable[Partition] | None = None) -> None:
        """Forget partitions: what waits in them is read again from the committed offset, by the next owner.

        Args:
            partitions: those that are revoked or lost, or None for all. An incremental rebalance (`cooperative-sticky`,
                KIP-848) takes some and lets the reading of the others go on where it is: to forget those as well would
                lose what waits in them.
        """
        for partition in list(self._reader) if partitions is None else partitions:
            if (reading := self._reader.pop(partition, None)) is not None:
                self._given_up += reading.assembler.given_up
                self._short += reading.assembler.short

    def _begin(self, partition: Partition) -> _Reading:
        self.forget([partition])
        reading = self._reader[partition] = _Reading(self._make())
        return reading
