"""A tenant that is paused gives a line: why, at which call, with Graph's word; at ERROR only if somebody must act."""

import json
import logging
from typing import Any

import pytest
from ringback_common import logs
from ringback_common.outcomes import Reason
from ringback_enricher.adapters.graph import FetchFailure
from ringback_enricher.core.tenants import FORBIDDEN_IN_A_ROW, UNEXPECTED_CALLS, Signal
from ringback_enricher.gate import TenantGate
from ringback_testing.fetch_bench import MakeBench

CALLS = [f"e523d2ed-2966-4b6b-925b-75000000000{number}" for number in range(9)]


@pytest.fixture
def gate(make_bench: MakeBench, caplog: pytest.LogCaptureFixture) -> TenantGate:
    """A gate whose lines are heard."""
    caplog.set_level(logging.INFO, "ringback_enricher")
    gate: TenantGate = make_bench(FetchFailure(Reason.NOT_FOUND)).gate
    return gate


def line(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The one line about a pause."""
    written = [json.loads(logs.JsonFormatter("fetch").format(one)) for one in caplog.records]
    (paused,) = [each for each in written if each["message"].startswith("A tenant is paused")]
    return paused


def test_a_forbidden_tenant_gives_a_line_with_reason_code_and_call(
    gate: TenantGate, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the last of the five calls; the operator grants a right."""
    for call in CALLS[:FORBIDDEN_IN_A_ROW]:
        gate.observe("t", Signal.FORBIDDEN, call, "Authorization_RequestDenied")
    told = line(caplog)
    assert (told["level"], told["reason"], told["code"]) == ("ERROR", "forbidden", "Authorization_RequestDenied")
    assert told["call_id"] == CALLS[FORBIDDEN_IN_A_ROW - 1]


def test_a_credential_that_fails_is_an_error_with_its_code(gate: TenantGate, caplog: pytest.LogCaptureFixture) -> None:
    """OAuth's own word, such as an expired secret's."""
    gate.observe("t", Signal.AUTH_FAILING, CALLS[0], "invalid_client:7000222")
    assert (line(caplog)["level"], line(caplog)["code"]) == ("ERROR", "invalid_client:7000222")


@pytest.mark.parametrize("why", ["throttled", "silent", "refused", "unexpected_answers"])
def test_what_passes_by_itself_is_a_warning(gate: TenantGate, caplog: pytest.LogCaptureFixture, why: str) -> None:
    """Nobody here can mend Graph."""
    match why:
        case "throttled":
            gate.throttled("t", 120.0)
        case "silent":
            gate.silent("t", CALLS[0])
        case _:
            signal = Signal.REFUSED if why == "refused" else Signal.UNEXPECTED
            for call in CALLS[:UNEXPECTED_CALLS]:
                gate.observe("t", signal, call, "status_410")
    told = line(caplog)
    assert (told["level"], told["reason"]) == ("WARNING", why)
    assert told["call_id"] == (None if why == "throttled" else CALLS[0] if why == "silent" else CALLS[4])


@pytest.mark.parametrize("call", ["abbie.wilkins@contoso.com", "Abbie Wilkins", "+49301234567", CALLS[0] + "/abbie"])
def test_no_person_comes_in_by_a_call_id(gate: TenantGate, caplog: pytest.LogCaptureFixture, call: str) -> None:
    """What a notification names may be anything; only an id of Graph's is repeated."""
    gate.silent("t", call)
    assert line(caplog)["call_id"] is None
