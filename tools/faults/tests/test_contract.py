"""The judge's own rules of keys and partitions, against the contract's vectors and the contract's files."""

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from ringback_faults.collect import topic_dump
from ringback_faults.contract import call_key, murmur2, partition_of, split_key

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"
VECTORS: dict[str, Any] = orjson.loads((CONTRACTS / "partition-vectors.json").read_bytes())


@pytest.mark.parametrize("vector", VECTORS["murmur2"], ids=lambda vector: vector["data"])
def test_the_hash_is_java_s(vector: Any) -> None:
    """Java's numbers are signed."""
    assert murmur2(vector["data"].encode()) == vector["hash"] & 0xFFFFFFFF


def test_every_partition_of_the_contract_s_vectors() -> None:
    """Of the topics that a row is judged by; they are among the vectors."""
    judged = {topic.name for topic in topic_dump.READ_TOPICS}
    vectors = [one for one in VECTORS["partitions"] if one["topic"] in judged]
    assert len({one["topic"] for one in vectors}) > 2
    for one in vectors:
        assert partition_of(one["topic"], one["key"].encode()) == one["partition"], one


@pytest.mark.parametrize("topic", [topic.name for topic in topic_dump.READ_TOPICS])
def test_partitions_are_those_of_the_topic_s_file(topic: str) -> None:
    """Their number, and what of the key decides: tenants that differ behind the `|` meet in one, or do not."""
    contract = yaml.safe_load((CONTRACTS / "topics" / f"{topic}.yaml").read_bytes())
    places = {partition_of(topic, f"tenant|{number}".encode()) for number in range(2000)}
    assert len(places) == (1 if contract["partitionBy"] == "tenant" else contract["partitions"])
    assert {partition_of(topic, str(number).encode()) for number in range(2000)} == set(range(contract["partitions"]))


def test_guids_of_a_key_are_in_lower_case_and_nothing_else() -> None:
    """And a key is taken apart at its first `|`."""
    guid = "AAAAAAAA-0000-0000-0000-00000000000B"
    assert call_key(guid, "Call|X") == f"{guid.lower()}|Call|X".encode()
    assert split_key(call_key(guid, "Call|X")) == (guid.lower(), "Call|X")
    assert split_key(b"\xfftenant") == ("\ufffdtenant", "")
