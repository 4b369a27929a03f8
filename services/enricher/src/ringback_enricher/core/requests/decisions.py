"""What becomes of a request that got no record, or an older one than it asked for.

The table `_PATIENCE` is the failure table of the documentation: how often to look again, on which tier, and what then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ringback_common.outcomes import Accounting, Drop, Emit, Message, MessageHeaders, Outcome, Reason, Received, Reject
from ringback_events import topics
from ringback_events.header_names import ATTEMPT, DUE, KNOWN_VERSION, LAST_HOP, LOOKS, READ, REASON
from ringback_events.keys import call_key
from ringback_events.topics import Topic

from ringback_enricher.core.requests.pending_fetch import PendingFetch, attempts_header

__all__ = [
    "CHECK_AFTER",
    "Schedule",
    "await_sessions",
    "check_version_later",
    "decide",
    "longest_waits",
    "look_again",
    "move_to_bulk",
    "put_aside",
    "wait_for_read",
]


@dataclass(frozen=True, slots=True)
class _Tier:
    topic: Topic
    wait: timedelta
    least: timedelta = timedelta(0)
    """However fast Graph's slowness passes."""

    def lasts(self, time_scale: float) -> timedelta:
        """How long a request waits on it."""
        return max(self.wait / time_scale, self.least)


# A request that waits for a read of its call comes again and again until that has ended.
_SOON = _Tier(topics.FETCH_RETRY_10S, timedelta(seconds=10), least=timedelta(seconds=1))
_SHORT = _Tier(topics.FETCH_RETRY_2M, timedelta(minutes=2))
_LONG = _Tier(topics.FETCH_RETRY_60M, timedelta(minutes=60))
_TIERS = (_SOON, _SHORT, _LONG)
CHECK_AFTER = _SHORT.wait
"""How long after a fetch that brought nothing newer Graph is asked once more."""
_SIX_ATTEMPTS = (_SHORT, _SHORT, _SHORT, _LONG, _LONG, _LONG)
_NO_LOOKS: tuple[_Tier, ...] = ()
_A_DAY = (_SOON, _SHORT, _SHORT, _SHORT) + (_LONG,) * 24

_PATIENCE: dict[Reason, tuple[_Tier, ...]] = {
    Reason.NOT_FOUND: _SIX_ATTEMPTS,
    Reason.FORBIDDEN: _SIX_ATTEMPTS,
    Reason.VERSION_UNSTABLE: _SIX_ATTEMPTS,
    # Graph is known to answer so once and to have the record a second later: one such answer proves nothing.
    Reason.REFUSED: _SIX_ATTEMPTS,
    Reason.MALFORMED_RECORD: _SIX_ATTEMPTS,
    Reason.VERSION_BEHIND: (_SHORT, _SHORT, _SHORT),
    Reason.SESSIONS_MISSING: (_SOON, _SHORT, _SHORT),
    Reason.UNKNOWN_TENANT: (_SHORT,) * 5,  # 10 minutes: the time a tenants file may lag behind a subscription
    Reason.UPSTREAM_ERROR: _A_DAY,
    Reason.THROTTLED: _A_DAY,
    Reason.SLOW: _A_DAY,
}
"""The tiers a reason goes through, one look each; a reason that is not here is final at once."""

_MOST_LOOKS = max(len(tiers) for tiers in _PATIENCE.values())
"""Over all reasons: failures that take turns are together no longer deserving than the most deserving one, a day."""

_NOT_YET = timedelta(minutes=150)
"""Graph's bound for the first version of a record; a 404 after it means "gone"."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to look again.

    Attributes:
        now: the wall clock, UTC.
        time_scale: divides every wait; 1 in production.
    """

    now: datetime
    time_scale: float = 1.0

    def scaled(self, wait: timedelta) -> timedelta:
        """A wait that stands for Graph's slowness."""
        return wait / self.time_scale

    def due(self, wait: timedelta) -> bytes:
        """The moment after that wait, scaled already, in epoch milliseconds."""
        return str(int((self.now + wait).timestamp() * 1000)).encode()


def longest_waits(time_scale: float) -> Mapping[Topic, float]:
    """How many seconds a request waits on each tier."""
    return {tier.topic: tier.lasts(time_scale).total_seconds() for tier in _TIERS}


def decide(
    reason: Reason,
    request: PendingFetch,
    schedule: Schedule,
    error_class: str = "",
    *,
    not_before: timedelta = timedelta(0),
) -> Outcome:
    """Answer a request that got no record: look again while the reason deserves patience, then refuse it.

    Args:
        reason: why there is no record.
        request: what was asked.
        schedule: the clock.
        error_class: of the dead letter.
        not_before: how long Graph asked to wait, unscaled; the request goes to a tier whose wait is at least that, or
            to the longest there is.
    """
    if request.is_canary:
        return Drop(Reason.CANARY)
    again = None if _is_final(reason, request, schedule) else look_again(reason, request, schedule, not_before)
    return Reject(reason, error_class) if again is None else _deferred(again, reason)


def look_again(
    reason: Reason, request: PendingFetch, schedule: Schedule, not_before: timedelta = timedelta(0)
) -> Message | None:
    """The request on its next tier, or None when its looks are used up; each reason has its own."""
    tiers, looked = _PATIENCE.get(reason, _NO_LOOKS), request.attempts.get(reason, 0)
    if looked >= len(tiers) or sum(request.attempts.values()) >= _MOST_LOOKS:
        return None
    usual = tiers[looked]
    enough = (tier for tier in _TIERS if tier.wait >= usual.wait and schedule.scaled(tier.wait) >= not_before)
    return _on_tier(next(enough, _LONG), request, reason, {**request.attempts, reason: looked + 1}, schedule)


def await_sessions(requests: Sequence[PendingFetch], schedule: Schedule) -> list[Outcome] | None:
    """Defer all requests of a call that came without its sessions; None if one of them has no look left.

    Then it is published as it is, for all: whatever is published of a version first is what every consumer keeps. A
    canary has no say in that and waits for nothing: it has proved the path up to here, and nothing is published for it.
    """
    waiting = [_await_sessions(request, schedule) for request in requests]
    outcomes = [outcome for outcome in waiting if outcome is not None]
    return outcomes if len(outcomes) == len(requests) else None


def _await_sessions(request: PendingFetch, schedule: Schedule) -> Outcome | None:
    if request.is_canary:
        return Drop(Reason.CANARY)
    again = look_again(Reason.SESSIONS_MISSING, request, schedule)
    return None if again is None else _deferred(again, Reason.SESSIONS_MISSING)


def put_aside(received: Received, lane: str, reason: Reason) -> Outcome:
    """Let a request wait on a lane, a topic's name, for its tenant's sake; its looks stay, for it was not tried.

    Nor is it read: whether it is a request at all shows when it is tried, where what is refused is counted to a halt.
    """
    kept = tuple((name, value) for name, value in received.headers if value is not None and name not in LAST_HOP)
    message = Message(lane, received.key or b"", received.value, (*kept, (REASON, reason.value.encode())))
    return _deferred(message, reason)


def wait_for_read(request: PendingFetch, read: bytes | None, schedule: Schedule, *, counted: bool) -> Outcome:
    """Look again soon at a request whose call is being read for longer than the request may be in hand.

    Args:
        request: what was asked.
        read: the name of the read, if it is one for this request; else the request keeps the name it has.
        schedule: the clock.
        counted: whether that is held against the request, as its own slowness.
    """
    if request.is_canary:
        return Drop(Reason.CANARY)
    message = _on_tier(_SOON, request, Reason.SLOW, request.attempts, schedule)
    if counted:
        again = look_again(Reason.SLOW, request, schedule)
        if again is None:
            return Reject(Reason.SLOW)
        message = again
    known = dict(request.received.headers).get(READ) if read is None else read
    mark = () if known is None else ((READ, known),)
    return _deferred(replace(message, headers=(*message.headers, *mark)), Reason.SLOW)


def check_version_later(request: PendingFetch, version: int, schedule: Schedule) -> Emit:
    """Defer a notification for which Graph served nothing newer than what was published before it came.

    Graph may have served a stale version: on the short tier one request asks whether the version has risen since.

    Args:
        request: the notification; its looks stay, for Graph did answer.
        version: what is published.
        schedule: when to ask.
    """
    message = _on_tier(_SHORT, request, Reason.VERSION_UNCHANGED, request.attempts, schedule)
    others = tuple((name, value) for name, value in message.headers if name != KNOWN_VERSION)
    headers = (*others, (KNOWN_VERSION, str(version).encode()))
    return _deferred(replace(message, headers=headers), Reason.VERSION_UNCHANGED)


def move_to_bulk(request: PendingFetch) -> Outcome:
    """Send a live request that turned out large to the bulk lane, where live requests do not wait behind it.

    Its looks go along: from a tier it comes back as a live one, is moved again, and would never end.
    """
    headers = _headers(request, Reason.MOVED_TO_BULK, request.attempts)
    return _deferred(_message(topics.FETCH_BULK, request, headers), Reason.MOVED_TO_BULK)


def _is_final(reason: Reason, request: PendingFetch, schedule: Schedule) -> bool:
    if reason is not Reason.NOT_FOUND:
        return False
    gone = schedule.now - request.received_at >= schedule.scaled(_NOT_YET)
    return gone or not request.waits_for_graph


def _on_tier(
    tier: _Tier, request: PendingFetch, reason: Reason, attempts: Mapping[Reason, int], schedule: Schedule
) -> Message:
    headers = (*_headers(request, reason, attempts), (DUE, schedule.due(tier.lasts(schedule.time_scale))))
    return _message(tier.topic, request, headers)


def _headers(request: PendingFetch, reason: Reason, attempts: Mapping[Reason, int]) -> MessageHeaders:
    headers = (
        (ATTEMPT, str(sum(attempts.values())).encode()),
        (LOOKS, attempts_header(attempts)),
        (REASON, reason.value.encode()),
    )
    return (*request.retry_headers(), *headers)


def _message(topic: Topic, request: PendingFetch, headers: MessageHeaders) -> Message:
    return Message(topic.name, call_key(request.tenant_id, request.call_id), request.received.value, headers)


def _deferred(message: Message, reason: Reason) -> Emit:
    return Emit(((message,),), Accounting.DEFERRED, reason)
