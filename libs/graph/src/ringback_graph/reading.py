"""One read of one record: which requests are sent, and when all is read again.

Graph expands one relationship a request (query parameters page; some resources refuse two), and gives pages no version.
So: the record with its sessions, every page of them, then the participants together with the version they are of, and
where their pages go on the version once more. A record that changed meanwhile is read again (ADR 0041).
"""

from collections.abc import Callable
from typing import Any

from ringback_graph.answers import Answer, Current, Found, Malformed, Unstable
from ringback_graph.asking import Asking
from ringback_graph.client import error_says
from ringback_graph.links import sample_token
from ringback_graph.pages import (
    NEXT,
    Changed,
    Ends,
    Page,
    list_of,
    move_participants,
    told_apart,
    unread,
    unread_segments,
    values_of,
    version_of,
)
from ringback_graph.parse import needs_participants
from ringback_graph.transport import Reply

__all__ = ["SESSIONS", "VERSION", "Reading"]

SESSIONS = "$expand=sessions($expand=segments)"
"""Get callRecord, example 2: the record with its first 60 sessions."""
VERSION = "$select=id,version,lastModifiedDateTime"
_PARTICIPANTS = f"{VERSION},participants_v2&$expand=participants_v2"
"""The first 130 participants, and the version they are of. The expanded member must be selected, too."""

_NO_SEGMENT = "resource not found for the segment"
"""As Graph begins its message of a 400 for a path whose last part its schema does not have."""
_PAGES = {"sessions": "$expand=segments&", "participants_v2": ""}
"""Options of a page by its list (List sessions, List participants_v2)."""


class Reading:
    """Reads one record, whole and of one version, or says why not."""

    def __init__(self, asking: Asking, url: str, call_id: str, no_participants: Callable[[], None]) -> None:
        """Take who asks, the record's address and id, and whom to tell that this Graph has no participants_v2."""
        self._asking, self._url, self._call_id, self._no_participants = asking, url, call_id, no_participants

    async def run(self) -> Answer:
        """Raises Ends with any other answer, Transient and Throttled as the client."""
        for _ in range(self._asking.limits.attempts):
            self._asking.restart()
            try:
                return await self._attempt()
            except Changed:
                continue
        return Unstable(self._asking.spent.requests)

    async def version(self) -> Current:
        """The version alone, in one request."""
        return Current(version_of(await self._asking.get("version", f"{self._url}?{VERSION}"), self._call_id))

    async def _attempt(self) -> Found:
        started = self._asking.now()
        record = await self._asking.get("record", f"{self._url}?{SESSIONS}")
        version = version_of(record, self._call_id)
        await self._pages(record)
        for page in unread_segments(record):
            await self._follow(page)
        if self._asking.spent.replies > 1 or needs_participants(record):
            await self._participants(record)
        spent = self._asking.spent
        return Found(record, version, spent.requests, started, spent.weight)

    async def _participants(self, record: dict[str, Any]) -> None:
        """Ask for participants and version at once; the sessions read before must be of that version."""
        reply = await self._asking.send("participants", f"{self._url}?{_PARTICIPANTS}")
        if reply.status == 400:  # noqa: PLR2004 - HTTP
            await self._participants_apart(record)
            return
        answer = self._later(reply)
        self._compare(record, answer)
        move_participants(record, answer)
        if await self._pages(record):
            await self._check(record)

    async def _participants_apart(self, record: dict[str, Any]) -> None:
        """Ask for the page of participants where no record expands them; it says no version, so that is asked for."""
        reply = await self._asking.send("participants", f"{self._url}/participants_v2")
        exists = not _lacks_participants(reply)
        if exists:
            page = self._asking.content(reply)
            record["participants_v2"] = values_of(page, "participants_v2")
            await self._follow(Page(record, "participants_v2", page.get(NEXT)))
        await self._check(record)
        if not exists:
            self._no_participants()

    async def _pages(self, holder: dict[str, Any]) -> bool:
        """Read every further page of an object's lists; whether there were any."""
        pages = list(unread(holder))
        for page in pages:
            await self._follow(page)
        return bool(pages)

    async def _follow(self, page: Page) -> None:
        """Read a chain of pages to its end into the list it continues."""
        self._asking.begin_pages()
        values = list_of(page.holder, page.member)
        link = page.link
        while link is not None:
            content = await self._next(link, page.member)
            values.extend(values_of(content, page.member))
            link = content.get(NEXT)

    async def _next(self, link: object, member: str) -> dict[str, Any]:
        url = self._own_page(link, member) or link
        if not isinstance(url, str):
            raise Ends(Malformed("next_link"))
        self._asking.follow(url)
        reply = await self._asking.send("page", url, self._call_id)
        # A token of a page dies with the version it was made for.
        if reply.status in {400, 404, 410}:
            raise Changed
        return self._asking.content(reply)

    def _own_page(self, link: object, member: str) -> str | None:
        """The page behind a next link as Microsoft's sample prints it, at the record's own address."""
        token = sample_token(link, self._asking.tenant.graph_url, self._call_id, member)
        return None if token is None else f"{self._url}/{member}?{_PAGES[member]}$skiptoken={token}"

    async def _check(self, record: dict[str, Any]) -> None:
        """Ask for the version that Graph has now; all that was read before must be of it."""
        self._compare(record, self._later(await self._asking.send("version", f"{self._url}?{VERSION}")))

    def _later(self, reply: Reply) -> dict[str, Any]:
        """What a reply after the first says; a 404 is a replica's that lags, for Graph had the record a moment ago."""
        if reply.status == 404:  # noqa: PLR2004 - HTTP
            raise Changed
        return self._asking.content(reply)

    def _compare(self, record: dict[str, Any], later: dict[str, Any]) -> None:
        """A later reply must be of the version of the first one, else what lies between may be of two."""
        version_of(later, self._call_id)
        if told_apart(later) != told_apart(record):
            raise Changed


def _lacks_participants(reply: Reply) -> bool:
    """Whether the page of participants does not exist: 404, or Graph's 400 for a segment that its schema lacks.

    The record itself exists: it was read before, and its version is asked for after this. `BadRequest` is the code of
    whatever Graph refuses, a passing fault included: only the message tells.
    """
    return reply.status == 404 or (reply.status == 400 and error_says(reply, _NO_SEGMENT))  # noqa: PLR2004 - HTTP
