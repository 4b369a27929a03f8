import pytest
from ringback_events import topics
from ringback_events.catalogue import EVENTS
from ringback_events.topics import ALL_TOPICS, Cleanup, KeyRule, Tier, Topic, topic

DAY_MS = 86_400_000


def test_names_are_unique_and_tiered() -> None:
    """Every name is `callrecords.<tier>.<entity>.v1`, once."""
    names = [each.name for each in ALL_TOPICS]
    assert len(set(names)) == len(names) == 16
    for each in ALL_TOPICS:
        assert each.name == f"callrecords.{each.tier}.{each.entity}.v1"


def test_every_constant_is_listed() -> None:
    """Each declared topic has a constant, so that code that writes or reads it names it in a checked way."""
    constants = [value for value in vars(topics).values() if isinstance(value, Topic)]
    assert set(constants) == set(ALL_TOPICS)


def test_lookup_by_name() -> None:
    """A name finds its topic, an unknown one is a KeyError."""
    assert topic("callrecords.internal.fetch.v1") is topics.FETCH
    with pytest.raises(KeyError):
        topic("callrecords.internal.fetch.v2")


def test_a_constant_that_no_file_declares_fails_with_one_sentence() -> None:
    """A mistyped topic stops the import of whatever uses it, not the first record."""
    with pytest.raises(LookupError, match=r"^No file of contracts/topics declares callrecords\.internal\.fech\.v1"):
        topics._of("internal.fech")


def test_the_fetch_lanes_share_partitions_and_rule() -> None:
    """One process owns a tenant over all lanes only if the range assignor sees equal counts."""
    lanes = topics.FETCH_LANES
    assert {(each.partitions, each.key_rule) for each in lanes} == {(12, KeyRule.BY_TENANT)}


@pytest.mark.parametrize("each", ALL_TOPICS, ids=lambda each: each.name)
def test_a_dead_letter_fits_where_it_goes(each: Topic) -> None:
    """Whatever a topic accepts must fit its dead letters with 512 KiB of headers to spare, in a tier no wider."""
    if each.dead_letters is None:
        assert each.entity == "dead-letters"
        return
    target = topic(each.dead_letters)
    assert target.max_bytes >= each.max_bytes + 512 * 1024
    assert target.tier is not Tier.OPEN
    if each.tier is Tier.RESTRICTED:
        assert target.tier is Tier.RESTRICTED


def test_records_allow_eight_mebibytes_for_fourteen_days() -> None:
    """The restricted record is the source of every re-derivation of the last 14 days."""
    assert topics.RECORDS.kafka_configs() == {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "max.message.bytes": "8388608",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(14 * DAY_MS),
    }


def test_compacted_topics_have_no_retention() -> None:
    """State is kept until a tombstone, and compaction starts within the hour."""
    compacted = {each.entity for each in ALL_TOPICS if each.cleanup is Cleanup.COMPACT}
    assert compacted == {"control", "status"}
    configs = topics.CONTROL.kafka_configs()
    assert "retention.ms" not in configs
    assert configs["segment.ms"] == "3600000"


def test_events_of_topics_are_catalogued() -> None:
    """Each event belongs to a topic of its kind, and each topic's events have a model."""
    assert {event for each in ALL_TOPICS for event in each.events} == set(EVENTS)
