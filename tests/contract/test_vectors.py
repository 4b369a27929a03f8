import ctypes
import json
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from ringback_events.partition import murmur2, partition_for
from ringback_events.tokens import Pseudonymizer, TokenKeys, TokenKind, TokenPolicy, canonical_value
from ringback_events.topics import topic

pytestmark = pytest.mark.contract

CONTRACTS = Path(__file__).parents[2] / "contracts"
PARTITIONS = json.loads((CONTRACTS / "partition-vectors.json").read_text("utf-8"))
TOKENS = json.loads((CONTRACTS / "token-vectors.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", PARTITIONS["murmur2"], ids=lambda vector: vector["data"])
def test_hash_is_that_of_java(vector: dict[str, Any]) -> None:
    """Kafka's own test of its Java client names these pairs; Java's int is signed."""
    assert murmur2(vector["data"].encode()) == vector["hash"] % 2**32


@pytest.mark.parametrize("vector", PARTITIONS["partitions"], ids=lambda vector: f"{vector['topic']}-{vector['key']}")
def test_partitions_are_those_of_the_contract(vector: dict[str, Any]) -> None:
    """By key or by tenant, as the topic says, on the partitions it has."""
    assert vector["partitions"] == topic(vector["topic"]).partitions
    assert partition_for(vector["topic"], vector["key"].encode(), vector["partitions"]) == vector["partition"]


@pytest.fixture(scope="module")
def librdkafka() -> Callable[[bytes, int], int]:
    """The murmur2 partitioner of the C library that confluent-kafka ships: (key, partitions) -> partition."""
    files = distribution("confluent-kafka").files or []
    [library] = [file for file in files if file.name.startswith("librdkafka-")]
    partitioner = ctypes.CDLL(str(library.locate())).rd_kafka_msg_partitioner_murmur2
    partitioner.restype = ctypes.c_int32
    opaque = ctypes.c_void_p
    partitioner.argtypes = [opaque, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int32, opaque, opaque]
    return lambda key, partitions: partitioner(None, key, len(key), partitions, None, None)


def test_librdkafka_agrees(librdkafka: Callable[[bytes, int], int]) -> None:
    """A producer written on librdkafka puts every key where ours does, whatever the key's length."""
    keys = [bytes(range(length)) for length in range(65)] + [f"tenant|{number}".encode() for number in range(500)]
    for key in keys:
        assert partition_for("callrecords.open.calls.v1", key, 24) == librdkafka(key, 24)


@pytest.mark.parametrize("vector", TOKENS["vectors"], ids=lambda vector: f"{vector['policy']}-{vector['value']}")
def test_golden_tokens(vector: dict[str, Any]) -> None:
    """Made with OpenSSL from the rule: the same in every language, for ever."""
    masters = {kid: {"key": key} for kid, key in TOKENS["masters"].items()}
    tokens = Pseudonymizer(TokenKeys.model_validate({"active": "k1", "keys": masters}), TokenPolicy(vector["policy"]))
    kind = TokenKind(vector["kind"])
    assert canonical_value(kind, vector["value"]) == vector["canonical"]
    made = tokens.token(vector["tenant"], kind, vector["value"], start=vector["start"], kid=vector["kid"])
    assert made == vector["token"]


@pytest.mark.parametrize("vector", TOKENS["noToken"], ids=lambda vector: f"{vector['kind']}-{vector['value']}")
def test_values_without_a_token(vector: dict[str, Any]) -> None:
    """An identity that stands for no one person is not canonical in any way."""
    assert canonical_value(TokenKind(vector["kind"]), vector["value"]) is None


def test_one_person_has_one_token() -> None:
    """Spellings with the same canonical value have the same token in the vectors, and no others do."""
    by_canonical: dict[str, set[str]] = {}
    for vector in TOKENS["vectors"]:
        period = str(vector["start"])[:7] if vector["policy"] == "monthly" else ""
        person = f"{vector['tenant'].lower()} {vector['kid']} {period} {vector['kind']} {vector['canonical']}"
        by_canonical.setdefault(person, set()).add(vector["token"])
    assert all(len(tokens) == 1 for tokens in by_canonical.values())
    assert len(set[str]().union(*by_canonical.values())) == len(by_canonical)
