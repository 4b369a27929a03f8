import json
from pathlib import Path
from typing import Any

import pytest
import ringback_graph_simulator as simulator
import yaml
from ringback_common.outcomes import Reason, Received, Reject
from ringback_events import topics as topics_module
from ringback_events.catalogue import EVENTS
from ringback_events.enumerations import GRAPH, enumerations, strings
from ringback_events.header_names import ATTEMPT, DUE, KNOWN_VERSION, LOOKS, READ, REASON, RUN, TRACEPARENT
from ringback_events.headers import VersionHeaders, audit_headers, fetch_request_headers, lifecycle_headers
from ringback_events.topic_files import MARK, read_topic_files, topic_data, topic_files
from ringback_events.topics import (
    ALL_TOPICS,
    AUDIT,
    CALLS,
    CONTROL,
    FETCH,
    FETCH_LANES,
    INTERNAL_DEAD_LETTERS,
    LIFECYCLE,
    RECORDS,
    RESTRICTED_DEAD_LETTERS,
    SESSIONS,
    STATUS,
    Cleanup,
    KeyRule,
    Tier,
    Topic,
)
from ringback_events.topics import topic as named
from ringback_stream.consume.dead_letters import dead_letter

pytestmark = pytest.mark.contract

CONTRACTS = Path(__file__).parents[2] / "contracts"
DATA = Path(str(topics_module.__file__)).with_name("topics.json")
METADATA = Path(str(simulator.__file__)).with_name("metadata.json")
DAY_MS = 86_400_000


def topic_file(topic: Topic) -> dict[str, Any]:
    """What the topic's file says."""
    return yaml.safe_load((CONTRACTS / "topics" / f"{topic.name}.yaml").read_text("utf-8"))


def test_one_file_per_topic() -> None:
    """No topic without a file, no file without a topic."""
    assert {path.stem for path in (CONTRACTS / "topics").iterdir()} == {topic.name for topic in ALL_TOPICS}


def test_programs_have_what_the_files_say() -> None:
    """Drift: after a change of a file run `make contracts`; every declared value reaches the code's topics."""
    assert DATA.read_text("utf-8") == topic_data(CONTRACTS)
    for file in read_topic_files(CONTRACTS):
        topic = named(file.topic)
        days = None if topic.retention_ms is None else f"{topic.retention_ms // DAY_MS}d"
        assert (topic.partitions, topic.max_bytes, days) == (file.partitions, file.max_bytes, file.retention)
        assert (topic.key_rule.value, topic.cleanup.value) == (file.partition_by, file.cleanup)
        assert (topic.tier.value, topic.dead_letters, topic.events) == (file.tier, file.dead_letters, file.events)
        assert (topic.producers, topic.consumers) == (tuple(file.producers), tuple(file.consumers))


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda each: each.name)
def test_the_file_answers_a_consumers_questions(topic: Topic) -> None:
    """Its schemas and examples exist; only dead letters have none, for they hold what was refused."""
    file = topic_file(topic)
    for path in (*file["schemas"], *file["examples"]):
        assert (CONTRACTS / path).exists(), path
    assert file["examples"] == [f"examples/{event}" for event in topic.events]
    assert bool(topic.events) == (topic.entity != "dead-letters")
    assert (topic.retention_ms is None) == (topic.cleanup is Cleanup.COMPACT)


MISTAKES = {
    "a member nobody knows": ("cleanup: delete", "cleanup: delete\nclean: up", "clean"),
    "a partitioner nobody has": ("partitioner: murmur2", "partitioner: crc32", "partitioner"),
    "no owner": ("owner: Ringback maintainers\n", "", "owner"),
    "a retention that is no number of days": ("retention: 7d", "retention: 1w", "retention"),
    "another tier": ("tier: internal", "tier: open", "do not agree"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_file_is_one_sentence(mistake: str, tmp_path: Path) -> None:
    """`make contracts` names the file and the member."""
    right, wrong, named_so = MISTAKES[mistake]
    text = (CONTRACTS / "topics" / f"{FETCH.name}.yaml").read_text("utf-8")
    assert right in text
    (tmp_path / "topics").mkdir()
    (tmp_path / "topics" / f"{FETCH.name}.yaml").write_text(text.replace(right, wrong), "utf-8")
    with pytest.raises(ValueError, match=rf"^{FETCH.name}\.yaml: .*{named_so}") as refused:
        read_topic_files(tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("topic", [each for each in ALL_TOPICS if each.key_rule is KeyRule.BY_TENANT], ids=str)
def test_keys_by_tenant_begin_with_the_tenant(topic: Topic) -> None:
    """To partition by tenant, the tenant must come first in the key."""
    assert str(topic_file(topic)["key"]).split("|")[0] == "tenant"


def test_every_event_has_examples() -> None:
    """At least one example of each event is in the contract."""
    for event in EVENTS:
        assert list((CONTRACTS / "examples" / event).glob("*.json")), event


def test_the_ends_of_the_files_are_generated() -> None:
    """Drift: after a change of a model, a header or an enumeration run `make contracts`; the part by hand stays."""
    for path, text in topic_files(CONTRACTS):
        assert path.read_text("utf-8") == text, path
        assert text.count(MARK) == 1, path


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda each: each.name)
def test_the_file_says_every_type_of_event(topic: Topic) -> None:
    """A reader that routes by `ce_type` finds each as headers spell it; dead letters have none."""
    assert topic_file(topic)["ceTypes"] == [f"ringback.callrecords.{event}.v1" for event in topic.events]


VERSION = VersionHeaders("tenant", "call", 1, 1, "2026-11-02T09:20:00Z", replay=True)
WRITTEN = {
    CALLS: [VERSION.call()],
    SESSIONS: [VERSION.session(0), VERSION.completed()],
    RECORDS: [VERSION.record()],
    LIFECYCLE: [lifecycle_headers(tenant_id="t", subscription_id="s", lifecycle_event="missed", received_at="now")],
    AUDIT: [audit_headers(tenant_id=tenant, action="a", entry_id="e", at="now") for tenant in (None, "t")],
    FETCH: [fetch_request_headers(tenant_id="t", call_id="c", source="webhook", received_at="now", replay=True)],
}


@pytest.mark.parametrize("topic", WRITTEN, ids=lambda each: each.name)
def test_the_file_says_every_header_that_is_written(topic: Topic) -> None:
    """No header without a sentence, none that is never written; each `ce_type` that is written is in the file."""
    written = {name for headers in WRITTEN[topic] for name, _ in headers}
    deferred = {ATTEMPT, DUE, REASON, READ, LOOKS, KNOWN_VERSION, RUN}
    assert set(topic_file(topic)["headers"]) == written | {TRACEPARENT} | (deferred if topic is FETCH else set())
    types = {dict(headers)["ce_type"].decode() for headers in WRITTEN[topic]}
    assert types == set(topic_file(topic)["ceTypes"])


def test_a_dead_letters_headers_are_said() -> None:
    """Those that are added; every header of the refused record comes with it."""
    refused = Received(FETCH.name, 0, 0, 0, b"k", b"v", ())
    added = {name for name, _ in dead_letter(refused, Reject(Reason.UNDECODABLE), "fetch").headers}
    assert set(topic_file(INTERNAL_DEAD_LETTERS)["headers"]) == added | {TRACEPARENT, "…"}


def test_topics_of_one_kind_have_one_set_of_headers() -> None:
    """What a request is deferred with stays on it wherever it goes; a dead letter's tier changes nothing in it."""
    for topics in (FETCH_LANES, (INTERNAL_DEAD_LETTERS, RESTRICTED_DEAD_LETTERS), (CONTROL, STATUS)):
        assert all(topic_file(topic)["headers"] == topic_file(topics[0])["headers"] for topic in topics)
    assert set(topic_file(STATUS)["headers"]) == {TRACEPARENT}


FREE = {
    *("tenantId", "callId", "subscriptionId", "sessionId", "streamId", "token", "sites", "site", "countryCode"),
    *("networkPrefix", "reflexivePrefix", "applicationVersion", "rulesVersion"),
    *("process", "instance", "subject", "reason", "by", "actor", "targets"),
}
"""Names of strings that are no enumeration: ids, places, versions, and sentences."""


@pytest.mark.parametrize("event", EVENTS)
def test_every_string_of_an_event_is_an_enumeration_or_known_to_be_free(event: str) -> None:
    """A new field that holds a string gets its members in `ringback_events.enumerations`, or a place in this list."""
    listed = {place for places in enumerations((event,)).values() for place in places}
    undecided = [each for each in strings(EVENTS[event]) if each not in listed and _name(each) not in FREE]
    assert undecided == []
    assert {_name(place) for place in listed}.isdisjoint(FREE)


def _name(place: str) -> str:
    return place.replace("[]", "").split(".")[-1]


def test_graphs_members_are_those_of_its_metadata() -> None:
    """Word for word and in its order, as the simulator has them from Graph's metadata."""
    enums = json.loads(METADATA.read_text("utf-8"))["enums"]
    by_name = {name.rpartition(".")[2]: tuple(members) for name, members in enums.items()}
    assert {name: by_name[name] for name in GRAPH} == GRAPH


@pytest.mark.parametrize("path", sorted((CONTRACTS / "examples").glob("*/*.json")), ids=lambda each: each.stem)
def test_examples_hold_known_members(path: Path) -> None:
    """What an example shows is a member that its topic's file names, but where it shows unknown ones."""
    if path.stem.startswith(("unknown", "opaque")):
        return
    for members, places in enumerations((path.parent.name,)).items():
        for place in places:
            assert set(_at(json.loads(path.read_text("utf-8")), place)) <= {*members, None}, place


def _at(value: Any, place: str) -> list[Any]:
    """What a value holds at a place; nothing where a member is missing or null."""
    found = [value]
    for name in place.split("."):
        found = [each[name.removesuffix("[]")] for each in found if each and name.removesuffix("[]") in each]
        if name.endswith("[]"):
            found = [one for each in found for one in each]
    return found


@pytest.mark.parametrize("topic", [each for each in ALL_TOPICS if each.tier is Tier.OPEN], ids=lambda each: each.name)
def test_an_open_topics_dead_letters_are_explained_to_its_readers(topic: Topic) -> None:
    """Another team may not write there, and reads what to do instead."""
    sentence = topic_file(topic)["deadLettersForReaders"]
    assert "no other team writes or reads it" in sentence
    assert "tells the owner" in sentence
