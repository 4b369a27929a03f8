from pathlib import Path
from typing import Any

import pytest
import yaml
from ringback_events.catalogue import EVENTS
from ringback_events.topics import ALL_TOPICS, KeyRule, Topic

pytestmark = pytest.mark.contract

CONTRACTS = Path(__file__).parents[2] / "contracts"
DAY_MS = 86_400_000


def told(topic: Topic) -> dict[str, Any]:
    """What the topic's file says."""
    return yaml.safe_load((CONTRACTS / "topics" / f"{topic.name}.yaml").read_text("utf-8"))


def test_one_file_per_topic() -> None:
    """No topic without a file, no file without a topic."""
    assert {path.stem for path in (CONTRACTS / "topics").iterdir()} == {topic.name for topic in ALL_TOPICS}


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda each: each.name)
def test_the_file_says_what_the_code_does(topic: Topic) -> None:
    """Everything both know is equal; files are for people, `ringback_events.topics` for programs."""
    file = told(topic)
    days = None if topic.retention_ms is None else f"{topic.retention_ms // DAY_MS}d"
    assert {name: file[name] for name in ("topic", "tier", "partitions", "cleanup", "maxBytes", "retention")} == {
        "topic": topic.name,
        "tier": topic.tier.value,
        "partitions": topic.partitions,
        "cleanup": topic.cleanup.value,
        "maxBytes": topic.max_bytes,
        "retention": days,
    }
    assert file["partitionBy"] == ("tenant" if topic.key_rule is KeyRule.BY_TENANT else "key")
    assert (file["partitioner"], file["compression"], file["timestamps"]) == ("murmur2", "zstd", "LogAppendTime")
    assert file["deadLetters"] == topic.dead_letters
    assert file["schemas"] == [f"schemas/{event}.v1.json" for event in topic.events]


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda each: each.name)
def test_the_file_answers_a_consumers_questions(topic: Topic) -> None:
    """Who owns it, writes it, reads it, what it promises; a live one has schemas and examples that exist."""
    file = told(topic)
    for question in ("owner", "description", "key", "producers", "consumers", "slo", "encoding"):
        assert file[question], question
    for path in (*file["schemas"], *file["examples"]):
        assert (CONTRACTS / path).exists(), path
    assert file["examples"] == [f"examples/{event}" for event in topic.events]
    holds_a_contract = bool(topic.events) or topic.entity == "dead-letters"
    assert file["status"] == ("live" if holds_a_contract else "planned")


@pytest.mark.parametrize("topic", [each for each in ALL_TOPICS if each.key_rule is KeyRule.BY_TENANT], ids=str)
def test_keys_by_tenant_begin_with_the_tenant(topic: Topic) -> None:
    """To partition by tenant, the tenant must come first in the key."""
    assert str(told(topic)["key"]).split("|")[0] == "tenant"


def test_every_event_has_examples() -> None:
    """At least one example of each event is in the contract."""
    for event in EVENTS:
        assert list((CONTRACTS / "examples" / event).glob("*.json")), event
