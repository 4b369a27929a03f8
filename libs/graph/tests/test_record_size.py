"""How large a record may become: room is waited for before each page, and what exceeds the limit ends the read."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ringback_graph.answers import (
    Found,
    TooLarge,
)
from ringback_graph.availability import Priority
from ringback_graph.records import ReadLimits, RecordReader
from ringback_graph.tenants import Tenant
from ringback_testing.paged_record import CALL, SESSIONS
from ringback_testing.paged_record import PagedRecord as Record
from ringback_testing.scripted_graph import ScriptedGraph, reply

LIVE, BULK = Priority.LIVE, Priority.BULK


async def read(graph: ScriptedGraph, tenant: Tenant, priority: Priority = BULK, **limits: Any) -> Any:
    """Read the record."""
    return await RecordReader(graph.client(), ReadLimits(**limits)).read(tenant, CALL, priority, "trace-1")


class _Counted:
    """Room that notes what it is asked."""

    waited = 0.0

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def ahead(self, byte_count: int) -> None:
        """Note it."""
        self.asked.append(("ahead", byte_count))

    async def take(self, byte_count: int) -> None:
        """Note it."""
        self.asked.append(("take", byte_count))

    def asking(self) -> AbstractContextManager[None]:
        """Note it."""
        self.asked.append(("asking", 0))
        return nullcontext()

    def restart(self) -> None:
        """Note it."""
        self.asked.append(("restart", 0))


async def test_room_for_a_page_is_waited_for_before_it_is_asked_for(graph: ScriptedGraph, tenant: Tenant) -> None:
    """As much as the largest page so far had; an attempt that begins anew gives its bytes back first."""
    graph.answer, room = Record(reply, sessions=130), _Counted()
    found = await RecordReader(graph.client()).read(tenant, CALL, BULK, room=room)
    assert isinstance(found, Found)
    assert [kind for kind, _ in room.asked] == ["restart", *["ahead", "asking", "take"] * len(graph.requests)]
    first, *later = [byte_count for kind, byte_count in room.asked if kind == "ahead"]
    assert first == 0
    assert min(later) > 1000


class _Full(_Counted):
    """Room that is found after a thousand seconds."""

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self._clock = clock

    async def ahead(self, byte_count: int) -> None:
        """Time passes."""
        self._clock.seconds += 1000
        self.waited += 1000
        await super().ahead(byte_count)


async def test_waiting_for_room_is_not_held_against_the_record(graph: ScriptedGraph, tenant: Tenant) -> None:
    """While this process' memory is full Graph is not slow."""
    graph.answer = Record(reply, sessions=130)
    found = await RecordReader(graph.client()).read(tenant, CALL, BULK, room=_Full(graph.clock))
    assert isinstance(found, Found)


async def test_a_record_at_the_limit_is_found_and_one_byte_more_is_too_large(
    graph: ScriptedGraph, tenant: Tenant
) -> None:
    """The limit is of all replies together, of an attempt that begins anew only once."""
    graph.answer = Record(reply, sessions=130)
    found = await read(graph, tenant)
    assert isinstance(found, Found)
    assert isinstance(await read(graph, tenant, byte_count=found.byte_count), Found)
    assert await read(graph, tenant, byte_count=found.byte_count - 1) == TooLarge("record")


async def test_what_would_become_much_from_little_is_too_large(graph: ScriptedGraph, tenant: Tenant) -> None:
    """Each object counts, however empty: a session is derived of every one."""
    record = Record(reply)
    graph.answer = lambda request: reply(
        200, record.head() | ({"sessions": [{}] * 1000} if request.url.endswith(SESSIONS) else {})
    )
    assert isinstance(await read(graph, tenant, byte_count=1002 * 128), Found)
    assert await read(graph, tenant, byte_count=1000 * 128) == TooLarge("record")
