"""Reads that go on after their records were answered for by copies on a retry lane."""

import secrets
from collections import OrderedDict
from collections.abc import Sequence

from ringback_common.outcomes import Outcome, Received
from ringback_events.header_names import READ

__all__ = ["DetachedReads"]

_REMEMBERED = 10_000
"""Answers for copies that have not come yet; each is a small outcome."""


class DetachedReads:
    """Knows for which copies a read of this process answers, and with which outcome.

    A copy carries the name of its read in `READ`. It is not read again while that read runs, and once it has ended the
    copy is answered as the read answered. A read that failed, or another process's, says nothing: the copy is a request
    like any other.
    """

    def __init__(self) -> None:
        self._instance = secrets.token_hex(4)
        self._count = 0
        self._running: dict[bytes, bytes] = {}  # by key, the name
        self._answers: OrderedDict[bytes, tuple[bytes, Outcome]] = OrderedDict()  # by the copy's name; its key

    def begin(self, key: bytes, records: int) -> Sequence[bytes]:
        """A read of this key goes on without its records; the names for their copies."""
        self._count += 1
        name = f"{self._instance}.{self._count}".encode()
        self._running[key] = name
        return [b"%s.%d" % (name, index) for index in range(records)]

    def goes_on(self, key: bytes) -> bool:
        """Whether a read of this key goes on so."""
        return key in self._running

    def ended(self, key: bytes, answers: Sequence[Outcome] = ()) -> None:
        """The read has ended; what it said about each of its records, nothing if it failed."""
        name = self._running.pop(key)
        for index, answer in enumerate(answers):
            self._answers[b"%s.%d" % (name, index)] = key, answer
        while len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)

    def answer(self, received: Received) -> Outcome | None:
        """What a read has said about a record; None if nothing. Asked again, it says the same."""
        name = next((value for name, value in received.headers if name == READ), None)
        key, answer = self._answers.get(name or b"", (None, None))
        return answer if key == received.key else None

    def clear(self) -> None:
        """The assignment is over: what goes on is cancelled."""
        self._running.clear()
