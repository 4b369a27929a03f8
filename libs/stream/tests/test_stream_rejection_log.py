"""Each dead letter gives a line with its reason and its call, and nothing of what was refused."""

import json
import logging
from typing import Any

import pytest
from ringback_common import logs
from ringback_common.outcomes import Emit, Reason, Received, Reject
from ringback_events.keys import call_key
from ringback_events.topics import FETCH
from ringback_stream.consume.offsets import Ticket
from ringback_stream.consume.outcome_handler import OutcomeHandler, StepResult
from ringback_stream.consume.partitions import Partition
from ringback_stream.consume.rejection_log import RejectionLog

TENANT, CALL = "dc368399-474c-4d40-900c-6265431fd81f", "e523d2ed-2966-4b6b-925b-754a88034cc5"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The lines written so far, as an operator reads them."""
    formatter = logs.JsonFormatter("fetch")
    return [json.loads(formatter.format(one)) for one in caplog.records]


class Producer:
    """Takes every message."""

    async def send(self, _message: object) -> None:
        """Taken at once."""


def received(key: bytes = call_key(TENANT, CALL), offset: int = 7) -> Received:
    """A fetch request."""
    return Received(FETCH.name, 3, offset, 0, key, b'{"displayName": "Abbie Wilkins"}', (("x", b"Abbie Wilkins"),))


async def apply(record: Received, outcome: Any, *, is_ours: bool = True) -> None:
    """Carry an outcome out, as a runner does."""
    producer: Any = Producer()
    outcome_handler = OutcomeHandler(producer, "fetch", "ringback-enricher", lambda _: is_ours)
    await outcome_handler.apply([StepResult(Ticket(Partition(FETCH.name, 3), record.offset, 1), record, outcome)])


async def test_a_dead_letter_gives_a_line_with_reason_and_call(caplog: pytest.LogCaptureFixture) -> None:
    """An operator who reads it can look up the call and the dead letter."""
    await apply(received(), Reject(Reason.FORBIDDEN, "Authorization_RequestDenied"))
    (line,) = lines(caplog)
    reported = {name: line[name] for name in ("level", "reason", "error_class", "tenant_id", "call_id", "topic")}
    assert reported == {
        "level": "ERROR",
        "reason": "forbidden",
        "error_class": "Authorization_RequestDenied",
        "tenant_id": TENANT,
        "call_id": CALL,
        "topic": FETCH.name,
    }
    assert (line["partition"], line["offset"], line["count"]) == (3, 7, 1)


@pytest.mark.parametrize("reason", list(Reason))
async def test_error_means_that_an_operator_must_act(caplog: pytest.LogCaptureFixture, reason: Reason) -> None:
    """A call that Graph never made, or that changed while it was read, needs no operator."""
    await apply(received(), Reject(reason))
    (line,) = lines(caplog)
    nothing_to_do = reason in {Reason.NOT_FOUND, Reason.VERSION_UNSTABLE}
    assert line["level"] == ("WARNING" if nothing_to_do else "ERROR")


async def test_what_is_no_dead_letter_of_this_assignment_gives_no_line(caplog: pytest.LogCaptureFixture) -> None:
    """A satisfied record, and one whose next owner will refuse it again."""
    await apply(received(), Emit())
    await apply(received(), Reject(Reason.FORBIDDEN), is_ours=False)
    assert lines(caplog) == []


@pytest.mark.parametrize(
    "key",
    [b"Abbie Wilkins|+49301234567", b"abbie.wilkins@contoso.com", b"\xff|\xfe", b"", b"contoso|8:orgid:abbie",
     f"{TENANT}|abbie".encode()],
)  # fmt: skip
async def test_no_person_comes_in_by_a_key_or_an_error_class(caplog: pytest.LogCaptureFixture, key: bytes) -> None:
    """A poisoned key is not repeated; topic, partition and offset lead to the letter."""
    await apply(received(key), Reject(Reason.SCHEMA_INVALID, "Abbie Wilkins is no number"))
    written = json.dumps(lines(caplog))
    assert '"offset": 7' in written
    for canary in ("Abbie", "abbie", "4930", "orgid", "contoso"):
        assert canary not in written


def test_a_flood_is_counted_and_not_written(caplog: pytest.LogCaptureFixture) -> None:
    """A hundred lines a minute and reason; the next one says for how many it stands; another reason has its own."""
    now = [0.0]
    refusals = RejectionLog("fetch", lambda: now[0])
    for _ in range(250):
        refusals.say(received(), Reject(Reason.UNKNOWN_TENANT))
    refusals.say(received(), Reject(Reason.TOO_LARGE))
    assert len(lines(caplog)) == 101
    now[0] = 60.0
    refusals.say(received(), Reject(Reason.UNKNOWN_TENANT))
    assert lines(caplog)[-1]["count"] == 151


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "ringback_stream")
