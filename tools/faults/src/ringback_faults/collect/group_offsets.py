"""The records of `__consumer_offsets`, decoded. Pure.

Kafka's own message definitions: OffsetCommitKey versions 0 and 1, GroupMetadataKey version 2; the values' versions 0 to
4, of which 4 has compact strings. What newer group protocols write (keys 3 and above) is none of our groups'.
"""

import struct
from dataclasses import dataclass

from ringback_faults.ledgers import Commit, Generation

__all__ = ["MARK", "decode"]

MARK = "ringback-faults"
"""The metadata of offsets that the harness wrote: no service says with them how far it is."""

_OFFSET_KEYS = (0, 1)
_GROUP_KEY = 2
_TIMESTAMPED, _COMPACT = 2, 4
"""GroupMetadataValue: versions from which a timestamp stands before the members, and from which lengths are varints."""


@dataclass(slots=True)
class _Reader:
    content: bytes
    at: int = 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(f">{form}", self.content, self.at)
        self.at += struct.calcsize(f">{form}")
        return int(value)

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.content[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7

    def text(self, *, compact: bool = False) -> str:
        """A string; a null one is empty."""
        length = self.varint() - 1 if compact else self.number("h")
        self.at += max(0, length)
        return self.content[self.at - max(0, length) : self.at].decode()


def decode(key: bytes, value: bytes | None, at: float) -> Commit | Generation | None:
    """One record; None for a deletion, for an offset of the harness's own and for what is of no classic group."""
    if value is None:
        return None
    named = _Reader(key)
    kind = named.number("h")
    if kind in _OFFSET_KEYS:
        return _commit(named, _Reader(value), at)
    return _generation(named, _Reader(value), at) if kind == _GROUP_KEY else None


def _commit(named: _Reader, held: _Reader, at: float) -> Commit | None:
    group, topic, partition = named.text(), named.text(), named.number("i")
    if MARK.encode() in held.content:
        return None
    held.number("h")  # every version begins with the offset
    return Commit(at, group, topic, partition, held.number("q"))


def _generation(named: _Reader, held: _Reader, at: float) -> Generation:
    group, version = named.text(), held.number("h")
    compact = version >= _COMPACT
    held.text(compact=compact)  # protocol type
    generation = held.number("i")
    held.text(compact=compact)  # protocol
    held.text(compact=compact)  # leader
    if version >= _TIMESTAMPED:
        held.number("q")
    members = held.varint() - 1 if compact else held.number("i")
    return Generation(at, group, generation, max(0, members))
