"""What the keeper does with the records of its two topics: lifecycle events and commands."""

from collections.abc import Callable, Sequence

from pydantic import ValidationError
from ringback_common.outcomes import Drop, Emit, Outcome, Reason, Received, Reject
from ringback_events.platform_events import LifecycleEvent
from ringback_events.topics import COMMANDS

__all__ = ["KeeperStep", "exhausted"]


class KeeperStep:
    """Hands lifecycle events to the rounds. No command is defined yet: one that comes is refused, not ignored."""

    def __init__(self, handle: Callable[[LifecycleEvent], bool]) -> None:
        self._handle = handle

    async def __call__(self, waiting: Sequence[Received]) -> Sequence[Outcome]:
        """Judge each record by itself."""
        return [self._command() if record.topic == COMMANDS.name else self._event(record) for record in waiting]

    def _event(self, record: Received) -> Outcome:
        try:
            event = LifecycleEvent.model_validate_json(record.value or b"")
        except ValidationError as invalid:
            first = invalid.errors(include_input=False, include_url=False, include_context=False)[0]
            reason = Reason.UNDECODABLE if first["type"] == "json_invalid" else Reason.SCHEMA_INVALID
            return Reject(reason, error_class=".".join(str(part) for part in first["loc"]))
        return Emit() if self._handle(event) else Drop(Reason.UNKNOWN_TENANT)

    def _command(self) -> Outcome:
        return Reject(Reason.REFUSED, error_class="unknown_command")


def exhausted(_record: Received, _attempts: int) -> Outcome:
    """The step makes no request, so it cannot fail for one; if it ever did, a dead letter keeps the record."""
    return Reject(Reason.UPSTREAM_ERROR)
