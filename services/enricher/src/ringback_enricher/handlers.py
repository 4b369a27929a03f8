"""The step between the fetch lanes and the topics: one fetch for all requests of one call that are in hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol

import orjson
from ringback_common.clock import Clock
from ringback_common.errors import DeadLetterLimit, Throttled, Transient
from ringback_common.metrics import ENRICHER_FETCHES, ENRICHER_FRESHNESS_SECONDS, ENRICHER_SPARED
from ringback_common.outcomes import Accounting, Drop, Emit, Outcome, Reason, Received, Reject
from ringback_events.keys import call_key, canonical_id, tenant_of
from ringback_events.times import wire_time
from ringback_events.topics import FETCH_ASIDE
from ringback_graph.answers import Current, Found
from ringback_graph.availability import GO, Governor, PauseReason, PeerProbe, Place, Signal
from ringback_graph.parse import lacks_sessions
from ringback_graph.tenants import Tenant

from ringback_enricher.adapters.graph import FetchFailure
from ringback_enricher.conversion import Conversions
from ringback_enricher.core.derive.depth import is_too_deep
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.publishing import Stages, Tokenizer, publication
from ringback_enricher.core.requests.decisions import (
    CHECK_AFTER,
    Schedule,
    await_sessions,
    check_version_later,
    decide,
    look_again,
    move_to_bulk,
    put_aside,
    wait_for_read,
)
from ringback_enricher.core.requests.pending_fetch import PendingFetch, accept
from ringback_enricher.core.requests.recent_publications import RecentPublications

__all__ = ["Dependencies", "FetchStep", "Records"]


class Records(Protocol):
    """Where whole records come from."""

    async def read(self, tenant: Tenant, call_id: str, *, bulk: bool) -> Found | FetchFailure:
        """Read one record; raises Transient and Throttled."""
        ...

    async def version(self, tenant: Tenant, call_id: str, *, bulk: bool) -> Current | FetchFailure:
        """Which version Graph has of a record now; raises as `read`."""
        ...


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a step works with; none of it changes from one call to the next."""

    records: Records
    tenant: Callable[[str], Tenant | None]
    governor: Governor
    peer_probe: PeerProbe
    published: RecentPublications
    tables: RuleSet
    tokens: Tokenizer
    conversions: Conversions
    largest_published: int
    """Bytes of a restricted record, before compression."""
    clock: Clock
    time_scale: float


class FetchStep:
    """Turns the requests of one call into its published version, or into what the failure table says."""

    def __init__(self, given: Dependencies) -> None:
        self._with = given

    async def __call__(self, waiting: Sequence[Received]) -> Sequence[Outcome]:
        """Answer every record in hand.

        Raises:
            Transient: Graph is away; nothing was decided.
            Throttled: Graph said how long to wait.
            DeadLetterLimit: answers to several tenants are unexpected, so this process itself may be what is wrong.
        """
        now = self._with.clock.now()
        accepted = [accept(received, now) for received in waiting]
        requests = [each for each in accepted if isinstance(each, PendingFetch)]
        if not requests:
            return [each for each in accepted if not isinstance(each, PendingFetch)]
        answers = iter(await self._answer(requests))
        return [next(answers) if isinstance(each, PendingFetch) else each for each in accepted]

    def exhausted(self, received: Received, _attempts: int) -> Outcome:
        """What becomes of a record that alone keeps failing: the tiers, for a day."""
        request = accept(received, self._with.clock.now())
        if not isinstance(request, PendingFetch):
            return request
        return decide(Reason.UPSTREAM_ERROR, request, self._schedule())

    def throttled(self, received: Received, retry_after: float) -> Outcome:
        """What becomes of a record that alone is throttled, for `retry_after` seconds: the tiers, for a day."""
        request = accept(received, self._with.clock.now())
        if not isinstance(request, PendingFetch):
            return request
        return decide(Reason.THROTTLED, request, self._schedule(), not_before=timedelta(seconds=retry_after))

    def move(self, received: Received, lane: str) -> Outcome:
        """What becomes of a record that waits for its tenant on another lane; one that is no longer needed ends here.

        What is no request is moved as it is: it is refused when it is tried, where refusals are counted to a halt.
        """
        request = accept(received, self._with.clock.now())
        if isinstance(request, Drop):
            return request
        if isinstance(request, PendingFetch) and request.is_canary:
            return Drop(Reason.CANARY)
        paused = self._with.governor.why_paused(tenant_of(received.key or b"")) is not None
        return put_aside(received, lane, Reason.TENANT_PAUSED if paused else Reason.OVER_SHARE)

    def slow(self, received: Received, read: bytes) -> Outcome:
        """What becomes of a record whose read takes long, and goes on under that name."""
        return self._wait_for_read(received, read, counted=True)

    def busy(self, received: Received, read: bytes | None) -> Outcome:
        """What becomes of a record that waits for a read of its call."""
        return self._wait_for_read(received, read, counted=False)

    def may_ask(self, received: Received) -> bool:
        """Whether the tenant may be asked for this record; of a paused one, for one a minute."""
        if received.key is None:
            return True
        return self._with.governor.admit(tenant_of(received.key), _place(received)) == GO

    def _wait_for_read(self, received: Received, read: bytes | None, *, counted: bool) -> Outcome:
        request = accept(received, self._with.clock.now())
        if not isinstance(request, PendingFetch):
            return request
        return wait_for_read(request, read, self._schedule(), counted=counted)

    async def _answer(self, requests: Sequence[PendingFetch]) -> list[Outcome]:
        tenant_id = requests[0].tenant_id
        tenant = self._with.tenant(tenant_id)
        if tenant is None:
            return self._each(requests, Reason.UNKNOWN_TENANT)
        places = [_place(request.received) for request in requests]
        if self._with.governor.begin(tenant_id, places) != GO:
            return self._put_aside(requests)
        try:
            answer = await self._read(tenant, requests)
        except Throttled as throttled:
            if not self._with.governor.pause_for(tenant_id, throttled):
                raise
            return self._put_aside(requests)
        except Transient:
            if not await self._is_silence(tenant, requests[0].call_id):
                raise
            return self._put_aside(requests)
        return await self._answered(requests, answer)

    async def _read(self, tenant: Tenant, requests: Sequence[PendingFetch]) -> Found | Current | FetchFailure:
        """The record; or its version, if no request needs more and it has not risen."""
        call_id, bulk = requests[0].call_id, any(request.is_bulk for request in requests)
        known = [request.known_version for request in requests if request.known_version is not None]
        if len(known) == len(requests):
            published = self._with.published.version(call_key(tenant.tenant_id, call_id))
            answer = await self._with.records.version(tenant, call_id, bulk=bulk)
            if not isinstance(answer, Current) or answer.version <= max(*known, published):
                return answer
        return await self._with.records.read(tenant, call_id, bulk=bulk)

    async def _answered(
        self, requests: Sequence[PendingFetch], answer: Found | Current | FetchFailure
    ) -> list[Outcome]:
        match answer:
            case Found():
                return await self._found(requests, answer)
            case Current():
                return self._unchanged(requests)
            case FetchFailure():
                return self._unread(requests, answer)

    def _unchanged(self, requests: Sequence[PendingFetch]) -> list[Outcome]:
        self._observe(requests[0], Signal.ANSWERED)
        ENRICHER_FETCHES.labels(Reason.VERSION_UNCHANGED).inc()
        first, schedule = requests[0], self._schedule()
        key, wait = call_key(first.tenant_id, first.call_id), schedule.scaled(CHECK_AFTER).total_seconds()
        satisfied: list[Outcome] = [Emit(reason=Reason.VERSION_UNCHANGED)] * len(requests)
        if self._with.published.must_check_again(key, self._with.clock.monotonic(), wait):
            return [check_version_later(first, self._with.published.version(key), schedule), *satisfied[1:]]
        return satisfied

    async def _is_silence(self, tenant: Tenant, call_id: str) -> bool:
        """Whether it is this tenant alone that Graph does not answer."""
        governor = self._with.governor
        if governor.unanswered(tenant.tenant_id, call_id):
            await self._with.peer_probe.check(tenant, call_id)
        return governor.why_paused(tenant.tenant_id) is not None

    def _unread(self, requests: Sequence[PendingFetch], answer: FetchFailure) -> list[Outcome]:
        ENRICHER_FETCHES.labels(answer.reason).inc()
        self._observe(requests[0], answer.signal, answer.code)
        if answer.signal is Signal.AUTH_FAILING:
            return self._put_aside(requests)
        if answer.reason is Reason.MOVED_TO_BULK:
            return [move_to_bulk(request) for request in requests]
        return self._each(requests, answer.reason, answer.code)

    async def _found(self, requests: Sequence[PendingFetch], found: Found) -> list[Outcome]:
        if not _is_record_of(found.record, requests[0].call_id):
            return self._unread(requests, FetchFailure(Reason.MALFORMED_RECORD, Signal.UNEXPECTED, "id"))
        self._observe(requests[0], Signal.ANSWERED)
        waiting = self._awaiting_sessions(requests, found)
        if waiting is not None:
            return waiting
        ENRICHER_FETCHES.labels("found").inc()
        received_at = min(request.received_at for request in requests)
        ENRICHER_FRESHNESS_SECONDS.observe(max(0.0, (self._with.clock.now() - received_at).total_seconds()))
        stages = await self._publication(requests, found, wire_time(received_at))
        if isinstance(stages, Reject):
            return self._each(requests, stages.reason, stages.error_class)
        return self._settled(requests, found.version, stages)

    def _awaiting_sessions(self, requests: Sequence[PendingFetch], found: Found) -> list[Outcome] | None:
        """The requests of a call that came without its sessions, put off; None if it is published now.

        None, too, if it was published before and no request asks for it on purpose: then nothing is.
        """
        given, key = self._with, call_key(requests[0].tenant_id, requests[0].call_id)
        if not lacks_sessions(found.record) or given.published.is_duplicate(key, requests, self._version(found)):
            return None
        waiting = await_sessions(requests, self._schedule())
        if waiting is not None:
            ENRICHER_FETCHES.labels(Reason.SESSIONS_MISSING).inc()
        return waiting

    def _version(self, found: Found) -> tuple[int, int]:
        return found.version, self._with.tables.revision

    async def _publication(self, requests: Sequence[PendingFetch], found: Found, received_at: str) -> Stages | Reject:
        given, key = self._with, call_key(requests[0].tenant_id, requests[0].call_id)
        version = self._version(found)
        if given.published.is_duplicate(key, requests, version):
            ENRICHER_SPARED.inc()
            return ()
        canary = all(request.is_canary for request in requests)
        replay = given.published.holds(key, version) or any(request.source == "replay" for request in requests)
        tenant_id, call_id = requests[0].tenant_id, requests[0].call_id
        tenant = given.tenant(tenant_id)
        countries = tenant.countries if tenant else ()
        context = RecordContext(tenant_id, call_id, received_at, wire_time(found.started_at), countries)

        def make() -> Stages | Reject:
            try:
                record = derive(found.record, context, given.tables)
                return publication(record, given.tokens, replay=replay, canary=canary, largest=given.largest_published)
            except orjson.JSONEncodeError:
                if is_too_deep(found.record):
                    return Reject(Reason.MALFORMED_RECORD, "depth")
                raise

        return await given.conversions.make(make, found.byte_count)

    def _settled(self, requests: Sequence[PendingFetch], version: int, stages: Stages) -> list[Outcome]:
        """The first request carries the publication; the runtime finishes none of a step before all of it is acked.

        One that may announce a version Graph does not serve yet asks once more.
        """
        schedule, key, published = self._schedule(), _key_of(requests), self._with.published
        now, wait = self._with.clock.monotonic(), schedule.scaled(CHECK_AFTER).total_seconds()
        to_check = published.to_check_after_publication if stages else published.to_check_later
        later = to_check(key, requests, now, wait)
        first, *others = [
            check_version_later(each, version, schedule) if each is later else self._satisfied(each, version)
            for each in requests
        ]
        return [replace(first, stages=stages + first.stages), *others]

    def _satisfied(self, request: PendingFetch, version: int) -> Emit:
        if request.min_version is None or version >= request.min_version or request.is_canary:
            return Emit()
        again = look_again(Reason.VERSION_BEHIND, request, self._schedule())
        if again is None:
            ENRICHER_FETCHES.labels(Reason.VERSION_BEHIND).inc()
            return Emit(reason=Reason.VERSION_BEHIND)
        return Emit(((again,),), Accounting.DEFERRED, Reason.VERSION_BEHIND)

    def _observe(self, request: PendingFetch, signal: Signal, code: str = "") -> None:
        if self._with.governor.observe(request.tenant_id, signal, request.call_id, code):
            raise DeadLetterLimit("Graph's answers to several tenants are unexpected.", PauseReason.UNEXPECTED)

    def _each(self, requests: Sequence[PendingFetch], reason: Reason, code: str = "") -> list[Outcome]:
        schedule = self._schedule()
        return [decide(reason, request, schedule, code) for request in requests]

    def _put_aside(self, requests: Sequence[PendingFetch]) -> list[Outcome]:
        """They wait for their tenant; of the lanes for that the runtime chooses one."""
        return [
            Drop(Reason.CANARY)
            if request.is_canary
            else put_aside(request.received, FETCH_ASIDE.name, Reason.TENANT_PAUSED)
            for request in requests
        ]

    def _schedule(self) -> Schedule:
        return Schedule(self._with.clock.now(), self._with.time_scale)


def _key_of(requests: Sequence[PendingFetch]) -> bytes:
    return call_key(requests[0].tenant_id, requests[0].call_id)


def _place(received: Received) -> Place:
    return received.topic, received.partition, received.offset


def _is_record_of(record: dict[str, Any], call_id: str) -> bool:
    told = record.get("id")
    return isinstance(told, str) and canonical_id(told) == call_id
