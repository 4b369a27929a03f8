"""What the keeper decides: a table of situations, and what holds in all of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_ingest.client_state import NotificationQuery
from ringback_ingest.keeper.core.plan import (
    ChangeReason,
    Create,
    Delete,
    Foreign,
    LifecycleHints,
    Prove,
    Renew,
    SubscriptionAction,
    kept,
    plan,
)
from ringback_ingest.keeper.core.subscription import (
    LIFETIME,
    DesiredSubscription,
    ListedSubscription,
    lifecycle_url_of,
    proof_resource,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
URL = "https://hooks.example/graph/notifications"
LIFECYCLE = "https://hooks.example/graph/lifecycle"
QUERY = NotificationQuery("callrecords", "k2", "prod")
WANTED = DesiredSubscription(URL, LIFECYCLE, QUERY, "k2", frozenset({"k1", "k2"}))
OURS = ListedSubscription(
    "a", "/communications/callRecords", "updated", QUERY.added_to(URL), QUERY.added_to(LIFECYCLE), NOW + LIFETIME
)
HALF = NOW + LIFETIME / 2


def ours(**members: Any) -> ListedSubscription:
    """A subscription of ours, fresh, but for the members given."""
    return replace(OURS, **members)


def url(query: NotificationQuery, base: str = URL) -> str:
    """A notification URL with a query."""
    return query.added_to(base)


def replaced(reason: ChangeReason) -> tuple[SubscriptionAction, ...]:
    """The whole replacement of `a`."""
    return (Prove(reason), Delete("a", reason), Create(reason))


OTHER_KID = replace(QUERY, kid="k1")
UNKNOWN_KID = replace(QUERY, kid="k0")
PROOF = ours(id="p", resource=proof_resource("prod"), expires_at=NOW + timedelta(minutes=45))
STRANGERS = {
    "no query": ours(notification_url=URL),
    "other installation": ours(notification_url=url(replace(QUERY, installation="test"))),
    "unknown key at another host": ours(notification_url=url(UNKNOWN_KID, "https://other.example/graph/notifications")),
    "unknown key at another port": ours(notification_url=url(UNKNOWN_KID, "https://hooks.example:8443/notifications")),
    "unknown key of another installation": ours(notification_url=url(NotificationQuery("callrecords", "k0", "test"))),
    "other slot": ours(notification_url=url(replace(QUERY, slot="emergency:all"))),
    "event hub": ours(notification_url="EventHub:https://n.servicebus.windows.net/eventhubname/h?tenantId=t"),
    "broken URL": ours(notification_url="https://[::1"),
}

SITUATIONS: dict[str, tuple[list[ListedSubscription], tuple[SubscriptionAction, ...]]] = {
    "nothing there": ([], (Create(ChangeReason.MISSING),)),
    "fresh": ([ours()], ()),
    "just before half life": ([ours(expires_at=HALF + timedelta(seconds=1))], ()),
    "at half life": ([ours(expires_at=HALF)], (Renew("a", ChangeReason.HALF_LIFE),)),
    "nearly over": ([ours(expires_at=NOW + timedelta(seconds=1))], (Renew("a", ChangeReason.HALF_LIFE),)),
    "over": ([ours(expires_at=NOW)], (Create(ChangeReason.MISSING),)),
    "expiry unreadable": ([ours(expires_at=None)], (Renew("a", ChangeReason.HALF_LIFE),)),
    "two of ours": ([ours(), ours(id="b", expires_at=HALF)], (Delete("b", ChangeReason.REPEATED),)),
    "old key": (
        [ours(notification_url=url(OTHER_KID))],
        replaced(ChangeReason.KEY_ROTATED),
    ),
    "other address": (
        [ours(notification_url=url(QUERY, "https://old.example/graph/notifications"))],
        replaced(ChangeReason.URL_CHANGED),
    ),
    "other lifecycle address": (
        [ours(lifecycle_url="https://old.example/graph/lifecycle")],
        replaced(ChangeReason.URL_CHANGED),
    ),
    "key that is not valid": ([ours(notification_url=url(UNKNOWN_KID))], replaced(ChangeReason.KEY_NOT_VALID)),
    "key that is not valid, host written otherwise": (
        [ours(notification_url=url(UNKNOWN_KID, "https://HOOKS.example:443/elsewhere"))],
        replaced(ChangeReason.KEY_NOT_VALID),
    ),
    "outdated at half life": (
        [ours(notification_url=url(OTHER_KID), expires_at=HALF)],
        (Renew("a", ChangeReason.HALF_LIFE), *replaced(ChangeReason.KEY_ROTATED)),
    ),
    "an old key that lives longer": (
        [ours(notification_url=url(OTHER_KID)), ours(id="b", expires_at=HALF + timedelta(minutes=1))],
        (Delete("a", ChangeReason.REPEATED),),
    ),
    "two old keys, one valid": (
        [ours(id="b", notification_url=url(UNKNOWN_KID)), ours(notification_url=url(OTHER_KID))],
        (Delete("b", ChangeReason.REPEATED), *replaced(ChangeReason.KEY_ROTATED)),
    ),
    "a proof left behind": ([ours(), PROOF], (Delete("p", ChangeReason.PROOF),)),
    "a proof left behind, written otherwise": (
        [replace(PROOF, resource="/Communications/CallRecords?%24filter=" + PROOF.resource.partition("=")[2].upper())],
        (Create(ChangeReason.MISSING), Delete("p", ChangeReason.PROOF)),
    ),
    "a proof left behind, and another address": (
        [PROOF, ours(notification_url=url(QUERY, "https://old.example/graph/notifications"))],
        (Delete("p", ChangeReason.PROOF), *replaced(ChangeReason.URL_CHANGED)),
    ),
    "another installation's proof": ([ours(), replace(PROOF, resource=proof_resource("test"))], ()),
    "same address, host written otherwise": (
        [ours(notification_url=url(QUERY, "https://HOOKS.example:443/graph/notifications"))],
        (),
    ),
    "lifecycle address not shown": ([ours(lifecycle_url=None)], ()),
    "query of the address itself": ([ours(notification_url=QUERY.added_to(URL + "?gateway=1"))], ()),
    "other resource beside it": (
        [ours(id="u", resource="users", notification_url="x")],
        (Create(ChangeReason.MISSING),),
    ),
    "filtered beside it": (
        [ours(id="f", resource="communications/callRecords?$filter=x", notification_url="x"), ours()],
        (),
    ),
    "other changeType": ([ours(id="c", change_type="created", notification_url="x")], (Create(ChangeReason.MISSING),)),
    "stranger and ours": ([ours(id="s", notification_url=URL), ours()], (Foreign("s"),)),
    "stranger and an old key of ours": (
        [ours(id="s", notification_url=URL), ours(notification_url=url(OTHER_KID), expires_at=HALF)],
        (Foreign("s"), Renew("a", ChangeReason.HALF_LIFE)),
    ),
}


@pytest.mark.parametrize(("seen", "actions"), SITUATIONS.values(), ids=SITUATIONS.keys())
def test_situation(seen: list[ListedSubscription], actions: tuple[SubscriptionAction, ...]) -> None:
    """Each situation has its actions, in their order."""
    assert plan(seen, WANTED, NOW) == actions


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS.keys())
def test_stranger_is_reported_and_left_alone(stranger: ListedSubscription) -> None:
    """What carries neither a valid key of our installation nor our host is not adopted, renewed or deleted."""
    assert plan([stranger], WANTED, NOW) == (Foreign("a"),)
    assert kept([stranger], WANTED, NOW) is None


@pytest.mark.parametrize("kid", ["k1", "k2"])
def test_nothing_is_rotated_while_the_active_key_may_not_sign(kid: str) -> None:
    """Neither the old key's subscription, nor one of another keeper that signs with the active key already."""
    waiting = replace(WANTED, query=OTHER_KID)
    assert plan([ours(notification_url=url(replace(QUERY, kid=kid)))], waiting, NOW) == ()


def test_reauthorization_is_a_renewal() -> None:
    """A fresh subscription that Graph wants reauthorised is renewed by PATCH, once per id."""
    actions = plan([ours()], WANTED, NOW, LifecycleHints(reauthorize=frozenset({"a", "unknown"})))
    assert actions == (Renew("a", ChangeReason.REAUTHORIZATION_REQUIRED),)


def test_removed_is_recreated_whatever_the_list_says() -> None:
    """Graph's word that it removed a subscription counts more than its list, which may lag."""
    assert plan([ours()], WANTED, NOW, LifecycleHints(removed=frozenset({"a"}))) == (Create(ChangeReason.MISSING),)


@pytest.mark.parametrize(
    ("passed", "actions"),
    [
        (timedelta(minutes=35), ()),
        (timedelta(minutes=36), (Renew("a", ChangeReason.HALF_LIFE),)),
        (timedelta(minutes=71), (Create(ChangeReason.MISSING),)),
    ],
)
def test_time_scale(passed: timedelta, actions: tuple[SubscriptionAction, ...]) -> None:
    """At a scale of 60 a subscription of 70 hours is half over after 35 real minutes, though its expiry stays real."""
    assert plan([ours(expires_at=NOW - passed + LIFETIME)], replace(WANTED, time_scale=60), NOW) == actions


@pytest.mark.parametrize(
    ("passed", "scale", "actions"),
    [
        (timedelta(minutes=29), 1, ()),
        (timedelta(minutes=30), 1, (Renew("a", ChangeReason.HALF_LIFE),)),
        (timedelta(minutes=60), 1, (Create(ChangeReason.MISSING),)),
        (timedelta(seconds=29), 60, ()),
        (timedelta(seconds=30), 60, (Renew("a", ChangeReason.HALF_LIFE),)),
    ],
)
def test_a_shorter_life_than_asked_for(
    passed: timedelta, scale: float, actions: tuple[SubscriptionAction, ...]
) -> None:
    """Half of the life Graph granted counts; measured by the one asked for, every look would renew."""
    life = timedelta(hours=1)
    wanted = replace(WANTED, granted={"a": life}, time_scale=scale)
    assert plan([ours(expires_at=NOW - passed + life)], wanted, NOW) == actions


def test_lifecycle_address_beside_the_notifications() -> None:
    """A tenant without a lifecycle URL gets the sibling of its notification URL, query kept."""
    assert lifecycle_url_of("https://h/a/notifications?x=1") == "https://h/a/lifecycle?x=1"


SEEN = st.builds(
    ListedSubscription,
    id=st.uuids().map(str),
    resource=st.sampled_from(
        [
            "communications/callRecords",
            "/Communications/CallRecords",
            proof_resource("prod"),
            "users",
        ]
    ),
    change_type=st.sampled_from(["updated", "created"]),
    notification_url=st.sampled_from(
        [
            OURS.notification_url,
            url(OTHER_KID),
            url(UNKNOWN_KID),
            URL,
            "x",
            url(QUERY, "https://old/n"),
        ]
    ),
    lifecycle_url=st.sampled_from([OURS.lifecycle_url, None, "https://old/l"]),
    expires_at=st.none() | st.timedeltas(timedelta(days=-1), LIFETIME).map(lambda ahead: NOW + ahead),
)


def carried_out(seen: list[ListedSubscription], actions: tuple[SubscriptionAction, ...]) -> list[ListedSubscription]:
    """The list after Graph has done what was asked."""
    for action in actions:
        match action:
            case Create():
                seen = [*seen, ours(id="new")]
            case Renew(subscription_id):
                seen = [replace(s, expires_at=NOW + LIFETIME) if s.id == subscription_id else s for s in seen]
            case Delete(subscription_id):
                seen = [s for s in seen if s.id != subscription_id]
            case Foreign() | Prove():
                pass
    return seen


@given(st.lists(SEEN, max_size=6, unique_by=lambda s: s.id))
def test_one_pass_reaches_rest(seen: list[ListedSubscription]) -> None:
    """After what was decided is done nothing is left to do but to report strangers, and strangers are untouched."""
    actions = plan(seen, WANTED, NOW)
    after = carried_out(seen, actions)
    assert all(isinstance(action, Foreign) for action in plan(after, WANTED, NOW))
    untouchable = {s.id for s in seen if s.notification_url in {URL, "x"} and s.resource != PROOF.resource}
    assert untouchable <= {s.id for s in after}


@given(st.lists(SEEN, max_size=6, unique_by=lambda s: s.id))
def test_never_two_and_never_beside_a_stranger(seen: list[ListedSubscription]) -> None:
    """At most one subscription is created, never while another one of the same subject stands, which Graph refuses."""
    actions = plan(seen, WANTED, NOW)
    creates = [action for action in actions if isinstance(action, Create)]
    assert len(creates) <= 1
    assert not (creates and any(isinstance(action, Foreign) for action in actions))


@given(st.lists(SEEN, max_size=6, unique_by=lambda s: s.id))
def test_the_kept_one_goes_only_when_its_successor_is_proven(seen: list[ListedSubscription]) -> None:
    """Its deletion stands right behind a proof and right before a creation; renewals come before all of them."""
    actions, present = plan(seen, WANTED, NOW), kept(seen, WANTED, NOW)
    kinds = [type(action) for action in actions]
    deletions = [
        i for i, a in enumerate(actions) if isinstance(a, Delete) and present and a.subscription_id == present.id
    ]
    assert all(kinds[i - 1 :] == [Prove, Delete, Create] for i in deletions)
    assert Renew not in kinds or set(kinds[: kinds.index(Renew)]) <= {Foreign}
