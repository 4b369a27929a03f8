"""Small invented records about one matter each, from the bytes that Graph would send to what is published of them.

A case holds the record, and as `expect` a list of places in the published record with their right values; a place that
ends in `!` is of the open call and must differ from the value.

They are the cases of `../shared/cases`, but for what may be a real person there: the number of R08, the visitor id of
R05 and the first name of R17, in its `expect` as well, are invented here.
"""

import base64
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from multidict import CIMultiDict
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.publishing import publication
from ringback_events.record import CallRecord
from ringback_events.tokens import Pseudonymizer, TokenKeys, TokenPolicy
from ringback_graph.client import json_object
from ringback_graph.exchange import Reply

TENANT = "11112222-3333-4444-8555-666677778888"
TABLES = RuleSet(CQD_2026_1, SiteMap(), revision=1)
KEYS = TokenKeys.model_validate({"active": "k1", "keys": {"k1": {"key": base64.b64encode(bytes(32)).decode()}}})
TOKENS = Pseudonymizer(KEYS, TokenPolicy.MONTHLY)
CASES = {
    path.stem: orjson.loads(path.read_bytes()) for path in sorted((Path(__file__).parent / "cases").glob("*.json"))
}
LISTED_ALONE = {"R17-unicode-and-nul": "six people, of whom the sessions name four: no call of two"}
"""Cases of a call of two that tell nothing without a list, with the reason."""


def _is_read_without_a_list(name: str, case: dict[str, Any]) -> bool:
    """A peer-to-peer call is read without participants_v2 unless its sessions are empty."""
    record = case["record"]
    return record.get("type") == "peerToPeer" and bool(record.get("sessions")) and name not in LISTED_ALONE


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_right_values_are_published(case: dict[str, Any]) -> None:
    """Every expected value, and the whole record as it was sent but for what no encoding has a form for."""
    _hold(case)


PAIRS = {name: case for name, case in CASES.items() if _is_read_without_a_list(name, case)}


@pytest.mark.parametrize("case", PAIRS.values(), ids=PAIRS)
def test_a_call_of_two_has_the_right_values_without_a_list(case: dict[str, Any]) -> None:
    """As its record is read: organizer and sessions name both."""
    record = {name: value for name, value in case["record"].items() if name != "participants_v2"}
    assert "participants_v2" in case["record"]
    _hold(case | {"record": record})


def _hold(case: dict[str, Any]) -> None:
    data = json.dumps(case["record"]).encode()
    old, new = case.get("raw", ("", ""))
    sent = data.replace(old.encode(), new.encode()) if old else data
    graph = json_object(Reply(200, CIMultiDict({"Content-Type": "application/json"}), sent))
    assert graph is not None
    derived = derive(graph, RecordContext(TENANT, graph["id"], None, "2026-11-20T10:00:00Z"), TABLES)
    stages = publication(derived, TOKENS.for_parties_of, replay=False, canary=False)
    assert isinstance(stages, tuple)
    published = orjson.loads(stages[0][0].value or b"")
    CallRecord.model_validate(published)
    opened = orjson.loads(stages[-1][0].value or b"")
    for place, expected in case["expect"]:
        if place.endswith("!"):
            assert _at(opened, place[:-1]) != expected, place
        else:
            assert _at(published, place) == expected, place
    assert published["graph"] == json.loads(sent, object_hook=_with_whole_texts)


def _at(value: Any, place: str) -> Any:
    for step in place.split("."):
        value = value[int(step) if isinstance(value, list) else step]
    return value


def _with_whole_texts(members: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value
        for name, value in members.items()
    }
