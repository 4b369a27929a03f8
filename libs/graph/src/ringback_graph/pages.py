"""How the replies of one read become one record: what goes on, where it belongs, and whose version it is. Pure.

Graph pages sessions by 60, participants_v2 by 130 and segments too; `<member>@odata.nextLink` beside a list, or
`@odata.nextLink` in a page, says that it goes on (Get callRecord, List sessions, List participants_v2).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from ringback_graph.answers import Failed, Malformed
from ringback_graph.parse import integer, text

__all__ = [
    "NEXT",
    "Changed",
    "Ends",
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


class Ends(Exception):  # noqa: N818 - control flow of one read: it is over, here is its answer
    """Raised to end a read with an answer that is no record."""

    def __init__(self, answer: Failed) -> None:
        super().__init__()
        self.answer = answer


class Changed(Exception):  # noqa: N818 - control flow of one read: its replies belong to no single version
    """Raised to begin a read anew."""


class Page(NamedTuple):
    """Where a further page's values belong."""

    holder: dict[str, Any]
    member: str
    link: object


def move_participants(record: dict[str, Any], answer: dict[str, Any]) -> None:
    """Take what an answer says of participants into the record; its version and context are its own."""
    record.update({name: value for name, value in answer.items() if name.startswith(_PARTICIPANTS)})


def version_of(record: dict[str, Any], call_id: str) -> int:
    """The version a reply about this call says.

    Raises:
        Ends: it is about another call, or says no version.
    """
    version, name = integer(record.get("version")), record.get("id")
    if not isinstance(name, str) or name.casefold() != call_id.casefold():
        raise Ends(Malformed("id"))
    if version is None:
        raise Ends(Malformed("version"))
    return version


def told_apart(record: dict[str, Any]) -> tuple[int | None, str | None]:
    """What tells versions apart, as it is read: whatever else Graph says there may be too deep to be compared."""
    return integer(record.get("version")), text(record.get("lastModifiedDateTime"))


def unread(holder: dict[str, Any]) -> Iterator[Page]:
    """Every collection of an object that has further pages; its next link is taken out, all else stays."""
    for name in [name for name in holder if name.endswith(NEXT)]:
        link = holder.pop(name)
        if link is not None:
            yield Page(holder, name.removesuffix(NEXT), link)


def unread_segments(record: dict[str, Any]) -> Iterator[Page]:
    """As `unread`, of the segments of every session."""
    for session in _objects(record.get("sessions")):
        if _MORE_SEGMENTS in session:
            yield Page(session, "segments", session.pop(_MORE_SEGMENTS))


def list_of(holder: dict[str, Any], member: str) -> list[Any]:
    """The list that pages of this member continue; made if there is none. Raises Ends if it is something else."""
    present = holder.get(member)
    if present is None:
        present = holder[member] = list[Any]()
    if not isinstance(present, list):
        raise Ends(Malformed(member))
    return cast("list[Any]", present)


def values_of(page: dict[str, Any], member: str) -> list[Any]:
    """The values of a page of this member. Raises Ends if it has none."""
    values = page.get("value")
    if not isinstance(values, list):
        raise Ends(Malformed(member))
    return cast("list[Any]", values)


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for each in cast("list[object]", value):
            if isinstance(each, dict):
                yield cast("dict[str, Any]", each)
