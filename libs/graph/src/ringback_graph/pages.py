"""How the replies of one read become one record: which lists go on, where pages belong, which version it is. Pure.

Graph pages sessions by 60, participants_v2 by 130 and segments too; `<member>@odata.nextLink` beside a list, or
`@odata.nextLink` in a page, says that it goes on (Get callRecord, List sessions, List participants_v2).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from ringback_graph.answers import Malformed
from ringback_graph.parse import integer, text

__all__ = [
    "NEXT",
    "Changed",
    "Page",
    "list_of",
    "move_participants",
    "told_apart",
    "unread",
    "unread_segments",
    "values_of",
    "version_of",
]

NEXT = "@odata.nextLink"
_MORE_SEGMENTS = f"segments{NEXT}"
_PARTICIPANTS = "participants_v2"


@dataclass(frozen=True, slots=True)
class Changed:
    """The record changed between two replies, so they are not of one version: the read must begin anew."""


class Page(NamedTuple):
    """Where a further page's values belong."""

    holder: dict[str, Any]
    member: str
    link: object


def move_participants(record: dict[str, Any], answer: dict[str, Any]) -> None:
    """Copy every member about participants from a later reply into the record, and no other member."""
    record.update({name: value for name, value in answer.items() if name.startswith(_PARTICIPANTS)})


def version_of(record: dict[str, Any], call_id: str) -> int | Malformed:
    """The version that a reply states for this call; Malformed if it is about another call or states none."""
    version, name = integer(record.get("version")), record.get("id")
    if not isinstance(name, str) or name.casefold() != call_id.casefold():
        return Malformed("id")
    return Malformed("version") if version is None else version


def told_apart(record: dict[str, Any]) -> tuple[int | None, str | None]:
    """Version and time of change, by which two replies are compared.

    Read as number and text: anything else there could be nested too deeply for Python to compare.
    """
    return integer(record.get("version")), text(record.get("lastModifiedDateTime"))


def unread(holder: dict[str, Any]) -> Iterator[Page]:
    """Every list of an object that has further pages; its next link is removed from the object."""
    for name in [name for name in holder if name.endswith(NEXT)]:
        link = holder.pop(name)
        if link is not None:
            yield Page(holder, name.removesuffix(NEXT), link)


def unread_segments(record: dict[str, Any]) -> Iterator[Page]:
    """As `unread`, of the segments of every session."""
    for session in _objects(record.get("sessions")):
        if _MORE_SEGMENTS in session:
            yield Page(session, "segments", session.pop(_MORE_SEGMENTS))


def list_of(holder: dict[str, Any], member: str) -> list[Any] | Malformed:
    """The list that pages of this member continue, made if there is none; Malformed if it is something else."""
    present = holder.get(member)
    if present is None:
        present = holder[member] = list[Any]()
    return cast("list[Any]", present) if isinstance(present, list) else Malformed(member)


def values_of(page: dict[str, Any], member: str) -> list[Any] | Malformed:
    """The values of a page of this member; Malformed if it has none."""
    values = page.get("value")
    return cast("list[Any]", values) if isinstance(values, list) else Malformed(member)


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for each in cast("list[object]", value):
            if isinstance(each, dict):
                yield cast("dict[str, Any]", each)
