"""The publication plan and the files it depends on: order, identity, size, and what the open tier never holds."""

import base64
import gc
import json
import sys
import tracemalloc
from pathlib import Path

import orjson
import pytest
from ringback_common.errors import ConfigError
from ringback_common.outcomes import Emit, Message, Reason, Reject
from ringback_enricher.adapters.files import read_sites, read_token_keys
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.publishing import publication
from ringback_enricher.core.requests.recent_publications import RecentPublications
from ringback_events.headers import VersionHeaders
from ringback_events.open import OpenCall, OpenSession, SessionsCompleted
from ringback_events.topics import CALLS, RECORDS
from ringback_events.wire import CallRecordWire
from ringback_testing.graph_records import ALICE, BOB, CALL, TENANT, meeting

PERSONAL = (
    *(ALICE, BOB, "Alice Amp", "Bob", "alice@contoso.example", "+4930901820", "teamsvisitor:0a1b", "10.20.30.40"),
    *("00-00-5E-00-53-01", "00-00-5E-00-53-AF", "corp.contoso.example", "LAPTOP-7", "meetup-join", "Ich h", "UA/1"),
)


@pytest.fixture
def record() -> CallRecordWire:
    """The derived meeting."""
    return derive(
        meeting(), RecordContext(TENANT, CALL, None, "2026-11-02T10:00:00Z"), RuleSet(CQD_2026_1, SiteMap(), 7)
    )


def _plan(record: CallRecordWire, *, replay: bool = False, canary: bool = False) -> tuple[tuple[Message, ...], ...]:
    stages = publication(record, lambda _: lambda _party: None, replay=replay, canary=canary)
    assert not isinstance(stages, Reject)
    return stages


def test_every_event_is_valid_by_its_contract(record: CallRecordWire) -> None:
    """The open events pass the contract's models."""
    _, sessions, (marker,), (call,) = _plan(record)
    for session in sessions:
        OpenSession.model_validate_json(session.value or b"")
    SessionsCompleted.model_validate_json(marker.value or b"")
    OpenCall.model_validate_json(call.value or b"")


def test_what_names_a_person_stays_in_the_restricted_tier(record: CallRecordWire) -> None:
    """The search that finds every name, address and number in the restricted record finds none in the open events."""
    (restricted,), *opened = _plan(record)
    found = {text for text in PERSONAL if text.encode() in (restricted.value or b"")}
    assert found == set(PERSONAL)
    everything = b"".join(message.value or b"" for stage in opened for message in stage)
    assert {text for text in PERSONAL if text.encode() in everything} == set()


def test_a_repeat_has_the_same_ids_and_bytes(record: CallRecordWire) -> None:
    """Publishing twice gives equal events, so that consumers may drop the second."""
    assert _plan(record) == _plan(record)


def test_a_plan_takes_no_more_memory_than_it_says(record: CallRecordWire) -> None:
    """It waits for Kafka with up to 63 others: its values are no larger in memory than on the wire."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        plan = _plan(record)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    messages = [message for stage in plan for message in stage]
    headers = sum(len(name) + len(value or b"") + 200 for message in messages for name, value in message.headers)
    assert taken < 1.1 * sum(sys.getsizeof(message.value) for message in messages) + headers


def test_a_record_the_topic_would_refuse_is_published_nowhere(record: CallRecordWire) -> None:
    """It is measured as compressed, before anything is written; what compresses well is welcome."""
    limit = RECORDS.max_bytes
    record["graph"]["padding"] = "x" * (2 * limit)
    assert len(_plan(record)) == 4
    import random  # noqa: PLC0415 - incompressible text for this test alone

    noise = random.Random(1)  # noqa: S311 - not a secret
    record["graph"]["padding"] = "".join(map(chr, noise.choices(range(33, 55_000), k=limit)))
    assert publication(record, lambda _: lambda _p: None, replay=False, canary=False) == Reject(Reason.TOO_LARGE)


def test_a_call_without_sessions_still_gets_its_marker() -> None:
    """A consumer of sessions learns that there are none."""
    graph = {"id": CALL, "version": 1}
    empty = derive(graph, RecordContext(TENANT, CALL, None, "2026-11-02T10:00:00Z"), RuleSet(CQD_2026_1, SiteMap(), 1))
    stages = publication(empty, lambda _: lambda _p: None, replay=False, canary=False)
    assert not isinstance(stages, Reject)
    assert [len(stage) for stage in stages] == [1, 1, 1]
    assert orjson.loads(stages[1][0].value or b"")["sessionCount"] == 0


def acked_call(key: bytes, version: int) -> Emit:
    """The outcome of a step that published this version of a call."""
    headers = VersionHeaders(TENANT, CALL, version, 1, "2026-11-02T10:00:00Z").call()
    return Emit(((Message(CALLS.name, key, b"{}", headers),),))


def test_the_memory_is_bounded() -> None:
    """The oldest call is forgotten, and published again when it comes."""
    memory = RecentPublications(2)
    for key in (b"a", b"b", b"c"):
        memory.acked([acked_call(key, 1)])
    assert [memory.holds(key, (1, 1)) for key in (b"a", b"b", b"c")] == [False, True, True]


def test_the_memory_never_goes_back() -> None:
    """A forced publication of an older version does not make the newer one look new."""
    memory = RecentPublications(2)
    memory.acked([acked_call(b"a", 3)])
    memory.acked([acked_call(b"a", 2)])
    assert memory.holds(b"a", (3, 1))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("- {site: Berlin, subnets: [10.0.0.0/8]}\n- {site: X, subnets: [ten]}", "no network"),
        ("- {site: Berlin}", "subnets"),
        ("{unclosed", "no YAML"),
        (None, "cannot be read"),
    ],
)
def test_an_unusable_site_map_is_named(tmp_path: Path, content: str | None, problem: str) -> None:
    """One sentence that names the setting and the mistake."""
    file = tmp_path / "sites.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=rf"RINGBACK_SITES_FILE .*{problem}"):
        read_sites(file)


def test_a_site_map_is_read(tmp_path: Path) -> None:
    """A list of sites with their subnets."""
    file = tmp_path / "sites.yaml"
    file.write_text("- {site: Berlin, subnets: [10.20.0.0/16]}\n")
    assert read_sites(file).place("10.20.1.1").site == "Berlin"
    assert read_sites(None).place("10.20.1.1").site is None


@pytest.mark.parametrize(
    "content", ["no json", '{"active": "k1", "keys": {}}', '{"active": "k1", "keys": {"k1": {"key": "c2VjcmV0"}}}']
)
def test_unusable_token_keys_are_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    """The sentence names the setting; no key material is in it."""
    file = tmp_path / "keys.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match="RINGBACK_PRIVACY__KEYS_FILE") as raised:
        read_token_keys(file, "production")
    assert "c2VjcmV0" not in str(raised.value)


def test_keys_for_development_are_refused_in_production(tmp_path: Path) -> None:
    """What everybody can read in the repository pseudonymises nobody."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"active": "dev1", "keys": {"dev1": {"key": base64.b64encode(b"k" * 32).decode()}}}))
    assert read_token_keys(file, "dev").active == "dev1"
    with pytest.raises(ConfigError, match="RINGBACK_PRIVACY__KEYS_FILE holds a key for development"):
        read_token_keys(file, "production")
