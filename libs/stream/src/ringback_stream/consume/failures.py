"""What an outcome or an exception leads to: the one table every process obeys.

Bad data is an outcome; exceptions mean transient or bug.
"""

import asyncio
from enum import StrEnum

from ringback_common.errors import ConfigError, DeadLetterLimit, Throttled, Transient
from ringback_common.outcomes import Drop, Emit, Outcome, Reject

__all__ = ["TABLE", "Action", "FailureContext", "action_for"]


class Action(StrEnum):
    """What the shell does."""

    PUBLISH = "publish"
    """Produce the stages, each acked before the next; then the record is finished."""
    COUNT = "count"
    """Finish it and count the reason."""
    DEAD_LETTER = "dead_letter"
    """Write it to the dead letters, acked; then it is finished."""
    WAIT = "wait"
    """The scope waits exactly as long as Graph asked; nothing is committed."""
    PAUSE = "pause"
    """Everything waits for a probe; polling goes on, nothing is committed."""
    RETRY = "retry"
    """The same key again, after a pause; others go on."""
    GIVE_UP = "give_up"
    """The service says what becomes of it: a retry tier, at last a dead letter."""
    REDELIVER = "redeliver"
    """Nothing is committed; the next owner of the partition gets it again."""
    HALT = "halt"
    """Leave the group, say so in `control`, stay up, live and not ready until an operator resumes."""
    EXIT_CONFIGURATION = "exit_configuration"
    """End with code 2 and one sentence."""
    EXIT_CRASH = "exit_crash"
    """End with code 1, nothing committed; the orchestrator restarts the process."""


class FailureContext(StrEnum):
    """What a transient failure meets."""

    ALONE = "alone"
    """Others succeed, and the in-place budget is not used up."""
    EXHAUSTED = "exhausted"
    """Others succeed, and the in-place budget is used up."""
    GENERAL = "general"
    """Most calls fail: the breaker is open."""


_TRANSIENT = {
    FailureContext.ALONE: Action.RETRY,
    FailureContext.EXHAUSTED: Action.GIVE_UP,
    FailureContext.GENERAL: Action.PAUSE,
}

TABLE: tuple[tuple[type, Action | dict[FailureContext, Action]], ...] = (
    (Emit, Action.PUBLISH),
    (Drop, Action.COUNT),
    (Reject, Action.DEAD_LETTER),
    (Throttled, Action.WAIT),
    (Transient, _TRANSIENT),
    (DeadLetterLimit, Action.HALT),
    (ConfigError, Action.EXIT_CONFIGURATION),
    (asyncio.CancelledError, Action.REDELIVER),
    (BaseException, Action.EXIT_CRASH),
)
"""First match wins, so a subclass comes before its base."""


def action_for(result: Outcome | BaseException, situation: FailureContext = FailureContext.ALONE) -> Action:
    """Look a result up in the table."""
    action = next(action for kind, action in TABLE if isinstance(result, kind))
    return action if isinstance(action, Action) else action[situation]
