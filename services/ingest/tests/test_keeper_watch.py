"""When a tenant is looked at again."""

from ringback_ingest.keeper.core.verdict import SubscriptionState, SubscriptionVerdict
from ringback_ingest.keeper.core.watch import LOOK_SECONDS, TenantWatch

ACTIVE = SubscriptionVerdict(SubscriptionState.ACTIVE)
FAILING = SubscriptionVerdict(SubscriptionState.FAILING, "transient")


def test_new_watch_is_due_at_once() -> None:
    """A tenant just taken over is looked at without waiting."""
    assert TenantWatch().due_at <= 0


def test_success_waits_a_scaled_interval() -> None:
    """A healthy tenant is looked at every two minutes of Graph's time."""
    watch = TenantWatch()
    watch.judged(ACTIVE, now=100.0, time_scale=60.0)
    assert watch.due_at == 100.0 + LOOK_SECONDS / 60


def test_failures_back_off_to_the_interval() -> None:
    """Repeated failures wait longer and longer, never longer than a healthy tenant, and a success ends that."""
    watch, waits = TenantWatch(), list[float]()
    for _ in range(8):
        watch.judged(FAILING, now=0.0, time_scale=1.0)
        waits.append(watch.due_at)
    assert waits[0] == 5.0
    assert waits == sorted(waits)
    assert waits[-1] == LOOK_SECONDS
    watch.judged(ACTIVE, now=0.0, time_scale=1.0)
    watch.judged(FAILING, now=0.0, time_scale=1.0)
    assert watch.due_at == 5.0


def test_another_failure_begins_with_a_short_pause() -> None:
    """A subscription that is missing now does not wait as long as one that was out of date for a day."""
    watch = TenantWatch()
    for _ in range(8):
        watch.judged(SubscriptionVerdict(SubscriptionState.OUTDATED, "validation"), now=0.0, time_scale=1.0)
    assert watch.due_at == LOOK_SECONDS
    watch.judged(SubscriptionVerdict(SubscriptionState.MISSING, "validation"), now=0.0, time_scale=1.0)
    assert watch.due_at == 5.0


def test_never_before_graph_allows() -> None:
    """Graph's Retry-After holds, however long it is."""
    watch = TenantWatch()
    watch.judged(SubscriptionVerdict(SubscriptionState.FAILING, "throttled", 900.0), now=0.0, time_scale=1.0)
    assert watch.due_at == 900.0


def test_lifecycle_event_brings_the_look_forward() -> None:
    """What Graph asks for is done at once, but a burst of events is one look."""
    watch = TenantWatch()
    watch.judged(ACTIVE, now=0.0, time_scale=1.0)
    watch.handle("reauthorizationRequired", "a", now=60.0)
    watch.handle("subscriptionRemoved", "b", now=60.0)
    assert (watch.due_at, watch.reauthorize, watch.removed) == (60.0, {"a"}, {"b"})
    watch.judged(ACTIVE, now=61.0, time_scale=1.0)
    watch.handle("reauthorizationRequired", "a", now=62.0)
    assert watch.due_at == 66.0


def test_lifecycle_event_does_not_shorten_retry_after() -> None:
    """An event, which anybody with a subscription can cause, does not make us ask before Graph allows."""
    watch = TenantWatch()
    watch.judged(SubscriptionVerdict(SubscriptionState.FAILING, "throttled", 900.0), now=0.0, time_scale=1.0)
    watch.handle("reauthorizationRequired", "a", now=10.0)
    assert watch.due_at == 900.0


def test_a_change_of_the_file_does_not_shorten_retry_after() -> None:
    """The next visit comes at once, but not before Graph allows."""
    watch = TenantWatch()
    watch.judged(FAILING, now=0.0, time_scale=1.0)
    watch.hasten(now=1.0)
    assert watch.due_at == 1.0
    watch.judged(SubscriptionVerdict(SubscriptionState.FAILING, "throttled", 900.0), now=1.0, time_scale=1.0)
    watch.hasten(now=2.0)
    assert watch.due_at == 901.0


def test_missed_is_noted_only() -> None:
    """A `missed` event is counted for the status; it changes nothing about the subscription."""
    watch = TenantWatch()
    watch.judged(ACTIVE, now=0.0, time_scale=1.0)
    watch.handle("missed", "a", now=1.0)
    watch.handle("unheardOf", "a", now=1.0)
    assert (watch.missed, watch.due_at) == (1, LOOK_SECONDS)
