"""May this tenant be asked, and when: the one place that decides it, for the enricher, the keeper and every poller.

What it decides with: an operator's pause, what Graph's answers say of the tenant (`state`), the Retry-Afters of this
process and of others (`rate_limiter`, `registry`), and the limits that Graph publishes (`limits`).
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ringback_common import logs
from ringback_common.clock import Clock, scaled
from ringback_common.errors import Throttled
from ringback_common.metrics import ENRICHER_TENANTS_PAUSED
from ringback_common.scopes import Scope

from ringback_graph.availability import state as states
from ringback_graph.availability.fair_queue import QuotaRequest
from ringback_graph.availability.rate_limiter import RateLimiter
from ringback_graph.availability.registry import NullRegistry, ThrottleRegistry
from ringback_graph.availability.state import OPEN, PauseReason, Signal, TenantState

__all__ = ["GO", "Availability", "Go", "Governor", "NotBefore", "Place"]

_log = logs.logger(__name__)

_ROUNDING = 1e-3
"""Seconds by which two sums of the same moments may differ."""

Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""


@dataclass(frozen=True, slots=True)
class Go:
    """The tenant may be asked now."""


@dataclass(frozen=True, slots=True)
class NotBefore:
    """The tenant may not be asked yet.

    Attributes:
        seconds: from now on; infinite if only an operator can end it.
        why: the reason.
    """

    seconds: float
    why: PauseReason


Availability = Go | NotBefore
GO = Go()


def _never(_tenant_id: str) -> bool:
    return False


class Governor:
    """Answers `GO` or `NotBefore` for each tenant; a tenant that is paused or throttled delays only itself.

    It is asked three times for one record: `admit` before it is taken in, `begin` when its step begins, `acquire`
    before each of its requests.

    Args:
        limiter: keeps Graph's limits and its Retry-Afters.
        registry: shares Retry-Afters with the other processes of this kind.
        time_scale: divides the time between two probes; 1 in production.
        is_paused_by_operator: whether an operator has paused a tenant, by its id.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        registry: ThrottleRegistry | None = None,
        *,
        time_scale: float = 1.0,
        is_paused_by_operator: Callable[[str], bool] = _never,
    ) -> None:
        self.limiter = limiter
        self.clock: Clock = limiter.clock
        self._registry = NullRegistry() if registry is None else registry
        self._probe_every = scaled(states.PROBE_SECONDS, time_scale)
        self._is_paused_by_operator = is_paused_by_operator
        self._states: dict[str, TenantState] = {}
        self._answered_at: dict[str, float] = {}
        self._probes: dict[str, Place] = {}

    # -- the question --

    def ask(self, tenant_id: str) -> Availability:
        """Whether a tenant may be asked now, by all that is known; asking changes nothing and is never a probe."""
        if (paused := self._paused(tenant_id)) is not None:
            return paused
        held = max(self.limiter.tenant_held_for(tenant_id), self._registry.remaining(tenant_id))
        return NotBefore(held, PauseReason.THROTTLED) if held > 0 else GO

    def admit(self, tenant_id: str, place: Place) -> Availability:
        """Whether the record at this place may be taken in; a due probe of a paused tenant is reserved for it.

        Once reserved the answer is `GO` however often it is asked again. A Retry-After that pauses no tenant is waited
        out in `acquire`.
        """
        if not self._is_paused_by_operator(tenant_id) and self._probes.get(tenant_id) == place:
            return GO
        answer = self._admit(tenant_id)
        if answer == GO and self._state(tenant_id).pause is not None:
            self._probes[tenant_id] = place
        return answer

    def begin(self, tenant_id: str, places: Collection[Place] = ()) -> Availability:
        """Whether the records at these places may be asked for now; `GO` uses up a probe that is due or reserved."""
        if not self._is_paused_by_operator(tenant_id) and self._probes.get(tenant_id) in places:
            del self._probes[tenant_id]
            return GO
        return self._admit(tenant_id)

    async def acquire(self, ticket: QuotaRequest) -> None:
        """Wait until one request may be sent.

        Raises:
            Throttled: Retry-After holds one of its scopes for longer than `LONGEST_WAIT_IN_PLACE`; or another process
                has published one for the tenant, however short, that is not held here yet.
        """
        await self.limiter.acquire(ticket)
        seconds = self._registry.remaining(ticket.tenant_id)
        if seconds > self.limiter.tenant_held_for(ticket.tenant_id) + _ROUNDING:
            raise self.limiter.hold_tenant(ticket, seconds)

    def why_paused(self, tenant_id: str) -> PauseReason | None:
        """Why a tenant is paused, by an operator or by what Graph answered; None if it is not."""
        paused = self._paused(tenant_id)
        return None if paused is None else paused.why

    def _admit(self, tenant_id: str) -> Availability:
        paused = self._paused(tenant_id)
        if paused is None or paused.seconds > 0:
            return GO if paused is None else paused
        self._states[tenant_id], _ = states.admit(self._state(tenant_id), self.clock.monotonic(), self._probe_every)
        return GO

    def _paused(self, tenant_id: str) -> NotBefore | None:
        if self._is_paused_by_operator(tenant_id):
            return NotBefore(math.inf, PauseReason.BY_OPERATOR)
        pause = self._state(tenant_id).pause
        return None if pause is None else NotBefore(max(0.0, pause.next_probe - self.clock.monotonic()), pause.why)

    # -- what Graph answered --

    def throttled(self, ticket: QuotaRequest, seconds: float) -> Throttled:
        """Hold, here and in the other processes, what Graph answered with 429; returns the exception to raise."""
        self._registry.publish(ticket.tenant_id, seconds)
        return self.limiter.throttled(ticket, seconds)

    def answered(self, ticket: QuotaRequest, sent: float) -> None:
        """Note that Graph answered a request, sent at that monotonic moment, with anything but 429."""
        self.limiter.answered(ticket, sent)

    def pause_for(self, tenant_id: str, throttled: Throttled) -> bool:
        """Pause a tenant whose Retry-After is longer than a request waits in place; returns whether it was."""
        if throttled.scope != Scope.tenant(tenant_id):
            return False
        changed = states.throttle(self._state(tenant_id), throttled.retry_after, self.clock.monotonic())
        self._change(tenant_id, changed)
        return changed.pause is not None

    def observe(self, tenant_id: str, signal: Signal, call_id: str, code: str = "") -> bool:
        """Take Graph's answer for this call into account.

        Args:
            tenant_id: whose call it is.
            signal: what the answer says about the tenant.
            call_id: which call was asked for.
            code: what Graph called a refusal, C0.

        Returns:
            Whether it paused the tenant for unexpected answers, and so many tenants are paused for them now that it may
            be this process's own fault. Those pauses are lifted then: after an operator's `resume` they count anew.
        """
        state, now = self._state(tenant_id), self.clock.monotonic()
        self._answered_at[tenant_id] = now
        changed = states.observe(state, signal, now, self._probe_every, call_id)
        self._change(tenant_id, changed, call_id, code)
        newly = signal is Signal.UNEXPECTED and state.pause is None and changed.pause is not None
        return newly and self._suspects_this_process(now)

    def unanswered(self, tenant_id: str, call_id: str) -> bool:
        """Count a read that Graph did not answer; a paused tenant, whose probe it was, stays paused.

        Returns:
            Whether it is not paused, and so many calls went unanswered that the peer probe should be made.
        """
        state = states.unanswered(self._state(tenant_id), call_id)
        self._states[tenant_id] = state
        if state.pause is not None:
            self.unresponsive(tenant_id, call_id)
        return state.pause is None and len(state.unanswered) >= states.SILENT_CALLS

    def reached(self, tenant_id: str) -> None:
        """Note that Graph answered the peer probe for this tenant, be it with a refusal: it is not silent."""
        self._change(tenant_id, states.reached(self._state(tenant_id)))

    def unresponsive(self, tenant_id: str, call_id: str) -> None:
        """Pause a tenant for which Graph did not answer, asked for this call, while it answers others."""
        changed = states.unresponsive(self._state(tenant_id), self.clock.monotonic(), self._probe_every)
        self._change(tenant_id, changed, call_id)

    # -- inside --

    def _state(self, tenant_id: str) -> TenantState:
        return self._states.get(tenant_id, OPEN)

    def _suspects_this_process(self, now: float) -> bool:
        paused = {t: s.pause for t, s in self._states.items() if s.pause and s.pause.why is PauseReason.UNEXPECTED}
        active = sum(now - at <= states.OUR_FAULT_SECONDS for at in self._answered_at.values())
        suspected = states.may_be_our_fault([pause.since for pause in paused.values()], active, now)
        for tenant_id in paused if suspected else ():
            self._change(tenant_id, OPEN)
        return suspected

    def _change(self, tenant_id: str, after: TenantState, call_id: str | None = None, code: str = "") -> None:
        before = self._state(tenant_id).pause
        self._states[tenant_id] = after
        if after.pause is not None and before is None:
            ENRICHER_TENANTS_PAUSED.labels(after.pause.why).inc()
            _log_pause(tenant_id, after.pause.why, call_id, code)
        elif after.pause is None and before is not None:
            ENRICHER_TENANTS_PAUSED.labels(before.why).dec()
            _log.info("A tenant answers again.", tenant_id=tenant_id)


def _log_pause(tenant_id: str, why: PauseReason, call_id: str | None, code: str) -> None:
    write = _log.error if why.needs_operator else _log.warning
    call = logs.known_id(call_id) if call_id is not None else None
    write("A tenant is paused; others go on.", tenant_id=tenant_id, reason=why.value, call_id=call, code=code or None)
