"""Microsoft's own payloads: twins of the documentation's samples, which never skip, and the originals beside them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import pytest
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_events.fetch import FetchRequest
from ringback_events.record import CallRecord
from ringback_graph_simulator.metadata import derive_table, shipped_table, violations
from ringback_ingest.client_state import CALL_RECORDS, Key, KeyRing, NotificationQuery, client_state
from ringback_ingest.webhook.core.genuine import Proof
from ringback_ingest.webhook.core.notifications import Arrival, take
from ringback_testing.graph_samples import SAMPLES, documents, form, metadata_documents, twin
from ringback_testing.json_values import is_list, is_object

pytestmark = pytest.mark.contract

TABLES = RuleSet(CQD_2026_1, SiteMap(), revision=1)
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
KINDS = {
    "callrecord-expanded": "callRecords.callRecord",
    "list-callrecords": "callRecords.callRecord",
    "notification": "changeNotification",
    "pstn-calls": "callRecords.pstnCallLogRow",
    "direct-routing-calls": "callRecords.directRoutingLogRow",
}
WORDS = {
    *("audio", "main-audio", "peerToPeer", "unknown", "callerToCallee", "poor", "android", "windows"),
    *("skypeForBusiness", "created", "user_in", "ByotIn", "BYE", "Subscriber", "Microsoft", "microsoft"),
    "0001-01-01T00:00:00Z",
}
"""What a twin may say word for word: Graph's own terms, and its way to write "never"."""


FORMS = {
    "callrecord-expanded": "f8044bb5dad1624c",
    "list-callrecords": "e49ac63650836984",
    "notification": "3f446b8787a2e38f",
    "pstn-calls": "944fe1aed226d059",
    "direct-routing-calls": "b358c79d0d1b5627",
}
"""Digests of the forms of the originals: a twin that is changed is noticed where no original is at hand, too."""

VALUES = """
0608f55b 06b6b34b 1099f814 112165c6 1433a70c 1796bc8e 1b0f50a7 1c169cef 1ca65aeb 1e1fc64c 236ababe 258bd288
266dd665 2db6fcc2 30d5f83d 32b874f8 35077564 470eab51 4a5e8663 4ac2ef39 512a6bad 522f6498 54a0b74b 5ff3fd98
634d9c9e 65a663c7 68fdc5de 700e2c5a 7b13d67d 7cb261f0 81ef4b89 89878170 958eab30 960dec61 9706ca0a 9914a3d0
9ed845b3 ac1e9201 ace4fe78 ade083fd b132124f b59592e2 b8f5ee40 b9e13483 baf11134 c0484190 c41809ac c61c9dfa
cab0e0ef d48b5be4 d5048852 ea17dd88 ecfcd414 f8385b32 f98927f3 f9ed2e06 fac31bba
"""
"""Short digests of what the originals say, but for `WORDS`: to keep it out of the twins where none is at hand."""
TYPES = "a4b4a0db63df53c3"
"""Digest of the table of types that the published metadata gives."""


@pytest.mark.parametrize("name", SAMPLES)
def test_a_twin_has_the_members_nulls_and_links_of_its_original(name: str) -> None:
    """Member by member where the original is at hand, and everywhere as it was when it was compared last."""
    assert [form(document) for document in documents(name)] == [form(twin(name))] * len(documents(name))
    assert _digest(form(twin(name))) == FORMS[name]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_twin_s_values_are_invented(name: str) -> None:
    """No name, id, number or time of any original is in it: they are not the repository's to ship."""
    assert [text for text in _values(twin(name)) if _short(text) in VALUES] == []
    for original in documents(name)[1:]:
        assert sorted(_values(twin(name)) & _values(original)) == []


def test_what_is_known_of_the_originals_values_is_all_they_say() -> None:
    """Where they are at hand; in a clone alone nothing is there to ask, and the digests stand for them."""
    said = {_short(text) for name in SAMPLES for original in documents(name)[1:] for text in _values(original)}
    assert said in (set(VALUES.split()), set())


@pytest.mark.parametrize("name", SAMPLES)
def test_every_member_is_of_the_metadata(name: str) -> None:
    """What the documentation prints has the names and types that the metadata declares."""
    for document in documents(name):
        for each in _rows(document):
            each.get("resourceData", {}).pop("@odata.type", None)  # it names the record, not the data around it
            assert list(violations(each, f"microsoft.graph.{KINDS[name]}", shipped_table())) == []


def test_the_shipped_types_are_those_of_the_published_metadata() -> None:
    """The table was changed to suit nobody: compared with the metadata where that is at hand, by digest everywhere."""
    assert [derive_table(csdl) for csdl in metadata_documents()] == [shipped_table()] * len(metadata_documents())
    assert _digest(shipped_table()) == TYPES


def test_the_expanded_record_is_derived_whole() -> None:
    """Both people, the session with its stream and the rating, and every member and value kept as it came."""
    for graph in documents("callrecord-expanded"):
        record = _derived(graph)
        names = [party.user_principal_name for party in record.parties]
        assert names == [
            graph["sessions"][0][side]["associatedIdentity"]["userPrincipalName"] for side in ("caller", "callee")
        ]
        assert (record.counts.people, record.session_count, record.worst_feedback) == (2, 1, "poor")
        assert [stream.kind for stream in record.sessions[0].streams] == ["audio"]
        assert orjson.loads(orjson.dumps(record.graph)) == graph


def test_the_records_of_a_list_are_derived_with_their_organizers() -> None:
    """One is a user; the other a telephone, whose identity set holds three nulls beside it."""
    for document in documents("list-callrecords"):
        records = [_derived(graph) for graph in document["value"]]
        phone = document["value"][1]["organizer_v2"]["id"]
        assert [record.parties[0].kind for record in records] == ["user", "phone"]
        assert records[1].parties[0].phone_number == phone


def test_the_notification_becomes_a_request_for_its_record() -> None:
    """Once its clientState is one of ours; as it stands in the documentation it is refused."""
    key = Key("k1", b"a" * 32)
    proof = Proof(KeyRing(key, (key,)), NOW, "test")
    arrival = Arrival(NotificationQuery(CALL_RECORDS, "k1", "test"), "2026-03-10T12:00:00.000000Z")
    for document in documents("notification"):
        [item] = document["value"]
        assert take(orjson.dumps(document), arrival, proof).messages == []
        ours = item | {"clientState": client_state(key, item["tenantId"], CALL_RECORDS)}
        [message] = take(orjson.dumps({"value": [ours]}), arrival, proof).messages
        asked = FetchRequest.model_validate_json(message.value or b"")
        assert (asked.tenant_id, asked.call_id) == (item["tenantId"], item["resourceData"]["id"])


def test_an_empty_name_of_the_folder_names_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`GRAPH_DATA=` in a shell: what happens to lie in the current folder is not taken for Microsoft's."""
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "notification.json").write_text('{"somebody": "else"}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPH_DATA", "")
    assert {"somebody": "else"} not in documents("notification")


def _digest(value: Any) -> str:
    return blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def _short(text: str) -> str:
    return blake2b(text.encode(), digest_size=4).hexdigest()


def _values(document: dict[str, Any]) -> set[str]:
    """What a document says in words of its own; links and types are compared by `form`."""
    return {text for at, text in _texts(document) if "@odata." not in at} - WORDS


def _derived(graph: dict[str, Any]) -> CallRecord:
    context = RecordContext("8f4e2a10-6c1b-4f0e-9d55-3a2b1c0d9e8f", graph["id"], None, "2026-03-10T12:00:00Z")
    return CallRecord.model_validate(derive(graph, context, TABLES))


def _rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The entities of a page, or the one that the document is."""
    return document.get("value", [document])


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a document, by the member it stands in."""
    if is_object(value):
        for member, inner in value.items():
            yield from _texts(inner, member)
    elif is_list(value):
        for inner in value:
            yield from _texts(inner, name)
    elif isinstance(value, str):
        yield name, value
