"""A large message's own batch is what aiokafka would have made of it."""

from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st
from ringback_stream.publish.large_batch import large_batch

HEADERS = st.lists(st.tuples(st.text(max_size=80), st.none() | st.binary(max_size=300)), max_size=5)


@given(key=st.binary(max_size=200), value=st.none() | st.binary(max_size=20_000), headers=HEADERS)
def test_a_reader_finds_key_value_and_headers(
    key: bytes, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    """With the checksum right and the producer's state in place."""
    batch = large_batch(key, value, tuple(headers))
    assert batch.append(timestamp=None, key=b"k", value=b"v") is None
    batch._set_producer_state(7, 1, 42)
    read = DefaultRecordBatch(bytes(batch._build()))
    assert read.validate_crc()
    assert (read.producer_id, read.producer_epoch, read.base_sequence, batch.record_count()) == (7, 1, 42, 1)
    (record,) = read
    assert (record.key, record.value, record.headers) == (key, value, headers)
    assert record.timestamp > 0
