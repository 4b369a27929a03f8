"""One look at a tenant, with a hand-written Graph: ownership before each write, the audit, what follows a failure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ringback_common.errors import Throttled, Transient
from ringback_common.outcomes import Message
from ringback_events.platform_events import AuditEntry
from ringback_graph.answers import AuthFailed, Forbidden, Hostile, Malformed
from ringback_graph.answers import Refused as GraphRefused
from ringback_graph.subscriptions import Conflict, Deleted, Gone, NewSubscription, Subscription
from ringback_graph.tenants import Credential, Tenant
from ringback_ingest.client_state import READERS_KNOW_AFTER, NotificationQuery, client_state, new_keys_file
from ringback_ingest.keeper.adapters.audit import Audit
from ringback_ingest.keeper.adapters.graph import GraphSubscriptions
from ringback_ingest.keeper.core.plan import LIFETIME
from ringback_ingest.keeper.core.watch import Situation, Watch
from ringback_ingest.keeper.visit import Installation, Visitor
from ringback_ingest.keys_file import KeysFile

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TENANT = Tenant(
    tenant_id="dc368399-474c-4d40-900c-6265431fd81f",
    client_id="app",
    graph_url="https://graph.example",
    authority_url="https://login.example",
    credential=Credential(secret_file=Path("secret")),
    notification_url="https://hooks.example/graph/notifications",
)
QUERY = NotificationQuery("callrecords", "k1", "prod")


@dataclass
class FakeGraph:
    """Graph's subscriptions of one tenant; answers what is planted, else does what it is asked."""

    standing: list[Subscription] = field(default_factory=list[Subscription])
    planted: dict[str, object] = field(default_factory=dict[str, object])
    asked: list[tuple[str, object]] = field(default_factory=list[tuple[str, object]])

    async def list(self, _tenant: Tenant) -> object:
        """What stands."""
        return self._answer("list", None, list(self.standing))

    async def create(self, _tenant: Tenant, new: NewSubscription) -> object:
        """Subscribe."""
        return self._answer("create", new, subscription("new", expires_at=new.expires_at))

    async def renew(self, _tenant: Tenant, subscription_id: str, expires_at: datetime) -> object:
        """Renew."""
        return self._answer("renew", subscription_id, subscription(subscription_id, expires_at=expires_at))

    async def delete(self, _tenant: Tenant, subscription_id: str) -> object:
        """Delete."""
        return self._answer("delete", subscription_id, Deleted())

    def writes(self) -> Sequence[str]:
        """What was asked but to list."""
        return [name for name, _ in self.asked if name != "list"]

    def _answer(self, name: str, argument: object, usual: object) -> object:
        self.asked.append((name, argument))
        answer = self.planted.get(name, usual)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class FakeTopic:
    """Keeps what is sent; refuses while `away`."""

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
        """A thousand seconds."""
        return 1000.0


def subscription(name: str, *, expires_at: datetime = NOW + LIFETIME, query: NotificationQuery = QUERY) -> Subscription:
    """A subscription of ours at Graph, fresh but for what is given."""
    url = query.added_to(TENANT.notification_url)
    return Subscription(name, "communications/callRecords", "updated", url, None, expires_at, {})


@pytest.fixture
def graph() -> FakeGraph:
    """An empty tenant."""
    return FakeGraph()


@pytest.fixture
def topic() -> FakeTopic:
    """The audit topic."""
    return FakeTopic()


@pytest.fixture
def keys(tmp_path: Path) -> KeysFile:
    """A keys file with one key."""
    path = tmp_path / "keys.json"
    path.write_bytes(new_keys_file("k1", bytes(range(32))))
    return KeysFile(path, "production", StoppedClock())


@pytest.fixture
def visitor(graph: FakeGraph, topic: FakeTopic, keys: KeysFile) -> Visitor:
    """A visitor that owns the tenant."""
    return visitor_that(graph, topic, keys)


def visitor_that(graph: FakeGraph, topic: FakeTopic, keys: KeysFile, *, looks: int = 99) -> Visitor:
    """A visitor whose proof of ownership is good for so many looks at it."""
    proofs = iter([True] * looks)
    return Visitor(
        GraphSubscriptions(graph),  # type: ignore[arg-type]  # the fake stands at Graph's edge
        Audit(topic),
        keys,
        Installation("prod", 1.0),
        lambda _tenant: next(proofs, False),
        StoppedClock(),
    )


async def test_creates_as_graph_wants_it(visitor: Visitor, graph: FakeGraph, topic: FakeTopic, keys: KeysFile) -> None:
    """The request holds everything Graph and the webhook need, and is audited without the secret."""
    watch = Watch()
    await visitor.look(TENANT, watch)
    (_, new) = graph.asked[-1]
    state = client_state(keys.ring.active, TENANT.tenant_id, "callrecords")
    assert new == NewSubscription(
        resource="communications/callRecords",
        change_type="updated",
        notification_url=QUERY.added_to("https://hooks.example/graph/notifications"),
        lifecycle_url=QUERY.added_to("https://hooks.example/graph/lifecycle"),
        client_state=state,
        expires_at=NOW + LIFETIME,
    )
    assert timedelta(minutes=4230) > LIFETIME
    (entry,) = topic.sent
    assert (entry.actor, entry.action, entry.targets, entry.reason, entry.outcome, entry.at) == (
        "workload:keeper", "subscription.create", ["new"], "missing", "done", NOW
    )  # fmt: skip
    assert state not in entry.model_dump_json()
    assert (watch.situation, watch.expires_at, watch.due_at) == (Situation.ACTIVE, NOW + LIFETIME, 1120.0)


async def test_nothing_is_written_without_ownership(graph: FakeGraph, topic: FakeTopic, keys: KeysFile) -> None:
    """A keeper whose proof has run out between reading and writing leaves the tenant to its new owner."""
    await visitor_that(graph, topic, keys, looks=0).look(TENANT, Watch())
    assert graph.writes() == []
    assert topic.sent == []


async def test_ownership_is_asked_before_each_write(graph: FakeGraph, topic: FakeTopic, keys: KeysFile) -> None:
    """Ownership lost after the first of two writes stops the second."""
    graph.standing = [subscription("a"), subscription("b"), subscription("c")]
    await visitor_that(graph, topic, keys, looks=1).look(TENANT, Watch())
    assert graph.writes() == ["delete"]


async def test_renewal_that_finds_nothing_is_looked_at_again(visitor: Visitor, graph: FakeGraph) -> None:
    """A vanished subscription is recreated within seconds, and neither renewed nor asked about over and over."""
    graph.standing = [subscription("a", expires_at=NOW + LIFETIME / 2)]
    graph.planted["renew"] = Gone()
    watch = Watch()
    await visitor.look(TENANT, watch)
    assert watch.due_at == 1005.0
    await visitor.look(TENANT, watch)
    assert graph.writes() == ["renew", "create"]
    assert (watch.situation, watch.due_at) == (Situation.ACTIVE, 1120.0)


async def test_short_life_is_renewed_at_its_half(visitor: Visitor, graph: FakeGraph) -> None:
    """Graph grants an hour instead of days: it is asked again after half an hour, not at every look."""
    watch, hour = Watch(), timedelta(hours=1)
    graph.planted["renew"] = subscription("a", expires_at=NOW + hour)
    graph.standing = [subscription("a", expires_at=NOW + timedelta(minutes=1))]
    await visitor.look(TENANT, watch)
    graph.standing = [subscription("a", expires_at=NOW + hour)]
    await visitor.look(TENANT, watch)
    assert graph.writes() == ["renew"]
    graph.standing = [subscription("a", expires_at=NOW + hour / 2)]
    await visitor.look(TENANT, watch)
    assert graph.writes() == ["renew", "renew"]


async def test_conflict_is_a_foreign_subscription(visitor: Visitor, graph: FakeGraph, topic: FakeTopic) -> None:
    """A 409 although the list shows nothing: somebody else's stands there; red, and looked at again as usual."""
    graph.planted["create"] = Conflict("5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f")
    watch = Watch()
    await visitor.look(TENANT, watch)
    assert (watch.situation, watch.due_at) == (Situation.FOREIGN_SUBSCRIPTION, 1120.0)
    assert [(e.outcome, e.targets) for e in topic.sent] == [("conflict", ["5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f"])]


async def test_refusal_keeps_what_was_asked_for(visitor: Visitor, graph: FakeGraph, topic: FakeTopic) -> None:
    """A refused renewal is audited and tried again; Graph's wish to reauthorise is not forgotten meanwhile."""
    graph.standing = [subscription("a")]
    graph.planted["renew"] = Forbidden("ExtensionError")
    watch = Watch(reauthorize={"a"})
    await visitor.look(TENANT, watch)
    assert (watch.situation, watch.reason, watch.reauthorize) == (Situation.FAILING, "forbidden", {"a"})
    assert [entry.outcome for entry in topic.sent] == ["forbidden"]
    del graph.planted["renew"]
    await visitor.look(TENANT, watch)
    assert (watch.situation, watch.reauthorize) == (Situation.ACTIVE, set())


async def test_failed_deletion_creates_nothing(visitor: Visitor, graph: FakeGraph) -> None:
    """While the outdated subscription cannot be deleted no new one is asked for: Graph would refuse it."""
    graph.standing = [subscription("a", query=NotificationQuery("callrecords", "k1", "prod"))]
    moved = TENANT.model_copy(update={"notification_url": "https://new.example/graph/notifications"})
    graph.planted["delete"] = Forbidden("x")
    await visitor.look(moved, Watch())
    assert graph.writes() == ["delete"]


FAILURES = {
    "timeout, connection, 5xx": (Transient("timeout"), "transient"),
    "429": (Throttled("tenant:x", 700.0), "throttled"),
    "no token": (AuthFailed("invalid_client"), "auth_failed"),
    "403": (Forbidden("ExtensionError"), "forbidden"),
    "other 4xx": (GraphRefused(400, "InvalidRequest"), "status_400"),
    "wrong shape": (Malformed("value"), "malformed_answer"),
    "foreign link": (Hostile("host"), "malformed_answer"),
}
"""What Graph or the way to it may do to the keeper, and the reason its status names."""


@pytest.mark.parametrize("request_name", ["list", "create"])
@pytest.mark.parametrize(("failure", "reason"), FAILURES.values(), ids=FAILURES.keys())
async def test_every_failure_keeps_the_tenant_due_and_names_itself(
    visitor: Visitor, graph: FakeGraph, failure: object, reason: str, request_name: str
) -> None:
    """The rows of the failure table that concern the keeper: nothing is given up, the tenant is due again, later."""
    graph.planted[request_name] = failure
    watch = Watch()
    await visitor.look(TENANT, watch)
    assert watch.reason == reason
    assert watch.due_at > 1000.0
    graph.planted.clear()
    await visitor.look(TENANT, watch)
    assert (watch.reason, graph.writes()[-1]) == (None, "create")


@pytest.mark.parametrize("request_name", ["list", "create"])
async def test_throttling_is_obeyed(visitor: Visitor, graph: FakeGraph, request_name: str) -> None:
    """Retry-After of any request keeps the tenant alone for that long."""
    graph.planted[request_name] = Throttled("tenant:x", 700.0)
    watch = Watch()
    await visitor.look(TENANT, watch)
    assert (watch.due_at, watch.reason) == (1700.0, "throttled")


async def test_unanswered_creation_is_audited(visitor: Visitor, graph: FakeGraph, topic: FakeTopic) -> None:
    """A request whose answer never came may have been carried out, so the audit says that it was made."""
    graph.planted["create"] = Transient("timeout")
    await visitor.look(TENANT, Watch())
    assert [(entry.action, entry.outcome) for entry in topic.sent] == [("subscription.create", "transient")]


async def test_audit_waits_for_kafka(visitor: Visitor, graph: FakeGraph, topic: FakeTopic) -> None:
    """What could not be audited is audited later, in the order in which it was done."""
    topic.away = True
    await visitor.look(TENANT, Watch())
    topic.away = False
    graph.standing = [subscription("a", expires_at=NOW + LIFETIME / 2)]
    await visitor.look(TENANT, Watch())
    assert [entry.action for entry in topic.sent] == ["subscription.create", "subscription.renew"]


def test_broken_keys_file_keeps_the_keys(keys: KeysFile, tmp_path: Path) -> None:
    """A keys file that changes is taken over; one that breaks, or goes, leaves the keys in force."""
    path = tmp_path / "keys.json"
    path.write_bytes(new_keys_file("k2", bytes(32)))
    keys.refresh()
    assert keys.ring.active.kid == "k2"
    for unusable in (b"{}", new_keys_file("dev1", bytes(32))):
        path.write_bytes(unusable)
        keys.refresh()
    path.unlink()
    keys.refresh()
    assert keys.ring.active.kid == "k2"


async def test_a_rotated_key_signs_when_every_webhook_can_know_it(
    graph: FakeGraph, topic: FakeTopic, tmp_path: Path
) -> None:
    """A key that replaces the active one while the keeper runs signs nothing for five minutes, then everything."""
    clock, path = StoppedClock(), tmp_path / "keys.json"
    path.write_bytes(_keys_content("k1"))
    keys = KeysFile(path, "production", clock)
    visitor = Visitor(GraphSubscriptions(graph), Audit(topic), keys, Installation("prod", 1.0), lambda _: True, clock)
    path.write_bytes(_keys_content("k2", "k1"))
    keys.refresh()
    await visitor.look(TENANT, Watch())
    clock.at = NOW + READERS_KNOW_AFTER
    keys.refresh()
    await visitor.look(TENANT, Watch())
    created = [asked for name, asked in graph.asked if name == "create"]
    assert [_kids(each) for each in created] == [("k1", "k1"), ("k2", "k2")]


def _keys_content(active: str, *others: str) -> bytes:
    keys = [{"kid": kid, "secret": "A" * 43} for kid in (active, *others)]
    return json.dumps({"active": active, "keys": keys}).encode()


def _kids(created: object) -> tuple[str, str]:
    """The kid in the URL and the one that signed."""
    assert isinstance(created, NewSubscription)
    return NotificationQuery.of_url(created.notification_url).kid, created.client_state.partition(".")[0]
