"""Errors that a broker answers to a produce request, made on the way: a healthy broker makes none on demand.

A request that is to fail unwritten is exchanged for one that asks for nothing but the broker's versions; its answer
comes back in its turn and is exchanged for the error. A request that is to fail although it is written is passed on,
and only its answer is exchanged: what a timeout looks like to a client.
"""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any, Literal, get_args

from aiokafka.protocol import produce

__all__ = ["ErrorName", "ProduceErrors"]

ErrorName = Literal[
    "NOT_LEADER_OR_FOLLOWER",
    "REQUEST_TIMED_OUT",
    "MESSAGE_TOO_LARGE",
    "NOT_ENOUGH_REPLICAS",
    "TOPIC_AUTHORIZATION_FAILED",
]
_CODES = dict(zip(get_args(ErrorName), (6, 7, 10, 19, 29), strict=True))
"""Of Kafka's protocol guide, "Error Codes"."""
_PRODUCE, _API_VERSIONS = 0, 18
_HEAD = struct.Struct(">hhi")
"""Of a request: which, in which version, and the number its answer will bear."""
_SCHEMAS: dict[int, tuple[Any, Any]] = {
    version: (
        getattr(produce, f"ProduceRequest_v{version}").SCHEMA,
        getattr(produce, f"ProduceResponse_v{version}").SCHEMA,
    )
    for version in range(3, 9)
}

_MORE: dict[int, tuple[Any, ...]] = {3: (), 4: (), 8: (-1, [], None)}
"""What an answer says of a partition behind its error, offset and time; else where its log starts."""


class ProduceErrors:
    """The orders of one link, shared by its connections.

    Attributes:
        raised: how many requests were answered with an error.
    """

    def __init__(self) -> None:
        self.raised = 0
        self._code = 0
        self._left = 0
        self._written = False
        self._topic = ""

    def order(self, name: ErrorName, times: int, topic: str = "", *, written: bool = False) -> None:
        """Fail the next produce requests that hold this topic, or any; `written`: the broker has them all the same."""
        self._code, self._left, self._topic, self._written = _CODES[name], times, topic, written

    def end(self) -> None:
        """Fail none any more."""
        self._left = 0

    def conversation(self) -> "_Conversation":
        """For one connection."""
        return _Conversation(self)

    def take(self, topics: list[str]) -> tuple[int, bool] | None:
        """The error for a request to these topics, and whether the broker shall have it; None if it is let through."""
        if self._left <= 0 or (self._topic and self._topic not in topics):
            return None
        self._left -= 1
        self.raised += 1
        return self._code, self._written


class _Conversation:
    """What was asked on one connection and is to be answered with an error."""

    def __init__(self, errors: ProduceErrors) -> None:
        self._errors = errors
        self._asked, self._answered = _Frames(), _Frames()
        self._failing: dict[int, bytes] = {}

    def up(self, chunk: bytes) -> bytes:
        """Pass whole requests on, those that shall fail unwritten in another form."""
        return self._asked.translated(chunk, self._request)

    def down(self, chunk: bytes) -> bytes:
        """Pass whole answers on, those that shall be errors in another form."""
        return self._answered.translated(chunk, self._response)

    def _request(self, frame: bytes) -> bytes:
        api, version, number = _HEAD.unpack_from(frame)
        if api != _PRODUCE or version not in _SCHEMAS:
            return frame
        body = BytesIO(frame[_HEAD.size :])
        size = struct.unpack(">h", body.read(2))[0]
        body.read(max(0, size))  # the client's name
        _transaction, _acks, _timeout, topics = _SCHEMAS[version][0].decode(body)
        taken = self._errors.take([topic for topic, _ in topics])
        if taken is None:
            return frame
        code, written = taken
        self._failing[number] = struct.pack(">i", number) + _failed(version, topics, code)
        return frame if written else _HEAD.pack(_API_VERSIONS, 0, number) + struct.pack(">h", -1)

    def _response(self, frame: bytes) -> bytes:
        return self._failing.pop(struct.unpack_from(">i", frame)[0], frame)


class _Frames:
    """Cuts a stream of bytes into Kafka's frames: four bytes of length, then as many."""

    def __init__(self) -> None:
        self._rest = b""

    def translated(self, chunk: bytes, translate: Callable[[bytes], bytes]) -> bytes:
        self._rest += chunk
        done: list[bytes] = []
        while len(self._rest) >= 4:  # noqa: PLR2004 - the length's own
            end = 4 + struct.unpack_from(">i", self._rest)[0]
            if len(self._rest) < end:
                break
            frame, self._rest = translate(self._rest[4:end]), self._rest[end:]
            done += [struct.pack(">i", len(frame)), frame]
        return b"".join(done)


def _failed(version: int, topics: list[tuple[str, list[tuple[int, bytes]]]], code: int) -> bytes:
    """The body of an answer in which every partition failed."""
    more = _MORE.get(version, (-1,))
    reported = [(topic, [(part, code, -1, -1, *more) for part, _ in parts]) for topic, parts in topics]
    return bytes(_SCHEMAS[version][1].encode((reported, 0)))
