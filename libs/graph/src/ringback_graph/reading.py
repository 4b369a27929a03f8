"""One read of one record: which requests are sent, and when all is read again.

Graph expands one relationship a request (query parameters page; some resources refuse two), and gives pages no version.
So: the record with its sessions, every page of them, then the participants together with the version they are of, and
where their pages go on the version once more. A record that changed meanwhile is read again (ADR 0041).
"""

from collections.abc import Callable, Iterable
from typing import Any

from ringback_graph.answers import Answer, Current, Failed, Found, Malformed, Unstable
from ringback_graph.asking import Asking
from ringback_graph.client import error_says
from ringback_graph.exchange import Reply
from ringback_graph.links import sample_token
from ringback_graph.pages import (
    NEXT,
    Changed,
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

__all__ = ["SESSIONS", "VERSION", "Reading"]

SESSIONS = "$expand=sessions($expand=segments)"
"""Get callRecord, example 2: the record with its first 60 sessions."""
VERSION = "$select=id,version,lastModifiedDateTime"
_PARTICIPANTS = f"{VERSION},participants_v2&$expand=participants_v2"
"""The first 130 participants, and the version they are of. The expanded member must be selected, too."""

End = Failed | Changed
"""Why an attempt to read the record ends without it."""
_NO_SEGMENT = "resource not found for the segment"
"""As Graph begins its message of a 400 for a path whose last part its schema does not have."""
_PAGES = {"sessions": "$expand=segments&", "participants_v2": ""}
"""Options of a page by its list (List sessions, List participants_v2)."""


class Reading:
    """Reads one record, whole and of one version, or finds out why that is impossible."""

    def __init__(self, asking: Asking, url: str, call_id: str, no_participants: Callable[[], None]) -> None:
        """Take what sends requests, the record's address and id, and what to call if participants_v2 does not exist."""
        self._asking, self._url, self._call_id, self._no_participants = asking, url, call_id, no_participants

    async def run(self) -> Answer:
        """Read it, anew after each change. Raises Transient and Throttled as `Asking.send`."""
        for _ in range(self._asking.limits.attempts):
            self._asking.restart()
            answer = await self._attempt()
            if not isinstance(answer, Changed):
                return answer
        return Unstable(self._asking.spent.requests)

    async def version(self) -> Current | Failed:
        """The version alone, in one request. Raises as `run`."""
        reply = await self._asking.get("version", f"{self._url}?{VERSION}")
        version = version_of(reply, self._call_id) if isinstance(reply, dict) else reply
        return Current(version) if isinstance(version, int) else version

    async def _attempt(self) -> Answer | Changed:
        started = self._asking.now()
        record = await self._asking.get("record", f"{self._url}?{SESSIONS}")
        if not isinstance(record, dict):
            return record
        version = version_of(record, self._call_id)
        if not isinstance(version, int):
            return version
        end = await self._rest(record)
        spent = self._asking.spent
        return Found(record, version, spent.requests, started, spent.weight) if end is None else end

    async def _rest(self, record: dict[str, Any]) -> End | None:
        """Read what the first reply lacks into it: pages of sessions, of their segments, and the participants."""
        end = await self._pages(list(unread(record)))
        if end is None:
            end = await self._pages(unread_segments(record))
        if end is None and (self._asking.spent.replies > 1 or needs_participants(record)):
            end = await self._participants(record)
        return end

    async def _participants(self, record: dict[str, Any]) -> End | None:
        """Ask for participants and version at once; the sessions read before must be of that version."""
        reply = await self._asking.send("participants", f"{self._url}?{_PARTICIPANTS}")
        if isinstance(reply, Reply) and reply.status == 400:  # noqa: PLR2004 - HTTP
            return await self._participants_apart(record)
        later = self._later(reply)
        if not isinstance(later, dict):
            return later
        if (end := self._compare(record, later)) is not None:
            return end
        move_participants(record, later)
        pages = list(unread(record))
        end = await self._pages(pages)
        return await self._check(record) if pages and end is None else end

    async def _participants_apart(self, record: dict[str, Any]) -> End | None:
        """Read the list of participants where no record expands it; it states no version, so that is asked for."""
        reply = await self._asking.send("participants", f"{self._url}/participants_v2")
        exists = not (isinstance(reply, Reply) and _lacks_participants(reply))
        end = await self._first_page(record, self._asking.content(reply)) if exists else None
        if end is None:
            end = await self._check(record)
        if end is None and not exists:
            self._no_participants()
        return end

    async def _first_page(self, record: dict[str, Any], page: dict[str, Any] | Failed) -> End | None:
        if not isinstance(page, dict):
            return page
        values = values_of(page, "participants_v2")
        if not isinstance(values, list):
            return values
        record["participants_v2"] = values
        return await self._follow(Page(record, "participants_v2", page.get(NEXT)))

    async def _pages(self, pages: Iterable[Page]) -> End | None:
        for page in pages:
            if (end := await self._follow(page)) is not None:
                return end
        return None

    async def _follow(self, page: Page) -> End | None:
        """Read a chain of pages to its end into the list it continues."""
        self._asking.begin_pages()
        values = list_of(page.holder, page.member)
        if not isinstance(values, list):
            return values
        link = page.link
        while link is not None:
            content = await self._next(link, page.member)
            if not isinstance(content, dict):
                return content
            more = values_of(content, page.member)
            if not isinstance(more, list):
                return more
            values.extend(more)
            link = content.get(NEXT)
        return None

    async def _next(self, link: object, member: str) -> dict[str, Any] | End:
        url = self._own_page(link, member) or link
        if not isinstance(url, str):
            return Malformed("next_link")
        if (circle := self._asking.follow(url)) is not None:
            return circle
        reply = await self._asking.send("page", url, self._call_id)
        # A token of a page dies with the version it was made for.
        if isinstance(reply, Reply) and reply.status in {400, 404, 410}:
            return Changed()
        return self._asking.content(reply)

    def _own_page(self, link: object, member: str) -> str | None:
        """The page behind a next link as Microsoft's sample prints it, at the record's own address."""
        token = sample_token(link, self._asking.tenant.graph_url, self._call_id, member)
        return None if token is None else f"{self._url}/{member}?{_PAGES[member]}$skiptoken={token}"

    async def _check(self, record: dict[str, Any]) -> End | None:
        """Ask for the version that Graph has now; all that was read before must be of it."""
        later = self._later(await self._asking.send("version", f"{self._url}?{VERSION}"))
        return self._compare(record, later) if isinstance(later, dict) else later

    def _later(self, reply: Reply | Failed) -> dict[str, Any] | End:
        """The content of a reply after the first; a 404 comes from a replica that lags, for Graph had the record."""
        if isinstance(reply, Reply) and reply.status == 404:  # noqa: PLR2004 - HTTP
            return Changed()
        return self._asking.content(reply)

    def _compare(self, record: dict[str, Any], later: dict[str, Any]) -> Malformed | Changed | None:
        """A later reply must be of the version of the first one, else what lies between may be of two."""
        version = version_of(later, self._call_id)
        if not isinstance(version, int):
            return version
        if told_apart(later) != told_apart(record):
            return Changed()
        return None


def _lacks_participants(reply: Reply) -> bool:
    """Whether the page of participants does not exist: 404, or Graph's 400 for a segment that its schema lacks.

    The record itself exists: it was read before, and its version is asked for after this. `BadRequest` is the code of
    whatever Graph refuses, a passing fault included: only the message tells.
    """
    return reply.status == 404 or (reply.status == 400 and error_says(reply, _NO_SEGMENT))  # noqa: PLR2004 - HTTP
