"""Replacing a subscription: what is wanted is proven at Graph before the present one is touched."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ringback_common.errors import Throttled, Transient
from ringback_common.scopes import Scope
from ringback_graph.answers import AuthFailed, Forbidden, Malformed
from ringback_graph.answers import Refused as GraphRefused
from ringback_graph.subscriptions import Conflict, Hint, NewSubscription, NotAccepted, Subscription
from ringback_graph.tenants import Tenant
from ringback_ingest.client_state import NotificationQuery, client_state
from ringback_ingest.keeper.core.subscription import LIFETIME, PROOF_LIFETIME, proof_resource
from ringback_ingest.keeper.core.verdict import SubscriptionState
from ringback_ingest.keeper.core.watch import TenantWatch
from ringback_ingest.keys_file import KeysFile
from ringback_testing.subscribed import (
    NOW,
    QUERY,
    TENANT,
    Crash,
    FakeGraph,
    FakeTopic,
    StoppedClock,
    errors,
    keeper,
    moved,
    subscription,
)

NEW = moved("new.example")
LIFECYCLE_MOVED = TENANT.model_copy(update={"lifecycle_url": "https://typo.example/graph/lifecycle"})
OLD_KEY = subscription("a", query=replace(QUERY, kid="k0"))


def with_lifecycle(url: str) -> Subscription:
    """The present subscription, its lifecycle URL listed."""
    return replace(subscription("a"), lifecycle_url=url)


CHANGES: dict[str, tuple[Subscription, Tenant, str]] = {
    "host of the notifications": (subscription("a"), NEW, "url_changed"),
    "lifecycle address": (with_lifecycle("https://hooks.example/graph/lifecycle"), LIFECYCLE_MOVED, "url_changed"),
    "key that is not valid": (OLD_KEY, TENANT, "key_not_valid"),
}
"""What may be changed, and the reason that is audited; a rotated key has a test of its own."""


@pytest.mark.parametrize(("present", "tenant", "reason"), CHANGES.values(), ids=CHANGES.keys())
async def test_what_is_wanted_is_proven_before_the_present_one_goes(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile, present: Subscription, tenant: Tenant, reason: str
) -> None:
    """Proof, its deletion, deletion of the old, creation of the new; all of it is audited."""
    graph.standing, watch = [present], TenantWatch()
    await keeper(graph, topic, keys).reconcile(tenant, watch)
    assert [(entry.action, entry.reason, entry.outcome) for entry in topic.sent] == [
        ("subscription.prove", reason, "done"),
        ("subscription.delete", "proof", "done"),
        ("subscription.delete", reason, "done"),
        ("subscription.create", reason, "done"),
    ]
    assert (watch.situation, watch.expires_at) == (SubscriptionState.ACTIVE, NOW + LIFETIME)
    assert graph.ids == ["made4"]


async def test_the_proof_is_what_will_be_created_but_for_its_resource(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile
) -> None:
    """Same URLs with the same query, same clientState; a filter that no call matches, and the shortest life."""
    graph.standing = [subscription("a")]
    await keeper(graph, topic, keys).reconcile(NEW, TenantWatch())
    made = [new for name, new in graph.asked if name in {"prove", "create"}]
    proof, real = (new for new in made if isinstance(new, NewSubscription))
    assert real == replace(proof, resource="communications/callRecords", expires_at=NOW + LIFETIME)
    assert (proof.resource, proof.expires_at) == (proof_resource("prod"), NOW + PROOF_LIFETIME)
    assert proof.resource.startswith("communications/callRecords?$filter=participants/any(p:p/id eq '")
    assert proof_resource("prod") != proof_resource("other")
    assert proof.client_state == client_state(keys.ring.active, TENANT.tenant_id, "callrecords")


REFUSALS: dict[str, tuple[object, str]] = {
    "URL that does not answer": (NotAccepted(400, "InvalidRequest", Hint.VALIDATION), "validation"),
    "100 subscriptions": (NotAccepted(403, "ExtensionError", Hint.QUOTA), "quota"),
    "403": (Forbidden("ExtensionError"), "forbidden"),
    "no token": (AuthFailed("invalid_client"), "auth_failed"),
    "another 400": (GraphRefused(400, "InvalidRequest"), "status_400"),
    "a proof that is not listed": (Conflict("5d6e1b0f-4f51-4a3b-9d9c-1f2b3c4d5e6f"), "conflict"),
    "unreadable answer": (Malformed("subscription"), "malformed_answer"),
    "timeout": (Transient("timeout"), "transient"),
    "429": (Throttled(Scope.tenant("x"), 700.0), "throttled"),
}


@pytest.mark.parametrize(("answer", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
@pytest.mark.parametrize(("present", "tenant", "why"), CHANGES.values(), ids=CHANGES.keys())
async def test_a_proof_that_fails_costs_nothing(
    graph: FakeGraph,
    topic: FakeTopic,
    keys: KeysFile,
    present: Subscription,
    tenant: Tenant,
    why: str,
    answer: object,
    reason: str,
) -> None:
    """The present subscription stays and is renewed when it is due; status and audit say what could not be proven."""
    graph.standing = [replace(present, expires_at=NOW + LIFETIME / 2)]
    graph.planted["prove"] = answer
    watch, clock = TenantWatch(), StoppedClock()
    reconciler = keeper(graph, topic, keys, clock)
    await reconciler.reconcile(tenant, watch)
    assert graph.writes == ["renew", "prove"]
    assert (watch.situation, watch.reason, watch.outdated) == (SubscriptionState.OUTDATED, reason, why)
    assert watch.expires_at == NOW + LIFETIME
    assert topic.sent[-1].outcome == reason
    clock.at += timedelta(minutes=15)
    await reconciler.reconcile(tenant, watch)
    assert (graph.writes, graph.ids) == (["renew", "prove", "prove"], ["a"])
    del graph.planted["prove"]
    await reconciler.reconcile(tenant, watch)
    assert (watch.situation, watch.reason, watch.outdated) == (SubscriptionState.ACTIVE, None, None)


async def test_a_typo_is_an_error_in_one_sentence(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Graph itself refuses the URL; the operator reads that the present subscription is kept."""
    graph.standing = [subscription("a")]
    graph.away = {"typo.example"}
    await keeper(graph, topic, keys).reconcile(moved("typo.example"), TenantWatch())
    assert graph.ids == ["a"]
    assert errors(caplog) == ["The subscription that is wanted could not be proven; the present one is kept."]
    assert "typo.example" not in caplog.text


async def test_a_wish_to_reauthorize_is_met_once_while_the_proof_fails(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile
) -> None:
    """The present subscription is reauthorised although its replacement cannot be proven, and not at every visit."""
    graph.standing, graph.away = [subscription("a")], {"typo.example"}
    reconciler, watch = keeper(graph, topic, keys), TenantWatch(reauthorize={"a"})
    for _ in range(3):
        await reconciler.reconcile(moved("typo.example"), watch)
    assert graph.writes == ["renew", "prove", "prove", "prove"]


async def test_a_proof_that_cannot_be_deleted_keeps_the_present_one(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile
) -> None:
    """It is found by its resource at the next visit, and removed before anything else is tried."""
    graph.standing, watch = [subscription("a")], TenantWatch()
    graph.planted["delete"] = Forbidden("x")
    reconciler = keeper(graph, topic, keys)
    await reconciler.reconcile(NEW, watch)
    assert (watch.situation, watch.reason, graph.ids) == (SubscriptionState.OUTDATED, "forbidden", ["a", "made1"])
    del graph.planted["delete"]
    await reconciler.reconcile(NEW, watch)
    assert graph.writes[2:] == ["delete", "prove", "delete", "delete", "create"]
    assert (watch.situation, len(graph.ids)) == (SubscriptionState.ACTIVE, 1)


@pytest.mark.parametrize(("present", "tenant", "reason"), CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("changes_done", [1, 2, 3, 4])
async def test_a_crash_at_any_moment_is_mended_by_the_next_keeper(
    graph: FakeGraph,
    topic: FakeTopic,
    keys: KeysFile,
    present: Subscription,
    tenant: Tenant,
    reason: str,
    changes_done: int,
) -> None:
    """A proof that was left behind is removed; one subscription, as wanted, stands in the end."""
    assert reason
    graph.standing, graph.crash_after = [present], changes_done
    with pytest.raises(Crash):
        await keeper(graph, topic, keys).reconcile(tenant, TenantWatch())
    graph.crash_after = None
    watch = TenantWatch()
    await keeper(graph, topic, keys).reconcile(tenant, watch)
    (left,) = graph.standing
    assert (watch.situation, left.resource) == (SubscriptionState.ACTIVE, "communications/callRecords")
    assert left.notification_url == QUERY.added_to(tenant.notification_url)


@pytest.mark.parametrize("proofs", [0, 1, 2, 3])
async def test_ownership_is_asked_before_each_write(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile, proofs: int
) -> None:
    """A keeper that was frozen in the middle does nothing more, and reports nothing of a tenant that is another's."""
    graph.standing, watch = [subscription("a")], TenantWatch()
    await keeper(graph, topic, keys, proofs=proofs).reconcile(NEW, watch)
    assert graph.writes == ["prove", "delete", "delete", "create"][:proofs]
    assert watch == TenantWatch()


LOST = {"refused": NotAccepted(400, "InvalidRequest", Hint.VALIDATION), "timeout": Transient("timeout")}


@pytest.mark.parametrize("answer", LOST.values(), ids=LOST.keys())
async def test_a_creation_that_fails_behind_the_deletion_is_red_and_repeated_at_once(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile, answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no subscription now: status and log say so, and the pause is the shortest, whatever failed before."""
    graph.standing, graph.planted["create"] = [subscription("a")], answer
    watch = TenantWatch(situation=SubscriptionState.OUTDATED, reason="validation", failures=9)
    reconciler = keeper(graph, topic, keys)
    await reconciler.reconcile(NEW, watch)
    assert (watch.situation, watch.expires_at, watch.due_at, graph.ids) == (SubscriptionState.MISSING, None, 1005.0, [])
    assert errors(caplog) == ["A tenant has no subscription."]
    del graph.planted["create"]
    await reconciler.reconcile(NEW, watch)
    assert (watch.situation, len(graph.ids)) == (SubscriptionState.ACTIVE, 1)


async def test_a_rotated_key_is_proven_too(graph: FakeGraph, topic: FakeTopic, tmp_path: Path) -> None:
    """With the webhook away for a minute a rotation keeps the old subscription, whose key is valid still."""
    path, clock = tmp_path / "keys.json", StoppedClock()
    keys = [{"kid": kid, "secret": "A" * 43} for kid in ("k2", "k1")]
    path.write_text(json.dumps({"active": "k2", "keys": keys}))
    graph.standing, graph.away, watch = [subscription("a")], {"hooks.example"}, TenantWatch()
    reconciler = keeper(graph, topic, KeysFile(path, "production", clock), clock)
    await reconciler.reconcile(TENANT, watch)
    assert (watch.situation, watch.outdated, graph.ids) == (SubscriptionState.OUTDATED, "key_rotated", ["a"])
    graph.away = set()
    await reconciler.reconcile(TENANT, watch)
    (left,) = graph.standing
    assert NotificationQuery.of_url(left.notification_url or "").kid == "k2"
    assert watch.situation is SubscriptionState.ACTIVE


async def test_a_proof_of_another_installation_is_left_alone(
    graph: FakeGraph, topic: FakeTopic, keys: KeysFile
) -> None:
    """Two installations of one app may prove something at the same time."""
    theirs = replace(subscription("p", query=replace(QUERY, installation="other")), resource=proof_resource("other"))
    graph.standing, watch = [theirs, subscription("a")], TenantWatch()
    await keeper(graph, topic, keys).reconcile(NEW, watch)
    assert (watch.situation, graph.ids[0], len(graph.ids)) == (SubscriptionState.ACTIVE, "p", 2)
