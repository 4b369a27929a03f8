import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cramjam
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_events.catalogue import EVENTS
from ringback_events.examples import projected_examples
from ringback_events.project import project
from ringback_events.record import CallRecord
from ringback_events.topics import CALLS, RECORDS, SESSIONS
from ringback_testing.json_values import is_list, is_object

pytestmark = pytest.mark.contract

CONTRACTS = Path(__file__).parents[2] / "contracts"
EXAMPLES = sorted((CONTRACTS / "examples").glob("*/*.json"))
TABLES = RuleSet(CQD_2026_1, SiteMap([("10.150.0.0/16", "Zürich HQ")]), revision=1)
CASES = {"guest-and-phone", "nulls", "peer-to-peer", "repeated-session-id", "unicode", "unknown-enum-members"}


def validator(event: str) -> Draft202012Validator:
    """The committed schema of an event."""
    return Draft202012Validator(json.loads((CONTRACTS / "schemas" / f"{event}.v1.json").read_text("utf-8")))


def example(event: str, case: str) -> Any:
    """One example."""
    return json.loads((CONTRACTS / "examples" / event / f"{case}.json").read_text("utf-8"))


def leaves(node: Any) -> Iterator[Any]:
    """Every leaf of a JSON value."""
    children = node.values() if is_object(node) else node if is_list(node) else None
    if children is None:
        yield node
        return
    for child in children:
        yield from leaves(child)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_examples_are_valid_by_model_and_schema(path: Path) -> None:
    """The model (closed, for the publisher) and the schema (for everybody) both take each example."""
    event, text = path.parent.name, path.read_text("utf-8")
    EVENTS[event].model_validate_json(text)
    assert [error.message for error in validator(event).iter_errors(json.loads(text))] == []


@pytest.mark.parametrize("event", EVENTS)
def test_both_refuse_an_example_that_lacks_a_member(event: str) -> None:
    """Model and schema require the same members."""
    path = next((CONTRACTS / "examples" / event).glob("*.json"))
    whole = json.loads(path.read_text("utf-8"))
    required = [str(info.alias) for info in EVENTS[event].model_fields.values() if info.is_required()]
    for name in required:
        lacking = {other: value for other, value in whole.items() if other != name}
        assert not validator(event).is_valid(lacking), name
        with pytest.raises(ValidationError):
            EVENTS[event].model_validate(lacking)


def test_each_record_has_its_open_events() -> None:
    """Snapshot: the committed open examples are the projections of the committed records, on every run."""
    first, second = (dict(projected_examples(CONTRACTS)) for _ in range(2))
    assert first == second
    assert {path.stem for path in first if path.parent.name == "call"} == CASES
    for path, text in first.items():
        assert path.read_text("utf-8") == text, path


DERIVED = sorted(CASES - {"nulls"})
"""The example of nulls lacks members, as a record of an earlier release may; the derivation writes all of them."""


@pytest.mark.parametrize("case", DERIVED)
def test_an_example_is_what_is_derived_of_its_graph(case: str) -> None:
    """Nothing in it is invented but what Graph says: the parties, the receivers, the counts and verdicts follow."""
    reported = example("record", case)
    context = RecordContext(reported["tenantId"], reported["callId"], reported["receivedAt"], reported["fetchedAt"])
    assert derive(reported["graph"], context, TABLES) == reported


def test_a_stream_is_received_by_the_side_it_goes_to() -> None:
    """By the callee of a peer-to-peer call as well as the caller; a service is no party, an unknown way has no end."""
    received = {
        case: [[each["receiverParty"] for each in one["streams"]] for one in example("record", case)["sessions"]]
        for case in DERIVED
    }
    assert received["peer-to-peer"] == [[1, 0]]
    assert received["guest-and-phone"] == [[None, 0], [None, 1], [None, 2], [None]]
    assert received["unknown-enum-members"] == [[None, 0]]


def test_the_cases_are_what_they_say() -> None:
    """Each example really shows the oddity it is named after."""
    assert None in leaves(example("record", "nulls"))
    assert "codec" not in example("record", "nulls")["sessions"][0]["streams"][0]
    assert not json.dumps(example("record", "unicode"), ensure_ascii=False).isascii()
    assert {party["kind"] for party in example("record", "guest-and-phone")["parties"]} == {"user", "guest", "phone"}
    repeated = [session["sessionId"] for session in example("record", "repeated-session-id")["sessions"]]
    assert len(set(repeated)) < len(repeated)


def test_unknown_members_pass_and_free_text_does_not() -> None:
    """A member Graph added passes into the open tier; a label or version that names a person does not."""
    session = example("session", "unknown-enum-members-0")
    assert session["callType"] == "townhallOf2030"
    assert session["caller"]["platform"] == "neuralLink"
    assert session["caller"]["applicationVersion"] == "unknown"
    assert session["streams"][0]["label"] == "unknown"


def test_a_masked_phone_has_no_token_and_a_guest_has_one() -> None:
    """Only parties that can be distinguished are joined."""
    tokens = [party["token"] for party in example("call", "guest-and-phone")["parties"]]
    assert [token is None for token in tokens] == [False, False, False, True]


@pytest.fixture(scope="module")
def largest() -> dict[str, Any]:
    """A meeting of 1,200 sessions and 1,200 parties, made of one example's parts."""
    record = example("record", "repeated-session-id")
    [session, _], [party, _] = record["sessions"], record["parties"]
    sessions = [session | {"ordinal": each, "sessionId": f"session-{each}"} for each in range(1200)]
    parties = [party | {"index": each, "displayName": f"Person {each}", "id": f"p-{each}"} for each in range(1200)]
    return record | {"sessions": sessions, "parties": parties, "sessionCount": 1200}


def test_the_largest_meeting_is_legal(largest: dict[str, Any]) -> None:
    """1,200 sessions are valid, restricted and open, and fit their topics when compressed."""
    CallRecord.model_validate_json(json.dumps(largest))
    assert validator("record").is_valid(largest)
    opened: Any = project(largest, lambda _party: None)  # pyright: ignore[reportArgumentType] - validated above
    assert len(opened.sessions) == opened.completed["sessionCount"] == 1200
    assert validator("call").is_valid(opened.call)
    assert validator("session").is_valid(opened.sessions[-1])
    for value, topic in ((largest, RECORDS), (opened.call, CALLS), (opened.sessions, SESSIONS)):
        assert len(bytes(cramjam.zstd.compress(json.dumps(value).encode()))) < topic.max_bytes
