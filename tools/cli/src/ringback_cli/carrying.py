"""Carries out a plan in small steps: written and acked, audited, noted; it may be stopped between two of them."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from itertools import takewhile

from ringback_common.clock import Clock, SystemClock
from ringback_common.errors import Transient
from ringback_common.outcomes import Message
from ringback_stream.publish.producer import MessageTooLarge, Producer

from ringback_cli.audit import AuditTrail

__all__ = ["Carried", "Carrier", "Deed", "within_patience"]

_MOST, _BYTES = 100, 16 * 1024 * 1024
"""Bounds of a step, which is what a kill at the wrong moment repeats at most."""
_PATIENCE = 30.0
"""Seconds for Kafka to take a step, or its entry; an idempotent producer by itself waits for ever."""
_STANDSTILL = f"Kafka has not taken a step for {_PATIENCE:.0f} s; the same command goes on from it."
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do: what the audit trail calls it, and what is to be written for it, if anything."""

    target: str
    message: Message | None = None


@dataclass(slots=True)
class Carried:
    """How far it went.

    Attributes:
        done: how many deeds are acked and audited.
        too_large: targets the broker refuses for their size.
        stopped: whether it was asked to stop, be it behind the last one.
    """

    done: int = 0
    too_large: list[str] = field(default_factory=list[str])
    stopped: bool = False


class Carrier:
    """Does the deeds of one run.

    Args:
        producer: writes the messages; started.
        audit: the trail of the run.
        rate: deeds a second at most.
        noted: called with the deeds of a step once they are audited; none behind one that failed.
    """

    def __init__(
        self, producer: Producer, audit: AuditTrail, rate: int, noted: Callable[[Sequence[Deed]], None]
    ) -> None:
        self._producer = producer
        self._audit = audit
        self._rate = rate
        self._noted = noted
        self._clock: Clock = SystemClock()
        self._stop = asyncio.Event()

    async def carry_out(self, deeds: AsyncGenerator[Deed]) -> Carried:
        """Do all, or as many as come before SIGINT, SIGTERM or SIGHUP.

        Raises:
            Transient: Kafka does not take a step; what was acked of it is audited, unless Kafka does not take that.
        """
        carried, began = Carried(), self._clock.monotonic()
        with self._stoppable():
            await within_patience(self._audit.begin())
            async with aclosing(deeds), aclosing(_steps(deeds, min(_MOST, self._rate))) as steps:
                async for step in steps:
                    await self._do(step, carried)
                    seen = carried.done + len(carried.too_large)
                    await self._pause(began + seen / self._rate - self._clock.monotonic())
                    if self._stop.is_set():
                        carried.stopped = True
                        break
        return carried

    async def _do(self, step: Sequence[Deed], carried: Carried) -> None:
        sending = [asyncio.create_task(self._send(deed)) for deed in step]
        _, late = await asyncio.wait(sending, timeout=_PATIENCE)
        for sent in late:
            sent.cancel()
        pairs = list(zip(step, sending, strict=True))
        acked = [deed for deed, sent in pairs if _went_well(sent)]
        if acked:
            await within_patience(self._audit.done([deed.target for deed in acked]))
            carried.done += len(acked)
        if before_a_failure := [deed for deed, _ in takewhile(lambda pair: _went_well(pair[1]), pairs)]:
            self._noted(before_a_failure)
        if late:
            raise Transient(_STANDSTILL)
        for deed, sent in pairs:
            if isinstance(failure := sent.exception(), MessageTooLarge):
                carried.too_large.append(deed.target)
            elif failure is not None:
                raise failure

    async def _send(self, deed: Deed) -> None:
        if deed.message is not None:
            await self._producer.send(deed.message)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stop.wait()
        except TimeoutError:
            return

    @contextmanager
    def _stoppable(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        received = [
            number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN
        ]  # nohup ignores one
        for number in received:
            loop.add_signal_handler(number, self._stop.set)
        try:
            yield
        finally:
            for number in received:
                loop.remove_signal_handler(number)


def _went_well(sent: "asyncio.Task[None]") -> bool:
    return sent.done() and not sent.cancelled() and sent.exception() is None


async def within_patience(written: Awaitable[None]) -> None:
    """Wait until something is written; raises Transient if Kafka does not take it."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await written
    except TimeoutError:
        raise Transient(_STANDSTILL) from None


async def _steps(deeds: AsyncGenerator[Deed], most: int) -> AsyncGenerator[Sequence[Deed]]:
    step: list[Deed] = []
    total = 0
    async for deed in deeds:
        size = len(deed.message.value or b"") if deed.message is not None else 0
        if step and (len(step) >= most or total + size > _BYTES):
            yield step
            step, total = [], 0
        step.append(deed)
        total += size
    if step:
        yield step
