"""What the keeper does with Graph's lifecycle events."""

from collections.abc import Callable, Sequence

from pydantic import ValidationError
from ringback_common.outcomes import Drop, Emit, Outcome, Reason, Received, Reject
from ringback_events.platform_events import LifecycleEvent

__all__ = ["KeeperStep", "exhausted"]


class KeeperStep:
    """Hands each event to the rounds."""

    def __init__(self, handle: Callable[[LifecycleEvent], bool]) -> None:
        self._handle = handle

    async def __call__(self, waiting: Sequence[Received]) -> Sequence[Outcome]:
        """Judge each record by itself."""
        return [self._event(record) for record in waiting]

    def _event(self, record: Received) -> Outcome:
        try:
            event = LifecycleEvent.model_validate_json(record.value or b"")
        except ValidationError as invalid:
            first = invalid.errors(include_input=False, include_url=False, include_context=False)[0]
            reason = Reason.UNDECODABLE if first["type"] == "json_invalid" else Reason.SCHEMA_INVALID
            return Reject(reason, error_class=".".join(str(part) for part in first["loc"]))
        return Emit() if self._handle(event) else Drop(Reason.UNKNOWN_TENANT)


def exhausted(_record: Received, _attempts: int) -> Outcome:
    """The step makes no request, so it cannot fail for one; if it ever did, a dead letter keeps the record."""
    return Reject(Reason.UPSTREAM_ERROR)
