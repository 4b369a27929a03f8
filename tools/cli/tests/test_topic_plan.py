"""The comparison of cluster and contract."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from ringback_cli.topic_plan import Existing, compare
from ringback_events.topics import ALL_TOPICS, FETCH, Topic


def as_wanted(topic: Topic) -> Existing:
    """The topic exactly as the contract says."""
    return Existing(topic.partitions, 3, topic.kafka_configs())


def test_a_cluster_as_the_contract_says_has_no_differences() -> None:
    """Applying twice does nothing the second time."""
    assert compare(ALL_TOPICS, {topic.name: as_wanted(topic) for topic in ALL_TOPICS}) == []


def test_an_empty_cluster_misses_every_topic() -> None:
    """The first apply makes them all."""
    differences = compare(ALL_TOPICS, {})
    assert [one.topic for one in differences] == [topic.name for topic in ALL_TOPICS]
    assert all(one.what == "missing" and one.repairable for one in differences)


@given(st.sampled_from(ALL_TOPICS), st.data())
def test_every_changed_setting_is_named_with_both_values(topic: Topic, data: st.DataObject) -> None:
    """An operator sees what drifted, from what to what."""
    name = data.draw(st.sampled_from(sorted(topic.kafka_configs())))
    drifted = replace(as_wanted(topic), configs={**topic.kafka_configs(), name: "drifted"})
    (difference,) = compare([topic], {topic.name: drifted})
    assert (difference.what, difference.found, difference.repairable) == (name, "drifted", True)
    assert difference.wanted == topic.kafka_configs()[name]


def test_a_partition_count_is_shown_but_not_repairable() -> None:
    """Changing it would move keys, so it is the operator's decision."""
    (difference,) = compare([FETCH], {FETCH.name: replace(as_wanted(FETCH), partitions=3)})
    assert (difference.what, difference.wanted, difference.found, difference.repairable) == (
        "partitions",
        "12",
        "3",
        False,
    )
