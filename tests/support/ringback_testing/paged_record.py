"""A call record in pages, as a Graph that expands one relationship a request serves it, for tests of a reader."""

from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from ringback_graph.exchange import Reply

from ringback_testing.scripted_graph import Asked

__all__ = ["CALL", "PARTICIPANTS", "ROOT", "SESSIONS", "SIDES", "VERSION", "PagedRecord"]

CALL = "e523d2ed-2966-4b6b-925b-754a88034cc5"
ROOT = f"https://graph.test/v1.0/communications/callRecords/{CALL}"
SESSIONS = "$expand=sessions($expand=segments)"
VERSION = "$select=id,version,lastModifiedDateTime"
PARTICIPANTS = "$select=id,version,lastModifiedDateTime,participants_v2&$expand=participants_v2"
SIDES = {
    name: {"associatedIdentity": {"id": f"a11ce000-0000-4000-8000-00000000000{n}"}}
    for n, name in enumerate(("caller", "callee"))
}
"""Of every session: two users, known by their ids alone."""
_PAGES = {"sessions": 60, "participants_v2": 130}


class PagedRecord:
    """A record with pages; `version` may be changed between two requests.

    Attributes:
        before: may answer a request in the place of the record, or change the record first.
        lacks: the answers to the expand and to the page where participants_v2 does not exist; None: it exists.
        sample: write next links as Microsoft's sample prints them.
    """

    def __init__(self, reply: Callable[..., Reply], sessions: int = 3, participants: int = 2) -> None:
        self.reply, self.sessions, self.participants = reply, sessions, participants
        self.version = 1
        self.type = "groupCall"
        self.before: Callable[[Asked], Reply | None] = lambda _: None
        self.lacks: tuple[Reply, Reply] | None = None
        self.sample = False

    def __call__(self, request: Asked) -> Reply:
        """Serve one request."""
        early = self.before(request)
        return self._served(urlsplit(request.url)) if early is None else early

    def _served(self, url: SplitResult) -> Reply:
        query = dict(parse_qsl(url.query))
        member = url.path.rpartition("/")[2]
        if member in _PAGES:
            return self._page(member, int(query.get("$skip", query.get("$skiptoken", 0))))
        return self._record(query)

    def _record(self, query: dict[str, str]) -> Reply:
        expand = query.get("$expand", "")
        if "sessions" in expand and "participants_v2" in expand:
            return self.reply(400, {"error": {"code": "BadRequest", "message": "one relationship"}})
        if "participants_v2" in expand and self.lacks is not None:
            return self.lacks[0]
        whole = self.head() if "$select" in query else self.head() | self._more()
        for name in _PAGES:
            whole |= self.part(name, 0, name, f"{name}@odata.nextLink") if name in expand else {}
        return self.reply(200, whole)

    def head(self) -> dict[str, Any]:
        """What every answer about the record itself begins with."""
        return {"id": CALL, "version": self.version, "lastModifiedDateTime": f"2026-11-22T10:00:0{self.version}Z"}

    def _more(self) -> dict[str, Any]:
        old = [{"user": {"id": "old-participant"}}]
        return {"type": self.type, "strange": {"kept": [None]}, "sessions@odata.context": "kept", "participants": old}

    def _page(self, member: str, skip: int) -> Reply:
        if member == "participants_v2" and self.lacks is not None:
            return self.lacks[1]
        return self.reply(200, self.part(member, skip, "value", "@odata.nextLink"))

    def part(self, member: str, skip: int, into: str, next_link: str) -> dict[str, Any]:
        """One page."""
        total, size = (self.sessions, 60) if member == "sessions" else (self.participants, 130)
        sides = SIDES if member == "sessions" else {}
        values = [{"id": f"{member}-{n}", "v": self.version} | sides for n in range(skip, min(skip + size, total))]
        return {into: values} | ({next_link: self._link(member, skip + size)} if skip + size < total else {})

    def _link(self, member: str, skip: int) -> str:
        if not self.sample:
            return f"{ROOT}/{member}?$skip={skip}"
        options = "$expand=segments&" if member == "sessions" else ""
        place = f"$metadata#communications/callRecords('{CALL}')/{member}"
        return f"https://graph.test/v1.0/{place}?{options}$skiptoken={skip}"
