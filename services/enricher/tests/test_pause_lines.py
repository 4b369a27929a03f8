"""A tenant that is paused gives a line: why, at which call, with Graph's word; at ERROR only if somebody must act."""

import json
import logging
from typing import Any

import pytest
from ringback_common import logs
from ringback_common.errors import Throttled
from ringback_common.outcomes import Reason
from ringback_common.scopes import Scope
from ringback_enricher.adapters.graph import FetchFailure
from ringback_graph.availability import Governor, Signal
from ringback_graph.availability.state import FORBIDDEN_IN_A_ROW, UNEXPECTED_CALLS
from ringback_testing.fetch_bench import MakeBench

CALLS = [f"e523d2ed-2966-4b6b-925b-75000000000{number}" for number in range(9)]


@pytest.fixture
def governor(make_bench: MakeBench, caplog: pytest.LogCaptureFixture) -> Governor:
    """A governor whose lines are read."""
    caplog.set_level(logging.INFO, "ringback_graph")
    governor: Governor = make_bench(FetchFailure(Reason.NOT_FOUND)).governor
    return governor


def line(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The one line about a pause."""
    written = [json.loads(logs.JsonFormatter("fetch").format(one)) for one in caplog.records]
    (paused,) = [each for each in written if each["message"].startswith("A tenant is paused")]
    return paused


def test_a_forbidden_tenant_gives_a_line_with_reason_code_and_call(
    governor: Governor, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the last of the five calls; the operator grants a right."""
    for call in CALLS[:FORBIDDEN_IN_A_ROW]:
        governor.observe("t", Signal.FORBIDDEN, call, "Authorization_RequestDenied")
    reported = line(caplog)
    assert (reported["level"], reported["reason"], reported["code"]) == (
        "ERROR",
        "forbidden",
        "Authorization_RequestDenied",
    )
    assert reported["call_id"] == CALLS[FORBIDDEN_IN_A_ROW - 1]


def test_a_credential_that_fails_is_an_error_with_its_code(
    governor: Governor, caplog: pytest.LogCaptureFixture
) -> None:
    """OAuth's own word, such as an expired secret's."""
    governor.observe("t", Signal.AUTH_FAILING, CALLS[0], "invalid_client:7000222")
    assert (line(caplog)["level"], line(caplog)["code"]) == ("ERROR", "invalid_client:7000222")


@pytest.mark.parametrize("why", ["throttled", "silent", "refused", "unexpected_answers"])
def test_what_passes_by_itself_is_a_warning(governor: Governor, caplog: pytest.LogCaptureFixture, why: str) -> None:
    """Nobody here can mend Graph."""
    match why:
        case "throttled":
            governor.pause_for("t", Throttled(Scope.tenant("t"), 120.0))
        case "silent":
            governor.unresponsive("t", CALLS[0])
        case _:
            signal = Signal.REFUSED if why == "refused" else Signal.UNEXPECTED
            for call in CALLS[:UNEXPECTED_CALLS]:
                governor.observe("t", signal, call, "status_410")
    reported = line(caplog)
    assert (reported["level"], reported["reason"]) == ("WARNING", why)
    assert reported["call_id"] == (None if why == "throttled" else CALLS[0] if why == "silent" else CALLS[4])


@pytest.mark.parametrize("call", ["abbie.wilkins@contoso.com", "Abbie Wilkins", "+49301234567", CALLS[0] + "/abbie"])
def test_no_person_comes_in_by_a_call_id(governor: Governor, caplog: pytest.LogCaptureFixture, call: str) -> None:
    """What a notification names may be anything; only an id of Graph's is repeated."""
    governor.unresponsive("t", call)
    assert line(caplog)["call_id"] is None
