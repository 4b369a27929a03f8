"""Who may be asked now: the tenants' states, an operator's pauses, and the clock they are judged by."""

from collections.abc import Callable, Collection
from datetime import timedelta

from ringback_common import logs
from ringback_common.clock import Clock, scaled
from ringback_common.metrics import ENRICHER_TENANTS_PAUSED
from ringback_stream.consume.rejection_log import known_id

from ringback_enricher.core.tenants import (
    OPEN,
    OPERATORS_TO_MEND,
    OUR_FAULT_SECONDS,
    PROBE_SECONDS,
    SILENT_CALLS,
    UNEXPECTED,
    Signal,
    TenantState,
    admit,
    heard,
    may_be_our_fault,
    observe,
    silence,
    throttle,
    unanswered,
)

__all__ = ["TenantGate"]

_log = logs.logger(__name__)

PausedByOperator = Callable[[str], timedelta | None]
"""For how long an operator has paused a tenant; None if none has."""


Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""


class TenantGate:
    """Holds the state of every tenant seen; one sick tenant delays only itself."""

    def __init__(self, clock: Clock, time_scale: float, by_operator: PausedByOperator) -> None:
        self._clock = clock
        self._probe_every = scaled(PROBE_SECONDS, time_scale)
        self._by_operator = by_operator
        self._states: dict[str, TenantState] = {}
        self._answered_at: dict[str, float] = {}
        self._probes: dict[str, Place] = {}

    def turns_away(self, tenant_id: str, place: Place) -> timedelta | None:
        """Ask at the door: how long the tenant has been paused; None if the record may come in.

        It may if the tenant is not paused, or a probe is due: then it is the probe, however often it is asked about.
        """
        held = self._by_operator(tenant_id)
        if held is not None:
            return held
        state = self._states.get(tenant_id)
        if state is None or state.pause is None or self._probes.get(tenant_id) == place:
            return None
        now = self._clock.monotonic()
        self._states[tenant_id], admitted = admit(state, now, self._probe_every)
        if admitted:
            self._probes[tenant_id] = place
            return None
        return timedelta(seconds=now - state.pause.since)

    def paused_for(self, tenant_id: str, places: Collection[Place] = ()) -> timedelta | None:
        """None if the tenant may be asked now (a probe counts as asked); else how long it has been paused.

        Args:
            tenant_id: whom to ask.
            places: of the records to ask for; one may be the probe that `turns_away` let in.
        """
        held = self._by_operator(tenant_id)
        if held is not None:
            return held
        if self._probes and self._probes.get(tenant_id) in places:
            del self._probes[tenant_id]
            return None
        now = self._clock.monotonic()
        state, admitted = admit(self._states.get(tenant_id, OPEN), now, self._probe_every)
        if state.pause is None or admitted:
            self._states[tenant_id] = state
            return None
        return timedelta(seconds=now - state.pause.since)

    def observe(self, tenant_id: str, signal: Signal, call_id: str, code: str = "") -> bool:
        """Take Graph's answer for this call into account.

        Args:
            tenant_id: whose call it is.
            signal: what the answer tells about the tenant.
            call_id: which call was asked for.
            code: what Graph called a refusal, C0.

        Returns:
            Whether it paused the tenant for unexpected answers, and so many tenants are paused for them now that it may
            be this process's own fault. Those pauses are lifted then: after an operator's `resume` they count anew.
        """
        state, now = self._states.get(tenant_id, OPEN), self._clock.monotonic()
        self._answered_at[tenant_id] = now
        self._change(tenant_id, state, observe(state, signal, now, self._probe_every, call_id), call_id, code)
        newly = signal is Signal.UNEXPECTED and state.pause is None and tenant_id in self.paused()
        return newly and self._suspects_this_process(now)

    def _suspects_this_process(self, now: float) -> bool:
        paused = {tenant: s for tenant, s in self._states.items() if s.pause is not None and s.pause.why == UNEXPECTED}
        active = sum(now - at <= OUR_FAULT_SECONDS for at in self._answered_at.values())
        suspected = may_be_our_fault([s.pause.since for s in paused.values() if s.pause is not None], active, now)
        for tenant, state in paused.items() if suspected else ():
            self._change(tenant, state, OPEN)
        return suspected

    def unanswered(self, tenant_id: str, call_id: str) -> bool:
        """Count a read that Graph did not answer; True if so many were not that somebody else should be asked.

        A paused tenant's was its probe: it stays paused.
        """
        state = unanswered(self._states.get(tenant_id, OPEN), call_id)
        self._states[tenant_id] = state
        if state.pause is not None:
            self.silent(tenant_id, call_id)
        return len(state.unanswered) >= SILENT_CALLS

    def heard(self, tenant_id: str) -> None:
        """Graph answers this tenant after all, be it with a refusal."""
        state = self._states.get(tenant_id, OPEN)
        self._change(tenant_id, state, heard(state))

    def silent(self, tenant_id: str, call_id: str | None = None) -> None:
        """Graph answers others, and not this tenant, asked for this call."""
        state = self._states.get(tenant_id, OPEN)
        self._change(tenant_id, state, silence(state, self._clock.monotonic(), self._probe_every), call_id)

    def throttled(self, tenant_id: str, retry_after: float) -> bool:
        """Take a tenant's Retry-After into account; True if it is long enough to pause the tenant."""
        state = self._states.get(tenant_id, OPEN)
        changed = throttle(state, retry_after, self._clock.monotonic())
        self._change(tenant_id, state, changed)
        return changed.pause is not None

    def why_paused(self, tenant_id: str) -> str | None:
        """Why a tenant is not asked now: an operator's word, else what Graph's answers say; None if it is asked."""
        return "by_operator" if self._by_operator(tenant_id) is not None else self.paused().get(tenant_id)

    def paused(self) -> dict[str, str]:
        """The tenants Graph's answers have paused, and why."""
        return {tenant: state.pause.why for tenant, state in self._states.items() if state.pause is not None}

    def _change(
        self, tenant_id: str, before: TenantState, after: TenantState, call_id: str | None = None, code: str = ""
    ) -> None:
        self._states[tenant_id] = after
        if after.pause is not None and before.pause is None:
            ENRICHER_TENANTS_PAUSED.labels(after.pause.why).inc()
            self._say_paused(tenant_id, after.pause.why, call_id, code)
        elif after.pause is None and before.pause is not None:
            ENRICHER_TENANTS_PAUSED.labels(before.pause.why).dec()
            _log.info("A tenant answers again.", tenant_id=tenant_id)

    def _say_paused(self, tenant_id: str, why: str, call_id: str | None, code: str) -> None:
        """The tenant's own operator has to act for some reasons; the others pass when Graph is well."""
        write = _log.error if why in OPERATORS_TO_MEND else _log.warning
        call = known_id(call_id) if call_id is not None else None
        write("A tenant is paused; others go on.", tenant_id=tenant_id, reason=why, call_id=call, code=code or None)
