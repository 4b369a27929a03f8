"""What Graph's answers say about a tenant: asked, or paused and probed once a minute. Pure: no clock.

open ──five 403 or unexpected answers, auth failing, Retry-After > 30 s, silence──► paused ──a probe is answered──► open
└──a probe fails──► paused, next probe in a minute

Unexpected is an answer that is neither a record nor a documented refusal: an undocumented 4xx, a 200 without a record.
A single tenant's are Graph's fault and pause that tenant. A 200 without a record of several tenants at the same time
may be this process's own fault, such as a release that can read no record: see `may_be_our_fault`.

Silence: Graph leaves several calls of a tenant unanswered, and asked again answers another tenant but not this one.
When it answers neither, Graph is away, and the breaker holds all tenants.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

from ringback_graph.availability.limits import LONGEST_WAIT_IN_PLACE

__all__ = [
    "OPEN",
    "Pause",
    "PauseReason",
    "Signal",
    "TenantState",
    "admit",
    "may_be_our_fault",
    "observe",
    "reached",
    "throttle",
    "unanswered",
    "unresponsive",
]

FORBIDDEN_IN_A_ROW = 5
PROBE_SECONDS = 60.0
SILENT_CALLS = 5
"""Different calls, so that one sick record, tried again and again, does not pause its tenant."""
UNEXPECTED_CALLS = 5
"""The same, for unexpected answers."""
OUR_FAULT_TENANTS = 3
OUR_FAULT_SECONDS = 600.0


class PauseReason(StrEnum):
    """Why a tenant is not asked."""

    BY_OPERATOR = "by_operator"
    FORBIDDEN = "forbidden"
    AUTH_FAILING = "auth_failing"
    THROTTLED = "throttled"
    SILENT = "silent"
    UNEXPECTED = "unexpected_answers"
    REFUSED = "refused"

    @property
    def needs_operator(self) -> bool:
        """Whether it lasts until a right is granted or a credential mended; the others pass by themselves."""
        return self in {PauseReason.FORBIDDEN, PauseReason.AUTH_FAILING}


class Signal(Enum):
    """What an answer tells about the tenant, whatever it tells about the record."""

    ANSWERED = auto()
    UNEXPECTED = auto()
    """No record and no refusal: this process may be what cannot read it."""
    REFUSED = auto()
    """A refusal that Graph does not document for a record."""
    FORBIDDEN = auto()
    AUTH_FAILING = auto()


@dataclass(frozen=True, slots=True)
class Pause:
    """A tenant is not asked.

    Attributes:
        why: what Graph's answers said.
        since: monotonic seconds.
        next_probe: monotonic seconds; from then on one request may try.
    """

    why: PauseReason
    since: float
    next_probe: float


@dataclass(frozen=True, slots=True)
class TenantState:
    """What is known of a tenant; plain and replaced as a whole.

    Attributes:
        forbidden: 403 in a row.
        unanswered: calls that went unanswered since Graph last answered the tenant, up to `SILENT_CALLS`.
        unexpected: calls that were answered unexpectedly since the last answer of another kind, up to
            `UNEXPECTED_CALLS`.
        pause: None while it may be asked.
    """

    forbidden: int = 0
    unanswered: frozenset[str] = frozenset()
    unexpected: frozenset[str] = frozenset()
    pause: Pause | None = None


OPEN = TenantState()
_WHY = {Signal.UNEXPECTED: PauseReason.UNEXPECTED, Signal.REFUSED: PauseReason.REFUSED}


def admit(state: TenantState, now: float, probe_every: float) -> tuple[TenantState, bool]:
    """Ask for leave to read one record; a paused tenant gives it once per `probe_every` seconds."""
    if state.pause is None:
        return state, True
    if now < state.pause.next_probe:
        return state, False
    return replace(state, pause=replace(state.pause, next_probe=now + probe_every)), True


def observe(state: TenantState, signal: Signal, now: float, probe_every: float, call_id: str = "") -> TenantState:
    """Take an answer into account; which call it was about matters for an unexpected one only."""
    if signal is Signal.ANSWERED:
        return OPEN
    if signal in _WHY:
        return _unexpected(state, _WHY[signal], call_id, now, probe_every)
    if signal is Signal.AUTH_FAILING:
        return _paused(state, PauseReason.AUTH_FAILING, now, now + probe_every)
    counted = TenantState(state.forbidden + 1, pause=state.pause)
    if counted.forbidden < FORBIDDEN_IN_A_ROW:
        return counted
    return _paused(counted, PauseReason.FORBIDDEN, now, now + probe_every)


def may_be_our_fault(paused_since: Collection[float], active: int, now: float) -> bool:
    """Whether unexpected answers pause so many tenants that this process itself may be what is wrong.

    Three tenants paused within ten minutes, or all active ones if they are at least two. A single active tenant proves
    nothing: its pause already stops everything that a halt would stop, and ends by itself.

    Args:
        paused_since: monotonic seconds at which each tenant that is paused for unexpected answers was paused.
        active: tenants that Graph answered in the last ten minutes.
        now: monotonic seconds.
    """
    recent = sum(now - since <= OUR_FAULT_SECONDS for since in paused_since)
    return recent >= OUR_FAULT_TENANTS or (recent > 1 and recent >= active)


def throttle(state: TenantState, retry_after: float, now: float) -> TenantState:
    """Take a 429 into account: nothing is asked before Retry-After has passed, not even by a probe."""
    if retry_after <= LONGEST_WAIT_IN_PLACE:
        return state
    return _paused(state, PauseReason.THROTTLED, now, now + retry_after)


def unanswered(state: TenantState, call_id: str) -> TenantState:
    """Count a read that Graph did not answer: a timeout, a broken connection, a 5xx."""
    if len(state.unanswered) >= SILENT_CALLS:
        return state
    return replace(state, unanswered=state.unanswered | {call_id})


def reached(state: TenantState) -> TenantState:
    """Take into account that the peer probe got an answer for this tenant: it is not silent. Other pauses stay."""
    silent = state.pause is not None and state.pause.why is PauseReason.SILENT
    return replace(state, unanswered=frozenset(), pause=None if silent else state.pause)


def unresponsive(state: TenantState, now: float, probe_every: float) -> TenantState:
    """Pause a tenant that alone is not answered, or leave it paused: its probe was not."""
    return _paused(state, PauseReason.SILENT, now, now + probe_every)


def _unexpected(state: TenantState, why: PauseReason, call_id: str, now: float, probe_every: float) -> TenantState:
    """Of a paused tenant it was the answer to the probe, so the tenant stays paused."""
    calls = state.unexpected if len(state.unexpected) >= UNEXPECTED_CALLS else state.unexpected | {call_id}
    counted = TenantState(unexpected=calls, pause=state.pause)
    if state.pause is None and len(calls) < UNEXPECTED_CALLS:
        return counted
    return _paused(counted, why, now, now + probe_every)


def _paused(state: TenantState, why: PauseReason, now: float, next_probe: float) -> TenantState:
    since = now if state.pause is None else state.pause.since
    known = 0.0 if state.pause is None else state.pause.next_probe
    return replace(state, pause=Pause(state.pause.why if state.pause else why, since, max(known, next_probe)))
