"""Graph, as the enricher's core speaks of it: a record, or the reason why there is none."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from ringback_common.outcomes import Reason
from ringback_graph.answers import (
    AuthFailed,
    Current,
    Failed,
    Forbidden,
    Found,
    Hostile,
    Malformed,
    NeedsBulk,
    NotFound,
    Refused,
    TooLarge,
    Unstable,
)
from ringback_graph.availability import Priority, Signal
from ringback_graph.records import RecordReader
from ringback_graph.tenants import Tenant
from ringback_stream.consume.byte_budget import ByteLease, current_hold

from ringback_enricher.conversion import READING

__all__ = ["FetchFailure", "GraphRecords"]


@dataclass(frozen=True, slots=True)
class FetchFailure:
    """There is no record to publish.

    Attributes:
        reason: what it means for the requests.
        signal: what it means for the tenant.
        code: what Graph called it, C0.
    """

    reason: Reason
    signal: Signal = Signal.ANSWERED
    code: str = ""


class GraphRecords:
    """Reads whole records."""

    def __init__(self, reader: RecordReader) -> None:
        self._reader = reader

    async def read(self, tenant: Tenant, call_id: str, *, bulk: bool) -> Found | FetchFailure:
        """Read one record; what comes in counts among the bytes of the step that asks.

        Raises:
            Transient: Graph is away, or only this record of it.
            Throttled: Graph said how long to wait, and for what.
        """
        priority = Priority.BULK if bulk else Priority.LIVE
        answer = await self._reader.read(tenant, call_id, priority, room=_Objects(current_hold()))
        return answer if isinstance(answer, Found) else _unread(answer)

    async def version(self, tenant: Tenant, call_id: str, *, bulk: bool) -> Current | FetchFailure:
        """Which version Graph has of a record now; raises as `read`."""
        priority = Priority.BULK if bulk else Priority.LIVE
        answer = await self._reader.version(tenant, call_id, priority, room=_Objects(current_hold()))
        return answer if isinstance(answer, Current) else _unread(answer)


class _Objects:
    """The bytes of a step as a read uses them: JSON becomes objects."""

    def __init__(self, hold: ByteLease) -> None:
        self._hold = hold
        self._waited_before = hold.waited

    @property
    def waited(self) -> float:
        """Seconds the read has waited for the bytes of its step."""
        return self._hold.waited - self._waited_before

    async def ahead(self, byte_count: int) -> None:
        await self._hold.ahead(READING * byte_count)

    async def take(self, byte_count: int) -> None:
        await self._hold.take(READING * byte_count)

    def asking(self) -> AbstractContextManager[None]:
        return self._hold.asking()

    def restart(self) -> None:
        self._hold.used = 0


_PLAIN: dict[type[Failed], FetchFailure] = {
    NotFound: FetchFailure(Reason.NOT_FOUND),
    TooLarge: FetchFailure(Reason.TOO_LARGE),
    Hostile: FetchFailure(Reason.HOSTILE_LINK),
    Unstable: FetchFailure(Reason.VERSION_UNSTABLE),
    NeedsBulk: FetchFailure(Reason.MOVED_TO_BULK),
}
"""Answers that say no more than what they are."""


def _unread(answer: Failed) -> FetchFailure:
    match answer:
        case Forbidden(code=code):
            return FetchFailure(Reason.FORBIDDEN, Signal.FORBIDDEN, code)
        case AuthFailed(code=code):
            return FetchFailure(Reason.FORBIDDEN, Signal.AUTH_FAILING, code)
        case Refused(status=status):
            return FetchFailure(Reason.REFUSED, Signal.REFUSED, f"status_{status}")
        case Malformed(where=where):
            return FetchFailure(Reason.MALFORMED_RECORD, Signal.UNEXPECTED, where)
        case _:
            return _PLAIN[type(answer)]
