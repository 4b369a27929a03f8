import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_events.partition import murmur2, partition_for
from ringback_events.topics import CALLS, FETCH, INTERNAL_DEAD_LETTERS


@given(tenant=st.text(alphabet="0123456789abcdef-", min_size=1), calls=st.lists(st.binary(max_size=60), min_size=2))
def test_a_tenant_keeps_its_partition(tenant: str, calls: list[bytes]) -> None:
    """By tenant: whatever follows the first `|` does not matter."""
    partitions = {partition_for(FETCH.name, tenant.encode() + b"|" + call, 12) for call in calls}
    assert partitions == {partition_for(FETCH.name, tenant.encode(), 12)}


def test_calls_of_a_tenant_spread() -> None:
    """By key: a tenant's calls use all partitions of the open tier."""
    used = {partition_for(CALLS.name, f"tenant|{call}".encode(), 24) for call in range(2000)}
    assert used == set(range(24))


@given(st.binary(max_size=200))
def test_hash_is_an_unsigned_word(data: bytes) -> None:
    """Every input, of every length, hashes into 32 bits."""
    assert 0 <= murmur2(data) < 2**32


def test_a_record_without_key_has_a_place() -> None:
    """A refused record may have no key at all."""
    assert partition_for(INTERNAL_DEAD_LETTERS.name, None, 3) == partition_for(INTERNAL_DEAD_LETTERS.name, b"", 3)


def test_unknown_topic_is_refused() -> None:
    """A topic that the contract does not have has no rule to guess."""
    with pytest.raises(KeyError):
        partition_for("callrecords.open.nothing.v1", b"k", 3)
