"""Log lines about POSTs, whose number others decide: each sentence once a minute, with how often it applied."""

from collections import Counter

from ringback_common import logs
from ringback_common.clock import Clock

from ringback_ingest.webhook.core.admission import Status

__all__ = ["Alarms"]

_QUIET_SECONDS = 60.0

_log = logs.logger(__name__)


class Alarms:
    """Says what an operator has to know about POSTs that could not be used."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._quiet_until: dict[str, float] = {}
        self._since: Counter[str] = Counter()

    def undecodable(self, kid: str) -> None:
        """A body, or a part of it, that came to a URL of ours could not be read."""
        if count := self._due("undecodable"):
            _log.error("A body for a subscription of ours cannot be decoded: answered 503.", kid=kid, count=count)

    def undecodable_dropped(self, reason: str, kid: str | None = None) -> None:
        """A body, or a part of it, that could not be read was answered 202: Graph does not send it again.

        Args:
            reason: how the key stands that its URL names, or `not_ours`; one of few, for each has its own minute.
            kid: of a URL that may be ours; without one it may be from anywhere, so it is a warning.
        """
        if count := self._due(f"undecodable {reason}"):
            log = _log.warning if kid is None else _log.error
            log("A body that cannot be decoded was dropped: answered 202.", reason=reason, kid=kid, count=count)

    def awaiting_key(self, kid: str) -> None:
        """Items name a key that may still come."""
        if count := self._due("awaiting_key"):
            _log.warning("Items of ours name a key that is not in the keys file: answered 503.", kid=kid, count=count)

    def unknown_kid(self, kid: str) -> None:
        """Items name a key that did not come, or was withdrawn."""
        if count := self._due("unknown_kid"):
            _log.error("Items of ours name a key that is gone: dropped.", kid=kid, count=count)

    def handshake_refused(self, status: Status) -> None:
        """A request with a validation token was not echoed; it may be from anywhere, so it is a warning."""
        if count := self._due(f"handshake {status.name}"):
            _log.warning(
                "A validation handshake was refused: Graph will not make the subscription.",
                reason=status.name.lower(),
                status=int(status),
                count=count,
            )

    def _due(self, what: str) -> int:
        """How many POSTs a line written now stands for; 0 when it was written less than a minute ago."""
        self._since[what] += 1
        now = self._clock.monotonic()
        if now < self._quiet_until.get(what, now):
            return 0
        self._quiet_until[what] = now + _QUIET_SECONDS
        return self._since.pop(what)
