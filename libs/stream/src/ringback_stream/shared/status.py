"""Every ten seconds the process writes its state to the status topic, where the state of all processes is."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import uuid4

import orjson
from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.errors import Transient
from ringback_common.outcomes import Message
from ringback_events.keys import status_key
from ringback_events.platform_events import StatusReport
from ringback_events.topics import STATUS

from ringback_stream.publish.producer import Producer

__all__ = ["Fact", "StatusPart", "StatusReporter"]

_log = logs.logger(__name__)

_EVERY = 10.0
"""Seconds; a report older than 30 s counts as unknown, so two may be lost."""

Fact = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class StatusPart:
    """What one part of a process knows about a tenant, or about itself."""

    state: str
    """ok, waiting, paused, halted or failing."""
    detail: dict[str, Fact] = field(default_factory=dict[str, Fact])
    tenant_id: str | None = None


class StatusReporter:
    """Asks the parts of the process and writes their reports to `callrecords.internal.status.v1`."""

    def __init__(self, process: str, producer: Producer, clock: Clock) -> None:
        self._process = process
        self._producer = producer
        self._clock = clock
        self._parts: dict[str, Callable[[], Iterable[StatusPart]]] = {}
        self.instance = uuid4().hex

    def add(self, part: str, report: Callable[[], Iterable[StatusPart]]) -> None:
        """Have a part asked from now on; it is shown as `<process>/<part>`."""
        self._parts[part] = report

    async def run(self) -> None:
        """Report for ever. While Kafka is away one report waits, and no second one is made."""
        while True:
            try:
                await self.report()
            except Transient as failure:
                _log.warning("A status report was not taken.", error_class=type(failure).__name__)
            await asyncio.sleep(_EVERY)

    async def report(self) -> None:
        """Write one report of each part."""
        for part, ask in self._parts.items():
            # A part may be asked about what changes while the report before is on its way.
            for facts in tuple(ask()):
                await self._producer.send(self._message(f"{self._process}/{part}", facts))

    def _message(self, process: str, facts: StatusPart) -> Message:
        report = StatusReport(
            process=process,
            instance=self.instance,
            tenant_id=facts.tenant_id,
            reported_at=self._clock.now(),
            state=facts.state,
            detail=facts.detail,
        )
        value = orjson.dumps(report.model_dump(mode="json", by_alias=True))
        return Message(STATUS.name, status_key(process, facts.tenant_id), value)
