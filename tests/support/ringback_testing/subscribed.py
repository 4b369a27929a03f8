"""The subscriptions of one tenant at Graph, and a keeper's visits to them, without a network.

The fake stands at Graph's edge and keeps to its rules: a duplicate of resource and changeType is refused by 409, a URL
that does not answer by 400, what is gone by 404. Whatever else Graph may answer is planted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ringback_common.errors import Transient
from ringback_common.outcomes import Message
from ringback_events.platform_events import AuditEntry
from ringback_graph.subscriptions import (
    Conflict,
    Deleted,
    Gone,
    Hint,
    NewSubscription,
    NotAccepted,
    Subscription,
)
from ringback_graph.tenants import Credential, Tenant
from ringback_ingest.client_state import NotificationQuery
from ringback_ingest.keeper.adapters.audit import Audit
from ringback_ingest.keeper.adapters.graph import GraphSubscriptions
from ringback_ingest.keeper.changes import Changes
from ringback_ingest.keeper.core.subscription import LIFETIME
from ringback_ingest.keeper.reconcile import Installation, Reconciler
from ringback_ingest.keys_file import KeysFile

__all__ = [
    "NOW",
    "QUERY",
    "TENANT",
    "Crash",
    "FakeGraph",
    "FakeTopic",
    "StoppedClock",
    "errors",
    "keeper",
    "moved",
    "subscription",
]

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
QUERY = NotificationQuery("callrecords", "k1", "prod")
TENANT = Tenant(
    tenant_id="dc368399-474c-4d40-900c-6265431fd81f",
    client_id="app",
    graph_url="https://graph.example",
    authority_url="https://login.example",
    credential=Credential(secret_file=Path("secret")),
    notification_url="https://hooks.example/graph/notifications",
)


class Crash(BaseException):
    """The keeper's end in the middle of a visit."""


@dataclass
class FakeGraph:
    """Graph's subscriptions of one tenant; answers what is planted, else does what it is asked.

    Attributes:
        standing: what there is.
        planted: answers by `list`, `create`, `prove` (a create with a filter), `renew` or `delete`.
        away: parts of URLs that do not answer a validation.
        crash_after: so many changes are done; the next write, or the end of that one, ends the keeper.
        asked: every request, in order, with its argument.
    """

    standing: list[Subscription] = field(default_factory=list[Subscription])
    planted: dict[str, object] = field(default_factory=dict[str, object])
    away: set[str] = field(default_factory=set[str])
    crash_after: int | None = None
    asked: list[tuple[str, object]] = field(default_factory=list[tuple[str, object]])

    async def list(self, _tenant: Tenant) -> object:
        """What there is."""
        return self._answer("list", None, lambda: list(self.standing))

    async def create(self, _tenant: Tenant, new: NewSubscription) -> object:
        """Subscribe."""
        return self._answer("prove" if "$filter" in new.resource else "create", new, lambda: self._made(new))

    async def renew(self, _tenant: Tenant, subscription_id: str, expires_at: datetime) -> object:
        """Renew."""
        return self._answer("renew", subscription_id, lambda: self._renewed(subscription_id, expires_at))

    async def delete(self, _tenant: Tenant, subscription_id: str) -> object:
        """Delete."""
        return self._answer("delete", subscription_id, lambda: self._deleted(subscription_id))

    @property
    def writes(self) -> Sequence[str]:
        """What was asked but to list."""
        return [name for name, _ in self.asked if name != "list"]

    @property
    def ids(self) -> Sequence[str]:
        """The ids of what there is."""
        return [each.id for each in self.standing]

    def _answer(self, name: str, argument: object, usual: Callable[[], object]) -> object:
        self.asked.append((name, argument))
        answer = self.planted[name] if name in self.planted else usual()
        if name != "list" and len(self.writes) == self.crash_after:
            raise Crash
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _made(self, new: NewSubscription) -> object:
        if any(part in url for part in self.away for url in (new.notification_url, new.lifecycle_url)):
            return NotAccepted(400, "InvalidRequest", Hint.VALIDATION)
        twin = next((each for each in self.standing if each.resource == new.resource), None)
        if twin is not None:
            return Conflict(twin.id)
        made = Subscription(
            f"made{len(self.writes)}",
            new.resource,
            new.change_type,
            new.notification_url,
            new.lifecycle_url,
            new.expires_at,
            {},
        )
        self.standing.append(made)
        return made

    def _renewed(self, subscription_id: str, expires_at: datetime) -> object:
        renewed = [replace(each, expires_at=expires_at) for each in self.standing if each.id == subscription_id]
        self.standing = [each for each in self.standing if each.id != subscription_id] + renewed
        return renewed[0] if renewed else Gone()

    def _deleted(self, subscription_id: str) -> object:
        left = [each for each in self.standing if each.id != subscription_id]
        answer = Deleted() if len(left) < len(self.standing) else Gone()
        self.standing = left
        return answer


@dataclass
class FakeTopic:
    """The audit topic: keeps what is sent; refuses while `away`."""

    sent: list[AuditEntry] = field(default_factory=list[AuditEntry])
    away: bool = False

    async def send(self, message: Message) -> None:
        """Keep it."""
        if self.away:
            raise Transient("away")
        self.sent.append(AuditEntry.model_validate_json(message.value or b""))


@dataclass
class StoppedClock:
    """Noon, until it is set."""

    at: datetime = NOW

    def now(self) -> datetime:
        """What it is set to."""
        return self.at

    def monotonic(self) -> float:
        """A thousand seconds at noon, and on from there."""
        return 1000.0 + (self.at - NOW).total_seconds()


def subscription(name: str, *, expires_at: datetime = NOW + LIFETIME, query: NotificationQuery = QUERY) -> Subscription:
    """A subscription of ours at Graph, fresh but for what is given."""
    url = query.added_to(TENANT.notification_url)
    return Subscription(name, "communications/callRecords", "updated", url, None, expires_at, {})


def moved(host: str) -> Tenant:
    """The tenant, its notifications wanted at another host."""
    return TENANT.model_copy(update={"notification_url": f"https://{host}/graph/notifications"})


def errors(caplog: pytest.LogCaptureFixture) -> Sequence[str]:
    """The sentences for an operator."""
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


def keeper(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile, clock: StoppedClock | None = None, *, proofs: int = 99
) -> Reconciler:
    """A keeper of the installation `prod`; its proof of ownership is good for so many questions."""
    answers, clock = iter([True] * proofs), clock or StoppedClock()
    subscriptions = GraphSubscriptions(graph)  # type: ignore[arg-type]  # the fake stands at Graph's edge
    changes = Changes(subscriptions, Audit(topic), lambda _tenant: next(answers, False), clock)
    return Reconciler(subscriptions, changes, keys, Installation("prod", 1.0), clock)
