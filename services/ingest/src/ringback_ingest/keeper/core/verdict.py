"""How a tenant's subscription stands after a visit, judged from what was done and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ringback_ingest.keeper.core.outcomes import (
    ChangeDone,
    ChangeOutcome,
    ChangeRefused,
    ChangeUnanswered,
    SubscriptionConflict,
    SubscriptionGone,
)
from ringback_ingest.keeper.core.plan import Change, Create, Foreign, Prove, Renew, SubscriptionAction
from ringback_ingest.keeper.core.subscription import ListedSubscription

__all__ = [
    "ChangeStep",
    "SubscriptionState",
    "SubscriptionVerdict",
    "confirmed_lives",
    "expiry",
    "failed",
    "unlisted",
    "unrenewed",
    "vanished",
    "verdict",
    "word",
]  # fmt: skip


class SubscriptionState(StrEnum):
    """How a tenant's subscription stands."""

    UNKNOWN = "unknown"
    ACTIVE = "active"
    OUTDATED = "outdated"
    """It is kept and renewed, but not what the files say: what they say could not be proven."""
    MISSING = "missing"
    """There is none, and creating one failed."""
    FOREIGN_SUBSCRIPTION = "foreign_subscription"
    """One that is not ours stands in the way."""
    FAILING = "failing"
    """Graph does not let us see or renew it."""


@dataclass(frozen=True, slots=True)
class ChangeStep:
    """A change that was asked of Graph, and what became of it."""

    action: Change
    outcome: ChangeOutcome


@dataclass(frozen=True, slots=True)
class SubscriptionVerdict:
    """The situation; if it is not as it should be why, a bounded word, and how many seconds Graph asks to wait."""

    situation: SubscriptionState
    reason: str | None = None
    wait: float = 0.0


def unlisted(failure: ChangeRefused | ChangeUnanswered) -> SubscriptionVerdict:
    """The verdict when Graph did not list the tenant's subscriptions."""
    return SubscriptionVerdict(SubscriptionState.FAILING, word(failure), _wait(failure))


def failed(outcome: ChangeOutcome) -> bool:
    """Whether what was to follow must not be tried."""
    return isinstance(outcome, SubscriptionConflict | ChangeRefused | ChangeUnanswered)


def verdict(actions: Sequence[SubscriptionAction], steps: Sequence[ChangeStep]) -> SubscriptionVerdict:
    """Judge a visit.

    Args:
        actions: what was planned.
        steps: what was done of it, in order; only the last can have failed.
    """
    if steps and failed(steps[-1].outcome):
        return _failure(actions, steps[-1])
    if any(isinstance(action, Foreign) for action in actions):
        return SubscriptionVerdict(SubscriptionState.FOREIGN_SUBSCRIPTION)
    if vanished(steps) and not _created(steps):
        return SubscriptionVerdict(SubscriptionState.MISSING, "gone")
    return SubscriptionVerdict(SubscriptionState.ACTIVE)


def _failure(actions: Sequence[SubscriptionAction], step: ChangeStep) -> SubscriptionVerdict:
    match step:
        case ChangeStep(Create(), SubscriptionConflict()):
            return SubscriptionVerdict(SubscriptionState.FOREIGN_SUBSCRIPTION, "conflict")
        case ChangeStep(Create(), _):
            situation = SubscriptionState.MISSING
        case ChangeStep(Renew(), _):
            situation = SubscriptionState.FAILING
        case _:
            replacing = any(isinstance(action, Prove) for action in actions)
            situation = SubscriptionState.OUTDATED if replacing else SubscriptionState.FAILING
    return SubscriptionVerdict(situation, word(step.outcome), _wait(step.outcome))


def _wait(outcome: ChangeOutcome) -> float:
    return outcome.retry_after if isinstance(outcome, ChangeUnanswered) else 0.0


def word(outcome: ChangeOutcome) -> str:
    """An outcome as one bounded word, for audit, metrics and logs."""
    match outcome:
        case ChangeRefused(reason) | ChangeUnanswered(reason):
            return reason
        case ChangeDone():
            return "done"
        case SubscriptionGone():
            return "gone"
        case SubscriptionConflict():
            return "conflict"


def _created(steps: Sequence[ChangeStep]) -> bool:
    return any(isinstance(step.action, Create) and isinstance(step.outcome, ChangeDone) for step in steps)


def vanished(steps: Sequence[ChangeStep]) -> frozenset[str]:
    """Renewals that found nothing: those subscriptions are gone, whatever Graph's list still shows."""
    return frozenset(
        step.action.subscription_id
        for step in steps
        if isinstance(step.action, Renew) and isinstance(step.outcome, SubscriptionGone)
    )


def unrenewed(actions: Sequence[SubscriptionAction], steps: Sequence[ChangeStep]) -> frozenset[str]:
    """Subscriptions whose renewal was planned and not done."""
    done = {step.action for step in steps if not failed(step.outcome)}
    return frozenset(action.subscription_id for action in actions if isinstance(action, Renew) and action not in done)


def expiry(kept: ListedSubscription | None, steps: Sequence[ChangeStep]) -> datetime | None:
    """When the tenant's subscription ends; None if it has none. `kept` is the one that was listed."""
    ends = kept.expires_at if kept else None
    for step in steps:
        match step:
            case ChangeStep(Create() | Renew(), ChangeDone(_, datetime() as confirmed)):
                ends = confirmed
            case ChangeStep(Create(), _) | ChangeStep(Renew(), SubscriptionGone()):
                ends = None
            case _:
                pass
    return ends


def confirmed_lives(steps: Sequence[ChangeStep], asked_at: datetime) -> dict[str, timedelta]:
    """How long Graph lets subscriptions live that were created or renewed, by id; an end in the past says nothing."""
    ends = (
        step.outcome
        for step in steps
        if isinstance(step.action, Create | Renew) and isinstance(step.outcome, ChangeDone)
    )
    lives = {done.subscription_id: done.expires_at - asked_at for done in ends if done.expires_at is not None}
    return {name: life for name, life in lives.items() if life > timedelta(0)}
