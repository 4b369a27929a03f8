"""The action that each outcome and each exception leads to; bad data is an outcome, exceptions mean transient or bug.

The runners and the outcome handler look outcomes and `Transient` up here and carry the actions out. All other
exceptions are not looked up: they rise, and the `except` clauses of the supervisor and of `ringback_common.process` act
on them by their class. Their rows state what these do, and a change there belongs here too. A `MessageTooLarge` of the
producer has no row: the outcome handler makes a `Reject` of it.
"""

import asyncio
from enum import StrEnum

from ringback_common.errors import ConfigError, DeadLetterLimit, Throttled, Transient
from ringback_common.outcomes import Drop, Emit, Outcome, Reject

__all__ = ["ACTION_BY_RESULT", "Action", "FailureContext", "action_for"]


class Action(StrEnum):
    """What is done, and by what."""

    PUBLISH = "publish"
    """Produce the stages, each acked before the next; then the record is finished (outcome handler)."""
    COUNT = "count"
    """Finish it and count the reason (outcome handler)."""
    DEAD_LETTER = "dead_letter"
    """Write it to the dead letters, acked; then it is finished (outcome handler)."""
    WAIT = "wait"
    """The scope waits exactly as long as Graph asked; nothing is committed (keyed runner)."""
    PAUSE = "pause"
    """Everything waits for a probe; polling goes on, nothing is committed (keyed runner)."""
    RETRY = "retry"
    """The same key again, after a pause; others go on (keyed runner)."""
    GIVE_UP = "give_up"
    """`on_exhausted` of the flow decides: a retry tier, at last a dead letter (keyed runner)."""
    REDELIVER = "redeliver"
    """Nothing is committed; the next owner of the partition gets it again (the cancelled task ends)."""
    HALT = "halt"
    """Leave the group, write the halt to `control`, stay live and not ready until an operator resumes (supervisor)."""
    EXIT_CONFIGURATION = "exit_configuration"
    """End with code 2 and one sentence (`ringback_common.process.run`)."""
    EXIT_CRASH = "exit_crash"
    """End with code 1, nothing committed; the orchestrator restarts the process (`ringback_common.process.run`)."""


class FailureContext(StrEnum):
    """The state of the runner when a transient failure occurs."""

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

ACTION_BY_RESULT: tuple[tuple[type, Action | dict[FailureContext, Action]], ...] = (
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
"""The first class that matches decides, so a subclass stands before its base."""


def action_for(result: Outcome | BaseException, situation: FailureContext = FailureContext.ALONE) -> Action:
    """The action for an outcome or an exception, by its class.

    Args:
        result: what a step returned or raised.
        situation: decides for a `Transient` that is no `Throttled`; any other result leads to the same in each.
    """
    action = next(action for kind, action in ACTION_BY_RESULT if isinstance(result, kind))
    return action if isinstance(action, Action) else action[situation]
