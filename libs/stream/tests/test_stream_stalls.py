"""What stays in hand for long gives a line: which call, what it waits for, once a minute."""

import json
from typing import Any, cast

import pytest
from ringback_common import logs
from ringback_common.outcomes import Drop, Reason, Received
from ringback_common.settings import KafkaSettings
from ringback_events.topics import FETCH
from ringback_stream.aside.writer import AsideWriter
from ringback_stream.consume.batch_runner import BatchedRunner
from ringback_stream.consume.key_queue import Item
from ringback_stream.consume.offsets import Ticket
from ringback_stream.consume.partitions import Partition
from ringback_stream.consume.stalls import STALL, StallLog
from ringback_stream.flows import BatchedFlow, LaneKind
from ringback_stream.process.supervisor import FlowSupervisor

TENANT, CALL = "dc368399-474c-4d40-900c-6265431fd81f", "e523d2ed-2966-4b6b-925b-754a88034cc5"
KEY = f"{TENANT}|{CALL}".encode()


class Clock:
    """Stands where a test sets it."""

    at = 100.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.at


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What was said."""
    return [json.loads(logs.JsonFormatter("fetch").format(one)) for one in caplog.records]


def look(stalls: StallLog, why: str, age: float, key: bytes = KEY) -> None:
    """Tell of the age of the oldest."""
    stalls.look(why, age, lambda: key)


def test_a_stall_gives_a_line_with_reason_and_call(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing below 15 s; then its group, what it waits for, for how long, and the call."""
    stalls = StallLog("ringback-enricher", cast("Any", Clock()))
    look(stalls, "running", STALL - 0.1)
    assert lines(caplog) == []
    look(stalls, "running", STALL)
    (line,) = lines(caplog)
    reported = [line[name] for name in ("level", "group", "reason", "age_s", "tenant_id", "call_id")]
    assert reported == ["WARNING", "ringback-enricher", "running", 15.0, TENANT, CALL]


def test_it_is_said_once_a_minute_and_reason_and_anew_after_it_ended(caplog: pytest.LogCaptureFixture) -> None:
    """An outage must not bury itself; the next stall is another one."""
    clock = Clock()
    stalls = StallLog("g", cast("Any", clock))
    for second in range(61):
        clock.at = 100.0 + second
        look(stalls, "writing", STALL + second)
    assert [line["age_s"] for line in lines(caplog)] == [15.0, 75.0]
    look(stalls, "ready", STALL)
    look(stalls, "writing", 0.0)
    look(stalls, "writing", STALL)
    assert [line["reason"] for line in lines(caplog)] == ["writing", "writing", "ready", "writing"]


def test_no_person_comes_in_by_a_key(caplog: pytest.LogCaptureFixture) -> None:
    """A poisoned key is not repeated."""
    look(StallLog("g", cast("Any", Clock())), "running", STALL, b"Abbie Wilkins|+49301234567")
    assert "Abbie" not in json.dumps(lines(caplog))
    assert "4930" not in json.dumps(lines(caplog))


def test_a_batch_tells_the_key_of_its_oldest_record() -> None:
    """Of what is written, and of what waits for it."""
    runner = BatchedRunner(cast("Any", None), cast("Any", None), cast("Any", Clock()))
    for name in (b"t|a", b"t|b"):
        record = Received(FETCH.name, 0, 0, 0, name, b"")
        runner._waiting.append(Item(Ticket(Partition(FETCH.name, 0), 0, 1), record, LaneKind.LIVE, 1.0))
    assert (runner.oldest_key("ready"), runner.oldest_key("running"), runner.oldest_key("writing")) == (
        b"t|a",
        b"",
        b"",
    )


def test_what_waits_to_be_written_is_named_as_well(caplog: pytest.LogCaptureFixture) -> None:
    """It is with the writer, which no runner asks."""
    clock = cast("Any", Clock())
    flow = BatchedFlow("ringback-enricher", (FETCH,), cast("Any", None))
    supervisor = FlowSupervisor(
        KafkaSettings(bootstrap_servers="k:9092"), "fetch", flow, cast("Any", None), cast("Any", None), clock
    )
    supervisor.writer = AsideWriter(cast("Any", None), clock)
    for key in (KEY, b"t|later"):
        record = Received(FETCH.name, 0, 0, 0, key, b"")
        supervisor.writer.offer(Ticket(Partition(FETCH.name, 0), 0, 1), record, Drop(Reason.NOT_FOUND))
    clock.at += STALL
    supervisor._tell_of(BatchedRunner(flow, cast("Any", None), clock))
    (line,) = lines(caplog)
    assert (line["reason"], line["tenant_id"], line["call_id"]) == ("writing", TENANT, CALL)
