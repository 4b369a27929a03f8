"""contracts/asyncapi.json: what FastStream reads for us, held against the topics' own files."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ringback_events.topics import RECORDS
from ringback_local.asyncapi import asyncapi

pytestmark = pytest.mark.contract

CONTRACTS = Path(__file__).parents[2] / "contracts"
DOCUMENT: Any = json.loads((CONTRACTS / "asyncapi.json").read_text("utf-8"))


def reported(topic: str) -> dict[str, Any]:
    """What the topic's file says."""
    return yaml.safe_load((CONTRACTS / "topics" / f"{topic}.yaml").read_text("utf-8"))


def message(channel: dict[str, Any]) -> dict[str, Any]:
    """The one message of a channel."""
    (reference,) = channel["messages"].values()
    return DOCUMENT["components"]["messages"][reference["$ref"].rsplit("/", 1)[-1]]


def test_the_document_is_the_one_that_the_flows_give() -> None:
    """`make contracts` writes it."""
    assert (CONTRACTS / "asyncapi.json").read_text("utf-8") == asyncapi()


@pytest.mark.parametrize("channel", DOCUMENT["channels"].values(), ids=lambda each: each["address"])
def test_a_channel_says_what_its_topics_file_says(channel: dict[str, Any]) -> None:
    """The topic is of the contract, the store is among its consumers, and one message is one record of its schemas."""
    file, payload = reported(channel["address"]), message(channel).get("payload")
    assert channel["bindings"]["kafka"]["topic"] == file["topic"]
    assert any(consumer.split()[0] == "store" for consumer in file["consumers"])
    schemas = [] if payload is None else [each["$ref"] for each in payload.get("oneOf", [payload])]
    assert schemas == file["schemas"]
    assert all((CONTRACTS / schema).exists() for schema in schemas)
    assert message(channel).get("contentType") == ("application/json" if schemas else None)


def test_every_topic_that_the_store_reads_has_a_channel_but_the_calls() -> None:
    """These come by the store's other flow, which FastStream does not poll."""
    files = [reported(path.stem) for path in sorted((CONTRACTS / "topics").iterdir())]
    read = {file["topic"] for file in files if any(consumer.split()[0] == "store" for consumer in file["consumers"])}
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == read - {RECORDS.name}
