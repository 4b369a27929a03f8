"""What is carried out when Kafka takes part of it, nothing, or the operator changes his mind."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, cast

import pytest
from ringback_cli import carrying
from ringback_cli.audit import AuditTrail
from ringback_cli.carrying import Carried, Carrier, Deed
from ringback_common.errors import Transient
from ringback_common.outcomes import Message
from ringback_events.topics import AUDIT
from ringback_stream.publish.producer import MessageTooLarge, Producer


class Kafka:
    """Takes what `refuses` does not keep waiting or raise for."""

    def __init__(self, refuses: Callable[[Message], Exception | None]) -> None:
        self.refuses = refuses
        self.taken: list[Message] = []

    async def send(self, message: Message) -> None:
        """Take it, wait for ever, or raise."""
        refusal = self.refuses(message)
        if isinstance(refusal, TimeoutError):
            await asyncio.Event().wait()
        if refusal is not None:
            raise refusal
        self.taken.append(message)


async def carry_out(kafka: Kafka, count: int, noted: list[str], rate: int = 5000) -> Carried:
    """Write so many messages, `noted` being told their targets."""

    async def deeds() -> AsyncGenerator[Deed]:
        for number in range(count):
            yield Deed(f"call-{number}", Message("bulk", str(number).encode(), b""))

    def note(step: Sequence[Deed]) -> None:
        noted.append(step[-1].target)

    producer = cast("Producer", cast("Any", kafka))
    return await Carrier(producer, AuditTrail(producer, "operator:jo", "a", "w", "run"), rate, note).carry_out(deeds())


@pytest.mark.parametrize("entry", [0, 1], ids=["begun", "done"])
async def test_an_entry_that_kafka_does_not_take_ends_the_run(monkeypatch: pytest.MonkeyPatch, entry: int) -> None:
    """An idempotent producer alone would wait for ever, and so would the operator."""
    monkeypatch.setattr(carrying, "_PATIENCE", 0.1)
    kafka = Kafka(lambda _: None)

    def refuses(one: Message) -> Exception | None:
        return TimeoutError() if one.topic == AUDIT.name and entries(kafka) == entry else None

    kafka.refuses = refuses
    with pytest.raises(Transient, match="goes on from it"):
        async with asyncio.timeout(5):
            await carry_out(kafka, 3, [])


def entries(kafka: Kafka) -> int:
    """How many entries the trail has."""
    return sum(each.topic == AUDIT.name for each in kafka.taken)


async def test_a_step_whose_first_deed_waits_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was acked behind it is audited, and the run is noted to have come no further."""
    monkeypatch.setattr(carrying, "_PATIENCE", 0.1)
    kafka, noted = Kafka(lambda one: TimeoutError() if one.key == b"0" else None), list[str]()
    with pytest.raises(Transient, match="goes on from it"):
        await carry_out(kafka, 3, noted)
    assert noted == []
    assert b'"targets":["call-1","call-2"]' in (kafka.taken[-1].value or b"")


async def test_one_that_is_too_large_is_named_and_the_rest_is_done() -> None:
    """The broker's word about one record says nothing about the next."""
    noted: list[str] = []
    carried = await carry_out(Kafka(lambda one: MessageTooLarge("bulk") if one.key == b"1" else None), 3, noted)
    assert (carried.done, carried.too_large, carried.stopped, noted) == (2, ["call-1"], False, ["call-0"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_behind_the_step_that_is_under_way(number: signal.Signals) -> None:
    """At once: what comes next is not even read. Whoever began these tests may have ignored it."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        kafka = Kafka(lambda one: os.kill(os.getpid(), number) if one.key == b"2" else None)
        carried = await carry_out(kafka, 6, [], rate=3)
    finally:
        signal.signal(number, before)
    assert (carried.done, carried.stopped) == (3, True)


async def test_what_nohup_ignores_stops_nothing() -> None:
    """A long release outlives its terminal if it was begun so."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        kafka = Kafka(lambda one: os.kill(os.getpid(), signal.SIGHUP) if one.key == b"0" else None)
        assert (await carry_out(kafka, 3, [], rate=1000)).stopped is False
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
