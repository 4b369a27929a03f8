"""One request to Graph: what was asked, and what the ledger will say of it."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from ringback_graph_simulator.calls import canonical_id

__all__ = ["Exchange", "read_path"]

_RECORDS = re.compile(
    r"^/(?:v1\.0|beta)/communications/callRecords"
    r"(?:(?:\('(?P<key>[^']+)'\)|/(?P<id>[^/]+))(?:/(?P<child>sessions|participants_v2))?)?/?$"
)
_CHILDREN = {"sessions": "sessions", "participants_v2": "participants"}
_SUBSCRIPTIONS = re.compile(r"^/(?:v1\.0|beta)/subscriptions(?:/(?P<id>[^/]+)(?P<act>/reauthorize)?)?/?$")


@dataclass(slots=True)
class Exchange:
    """A request on its way through the routes; members without a value yet are None.

    Attributes:
        route: record, versionCheck, sessions, participants, list, subscriptions or unknown.
        target: call or subscription id of the path.
        action: `reauthorize`, or empty.
        connection: the client's address and port.
        page: 1 for the first response that carries children of this kind.
        is_record: whether the path is a record's own; one that expands participants alone is their first page.
    """

    begun: float
    route: str
    target: str | None
    action: str = ""
    connection: str = ""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    tenant_id: str | None = None
    token: str | None = None
    page: int = 1
    is_record: bool = False
    version: int | None = None
    fault: str | None = None
    over_budget: str | None = None
    inside_retry_after: bool = False
    retry_after: str | None = None

    @property
    def call_id(self) -> str | None:
        """The call asked for."""
        return self.target if self.route in {"record", "versionCheck", "sessions", "participants"} else None

    def line(self, *, end: float, status: int | None, size: int) -> dict[str, Any]:
        """The ledger's line."""
        return {
            "at": self.begun, "end": end, "tenantId": self.tenant_id, "route": self.route, "callId": self.call_id,
            "page": self.page, "version": self.version, "status": status, "token": self.token,
            "retryAfter": self.retry_after, "fault": self.fault, "insideRetryAfter": self.inside_retry_after,
            "overBudget": self.over_budget, "bytes": size, "requestId": self.request_id,
        }  # fmt: skip


def read_path(request: web.Request, begun: float) -> Exchange:
    """Which route this is, in either key form that OData allows."""
    path = request.rel_url.raw_path
    if match := _RECORDS.match(unquote(path)):
        call_id = match["key"] or match["id"]
        if call_id is None:
            return Exchange(begun, "list", None)
        route = _CHILDREN[match["child"]] if match["child"] else _of_record(request.query)
        return Exchange(begun, route, canonical_id(call_id), is_record=match["child"] is None)
    if match := _SUBSCRIPTIONS.match(path):
        return Exchange(begun, "subscriptions", match["id"], "reauthorize" if match["act"] else "")
    return Exchange(begun, "unknown", None)


def _of_record(query: Mapping[str, str]) -> str:
    """Which route a request for a record itself is: the participants alone, the version alone, or the record."""
    expand = query.get("$expand", "")
    if "participants_v2" in expand and "sessions" not in expand:
        return "participants"
    return "versionCheck" if "$select" in query and not expand else "record"
