"""What the keeper knows about one tenant it owns, and when it looks at it next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ringback_common.backoff import Backoff

from ringback_ingest.keeper.core.outcomes import SubscriptionConflict
from ringback_ingest.keeper.core.plan import LifecycleHints, SubscriptionAction
from ringback_ingest.keeper.core.verdict import (
    ChangeStep,
    SubscriptionState,
    SubscriptionVerdict,
    failed,
    unrenewed,
    vanished,
)

__all__ = ["TenantWatch"]

LOOK_SECONDS = 120.0
"""Between two looks at a healthy tenant; Graph gives no sign when a subscription vanishes."""

_AGAIN = Backoff(5.0, LOOK_SECONDS)
_SPACING_SECONDS = 5.0
"""Looks that are asked for are at least this far apart: lifecycle events come in bursts, and Graph's list lags."""


@dataclass(slots=True)
class TenantWatch:
    """The state of one tenant; all times are monotonic seconds but `expires_at`.

    Attributes:
        due_at: when to look at it next.
        reauthorize: subscriptions Graph wants reauthorised.
        removed: subscriptions Graph says it removed.
        granted: how long Graph let subscriptions live when it was last asked, by id.
        missed: `missed` events so far; the back-fill they ask for is not part of the keeper yet.
        reason: why it is not as it should be, a bounded word.
        graph_says: Graph's own sentence about it, without data.
        outdated: why the present subscription is to be replaced, while that is not done.
        failures: looks in a row that failed.
        not_before: until then Graph wants to be left alone.
    """

    due_at: float = 0.0
    situation: SubscriptionState = SubscriptionState.UNKNOWN
    reason: str | None = None
    graph_says: str | None = None
    outdated: str | None = None
    expires_at: datetime | None = None
    looked_at: float | None = None
    missed: int = 0
    reauthorize: set[str] = field(default_factory=set[str])
    removed: set[str] = field(default_factory=set[str])
    granted: dict[str, timedelta] = field(default_factory=dict[str, timedelta])
    failures: int = 0
    not_before: float = 0.0

    def handle(self, lifecycle_event: str, subscription_id: str, now: float) -> None:
        """Take a lifecycle event in; what it asks for is done at the next look, which comes soon."""
        match lifecycle_event:
            case "reauthorizationRequired":
                self.reauthorize.add(subscription_id)
            case "subscriptionRemoved":
                self.removed.add(subscription_id)
            case "missed":
                self.missed += 1
                return
            case _:
                return
        earliest = now if self.looked_at is None else self.looked_at + _SPACING_SECONDS
        self.due_at = min(self.due_at, max(now, earliest, self.not_before))

    def hasten(self, now: float) -> None:
        """Have the next visit come now, but not before Graph allows."""
        self.due_at = min(self.due_at, max(now, self.not_before))

    def wishes(self) -> LifecycleHints:
        """What a visit that begins now is to act on; more may come in while it lasts."""
        return LifecycleHints(frozenset(self.reauthorize), frozenset(self.removed))

    def met(self, wishes: LifecycleHints, actions: Sequence[SubscriptionAction], steps: Sequence[ChangeStep]) -> None:
        """Forget what a visit has done, and note which subscriptions it did not find.

        A conflict refutes what was said to be removed: Graph has a subscription, which its list may show.
        """
        self.reauthorize -= wishes.reauthorize - unrenewed(actions, steps)
        outcome = steps[-1].outcome if steps else None
        if outcome is None or isinstance(outcome, SubscriptionConflict) or not failed(outcome):
            self.removed -= wishes.removed
        self.removed |= vanished(steps)

    def judged(self, verdict: SubscriptionVerdict, now: float, time_scale: float) -> None:
        """A visit is over: the next one comes after the usual interval, or sooner if something failed.

        The pauses begin anew when another thing fails: a subscription that is missing now must not wait as long as one
        that has been out of date for a day.
        """
        if verdict.reason is None or verdict.situation is not self.situation:
            self.failures = 0
        self.situation, self.reason = verdict.situation, verdict.reason
        self.looked_at = now
        if verdict.reason is None:
            self.due_at = now + LOOK_SECONDS / time_scale
            return
        self.failures += 1
        pause = _AGAIN.after(self.failures)
        self.not_before = now + verdict.wait
        self.due_at = now + max(pause, verdict.wait)
