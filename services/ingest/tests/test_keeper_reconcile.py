"""A visit to a tenant: ownership before each write, the audit, the granted life, what follows a failure."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from ringback_common.errors import Throttled, Transient, UntrustedCertificate
from ringback_common.metrics import catalogue
from ringback_common.scopes import Scope
from ringback_graph.answers import AuthFailed, Forbidden, Hostile, Malformed
from ringback_graph.answers import Refused as GraphRefused
from ringback_graph.subscriptions import Conflict, Gone, Hint, NewSubscription, NotAccepted
from ringback_ingest.client_state import READERS_KNOW_AFTER, NotificationQuery, client_state, new_keys_file
from ringback_ingest.keeper.core.subscription import LIFETIME
from ringback_ingest.keeper.core.verdict import SubscriptionState
from ringback_ingest.keeper.core.watch import TenantWatch
from ringback_ingest.keeper.reconcile import Reconciler
from ringback_ingest.keys_file import KeysFile
from ringback_testing.subscribed import (
    NOW,
    QUERY,
    TENANT,
    FakeGraph,
    FakeTopic,
    StoppedClock,
    errors,
    keeper,
    subscription,
)


@pytest.fixture
def reconciler(graph: FakeGraph, topic: FakeTopic, keys: KeysFile) -> Reconciler:
    """A keeper that owns the tenant."""
    return keeper(graph, topic, keys)


async def test_creates_as_graph_wants_it(
    reconciler: Reconciler, graph: FakeGraph, topic: FakeTopic, keys: KeysFile
) -> None:
    """The request holds everything Graph and the webhook need, and is audited without the secret."""
    watch = TenantWatch()
    await reconciler.reconcile(TENANT, watch)
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
        "workload:keeper", "subscription.create", ["made1"], "missing", "done", NOW
    )  # fmt: skip
    assert state not in entry.model_dump_json()
    assert (watch.situation, watch.expires_at, watch.due_at) == (SubscriptionState.ACTIVE, NOW + LIFETIME, 1120.0)


async def test_nothing_is_written_without_ownership(graph: FakeGraph, topic: FakeTopic, keys: KeysFile) -> None:
    """A keeper whose proof has run out between reading and writing leaves the tenant to its new owner."""
    await keeper(graph, topic, keys, proofs=0).reconcile(TENANT, TenantWatch())
    assert graph.writes == []
    assert topic.sent == []


async def test_ownership_is_asked_before_each_write(graph: FakeGraph, topic: FakeTopic, keys: KeysFile) -> None:
    """Ownership lost after the first of two writes stops the second."""
    graph.standing = [subscription("a"), subscription("b"), subscription("c")]
    await keeper(graph, topic, keys, proofs=1).reconcile(TENANT, TenantWatch())
    assert graph.writes == ["delete"]


async def test_a_renewal_that_finds_nothing_is_red_and_followed_at_once(
    reconciler: Reconciler, graph: FakeGraph
) -> None:
    """A vanished subscription is recreated within seconds, and neither renewed nor asked about over and over."""
    graph.standing = [subscription("a", expires_at=NOW + LIFETIME / 2)]
    graph.planted["renew"] = Gone()
    watch = TenantWatch()
    await reconciler.reconcile(TENANT, watch)
    assert (watch.situation, watch.reason, watch.due_at) == (SubscriptionState.MISSING, "gone", 1005.0)
    assert (watch.expires_at, expiry_metric()) == (None, 0.0)
    graph.standing = []
    await reconciler.reconcile(TENANT, watch)
    assert graph.writes == ["renew", "create"]
    assert (watch.situation, watch.due_at) == (SubscriptionState.ACTIVE, 1120.0)


async def test_a_renewal_that_found_nothing_by_mistake_is_refuted_by_the_conflict(
    reconciler: Reconciler, graph: FakeGraph
) -> None:
    """What a renewal did not find is not renewed again although it is listed, until a 409 says that it is there."""
    graph.standing = [subscription("a", expires_at=NOW + LIFETIME / 2)]
    graph.planted["renew"] = Gone()
    watch = TenantWatch()
    await reconciler.reconcile(TENANT, watch)
    await reconciler.reconcile(TENANT, watch)
    assert graph.writes == ["renew", "create"]
    assert (watch.situation, watch.reason) == (SubscriptionState.FOREIGN_SUBSCRIPTION, "conflict")
    del graph.planted["renew"]
    await reconciler.reconcile(TENANT, watch)
    assert graph.writes == ["renew", "create", "renew"]
    assert (watch.situation, watch.expires_at) == (SubscriptionState.ACTIVE, NOW + LIFETIME)


HOUR = timedelta(hours=1)


@pytest.mark.parametrize("by", ["renew", "create"])
async def test_a_granted_life_is_remembered_as_long_as_it_lasts(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile, by: str
) -> None:
    """Graph grants an hour instead of days: one request in 30 minutes, however often the tenant is visited between."""
    clock, watch = StoppedClock(), TenantWatch()
    graph.standing = [subscription("a", expires_at=NOW + timedelta(minutes=1))] if by == "renew" else []
    graph.planted[by] = subscription("a", expires_at=NOW + HOUR)
    reconciler = keeper(graph, topic, keys, clock)
    await reconciler.reconcile(TENANT, watch)
    graph.standing = [subscription("a", expires_at=NOW + HOUR)]
    for minutes in (2, 4, 28):
        clock.at = NOW + timedelta(minutes=minutes)
        await reconciler.reconcile(TENANT, watch)
    assert graph.writes == [by]
    clock.at = NOW + HOUR / 2
    await reconciler.reconcile(TENANT, watch)
    assert graph.writes == [by, "renew"]


async def test_a_conflict_with_what_is_not_listed_is_red(
    reconciler: Reconciler, graph: FakeGraph, topic: FakeTopic, caplog: pytest.LogCaptureFixture
) -> None:
    """A 409 although the list shows nothing: status, metric, audit and an error say so; it is tried again at once."""
    graph.planted["create"] = Conflict("5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f")
    watch, before = TenantWatch(), failures_metric("conflict")
    await reconciler.reconcile(TENANT, watch)
    assert (watch.situation, watch.reason, watch.due_at) == (SubscriptionState.FOREIGN_SUBSCRIPTION, "conflict", 1005.0)
    assert [(e.outcome, e.targets) for e in topic.sent] == [("conflict", ["5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f"])]
    assert failures_metric("conflict") == before + 1
    assert errors(caplog) == ["A subscription that is not ours stands in the way."]


async def test_a_conflict_is_over_when_ours_is_listed(reconciler: Reconciler, graph: FakeGraph) -> None:
    """Graph's list lags behind a creation: the next visit finds the subscription and adopts it."""
    graph.planted["create"] = Conflict(None)
    watch = TenantWatch()
    await reconciler.reconcile(TENANT, watch)
    graph.standing = [subscription("a")]
    await reconciler.reconcile(TENANT, watch)
    assert (watch.situation, watch.reason, graph.writes) == (SubscriptionState.ACTIVE, None, ["create"])


async def test_refusal_keeps_what_was_asked_for(reconciler: Reconciler, graph: FakeGraph, topic: FakeTopic) -> None:
    """A refused renewal is audited and tried again; Graph's wish to reauthorise is not forgotten meanwhile."""
    graph.standing = [subscription("a")]
    graph.planted["renew"] = Forbidden("ExtensionError")
    watch = TenantWatch(reauthorize={"a"})
    await reconciler.reconcile(TENANT, watch)
    assert (watch.situation, watch.reason, watch.reauthorize) == (SubscriptionState.FAILING, "forbidden", {"a"})
    assert [entry.outcome for entry in topic.sent] == ["forbidden"]
    del graph.planted["renew"]
    await reconciler.reconcile(TENANT, watch)
    assert (watch.situation, watch.reauthorize) == (SubscriptionState.ACTIVE, set())


FAILURES = {
    "timeout, connection, 5xx": (Transient("timeout"), "transient"),
    "certificate that does not verify": (UntrustedCertificate("of Graph"), "certificate"),
    "429": (Throttled(Scope.tenant("x"), 700.0), "throttled"),
    "no token": (AuthFailed("invalid_client"), "auth_failed"),
    "403": (Forbidden("ExtensionError"), "forbidden"),
    "other 4xx": (GraphRefused(400, "InvalidRequest"), "status_400"),
    "URL that is not validated": (NotAccepted(400, "InvalidRequest", Hint.VALIDATION), "validation"),
    "100 subscriptions": (NotAccepted(403, "ExtensionError", Hint.QUOTA), "quota"),
    "wrong shape": (Malformed("value"), "malformed_answer"),
    "foreign link": (Hostile("host"), "malformed_answer"),
}
"""What Graph or the way to it may do to the keeper, and the reason its status names."""


@pytest.mark.parametrize("request_name", ["list", "create", "renew"])
@pytest.mark.parametrize(("failure", "reason"), FAILURES.values(), ids=FAILURES.keys())
async def test_every_failure_keeps_the_tenant_due_and_names_itself(
    reconciler: Reconciler, graph: FakeGraph, failure: object, reason: str, request_name: str
) -> None:
    """The rows of the failure table that concern the keeper: red, counted, and the tenant is due again, later."""
    renewal = request_name == "renew"
    graph.standing = [subscription("a", expires_at=NOW + LIFETIME / 2)] if renewal else []
    graph.planted[request_name] = failure
    watch, before = TenantWatch(), failures_metric(reason)
    await reconciler.reconcile(TENANT, watch)
    situation = SubscriptionState.MISSING if request_name == "create" else SubscriptionState.FAILING
    assert (watch.situation, watch.reason, failures_metric(reason)) == (situation, reason, before + 1)
    assert watch.due_at > 1000.0
    graph.planted.clear()
    await reconciler.reconcile(TENANT, watch)
    assert (watch.situation, watch.reason) == (SubscriptionState.ACTIVE, None)
    assert graph.writes[-1] == ("renew" if renewal else "create")


async def test_a_certificate_that_does_not_verify_is_no_passing_fault(
    reconciler: Reconciler, graph: FakeGraph, caplog: pytest.LogCaptureFixture
) -> None:
    """While a subscription stands a time-out is a warning; this is an error at once, for it does not pass by itself."""
    graph.standing = [subscription("a", expires_at=NOW + LIFETIME)]
    for failure, level in ((Transient("timeout"), "WARNING"), (UntrustedCertificate("of Graph"), "ERROR")):
        graph.planted["list"] = failure
        await reconciler.reconcile(TENANT, TenantWatch())
        assert caplog.records[-1].levelname == level


@pytest.mark.parametrize("request_name", ["list", "create"])
async def test_throttling_is_obeyed(reconciler: Reconciler, graph: FakeGraph, request_name: str) -> None:
    """Retry-After of any request keeps the tenant alone for that long."""
    graph.planted[request_name] = Throttled(Scope.tenant("x"), 700.0)
    watch = TenantWatch()
    await reconciler.reconcile(TENANT, watch)
    assert (watch.due_at, watch.reason) == (1700.0, "throttled")


async def test_unanswered_creation_is_audited(reconciler: Reconciler, graph: FakeGraph, topic: FakeTopic) -> None:
    """A request whose answer never came may have been carried out, so the audit says that it was made."""
    graph.planted["create"] = Transient("timeout")
    await reconciler.reconcile(TENANT, TenantWatch())
    assert [(entry.action, entry.outcome) for entry in topic.sent] == [("subscription.create", "transient")]


async def test_audit_waits_for_kafka(reconciler: Reconciler, graph: FakeGraph, topic: FakeTopic) -> None:
    """What could not be audited is audited later, in the order in which it was done."""
    topic.away = True
    await reconciler.reconcile(TENANT, TenantWatch())
    topic.away = False
    graph.standing = [subscription("a", expires_at=NOW + LIFETIME / 2)]
    await reconciler.reconcile(TENANT, TenantWatch())
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
    reconciler = keeper(graph, topic, keys, clock)
    path.write_bytes(_keys_content("k2", "k1"))
    keys.refresh()
    await reconciler.reconcile(TENANT, TenantWatch())
    clock.at = NOW + READERS_KNOW_AFTER
    keys.refresh()
    await reconciler.reconcile(TENANT, TenantWatch())
    created = [asked for name, asked in graph.asked if name == "create"]
    assert [_kids(each) for each in created] == [("k1", "k1"), ("k2", "k2")]


def _keys_content(active: str, *others: str) -> bytes:
    keys = [{"kid": kid, "secret": "A" * 43} for kid in (active, *others)]
    return json.dumps({"active": active, "keys": keys}).encode()


def _kids(created: object) -> tuple[str, str]:
    """The kid in the URL and the one that signed."""
    assert isinstance(created, NewSubscription)
    return NotificationQuery.of_url(created.notification_url).kid, created.client_state.partition(".")[0]


def failures_metric(reason: str) -> float:
    """Visits that failed so far for this reason."""
    return catalogue.registry.get_sample_value("ringback_keeper_pass_failures_total", {"reason": reason}) or 0.0


def expiry_metric() -> float | None:
    """When the tenant's subscription ends, as it is exported."""
    name = "ringback_keeper_subscription_expiry_timestamp_seconds"
    return catalogue.registry.get_sample_value(name, {"tenant_id": TENANT.tenant_id})
