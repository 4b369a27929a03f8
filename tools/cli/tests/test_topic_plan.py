"""The comparison of cluster and contract."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from ringback_cli.topic_plan import Existing, compare, wanted_configs
from ringback_events.topics import ALL_TOPICS, FETCH, Topic


def as_wanted(topic: Topic) -> Existing:
    """The topic exactly as the contract says."""
    return Existing(topic.partitions, 3, wanted_configs(topic, 3))


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
    wanted = as_wanted(topic).configs
    name = data.draw(st.sampled_from(sorted(wanted)))
    drifted = replace(as_wanted(topic), configs={**wanted, name: "drifted"})
    (difference,) = compare([topic], {topic.name: drifted})
    assert (difference.what, difference.found, difference.repairable) == (name, "drifted", True)
    assert difference.wanted == wanted[name]


@given(st.integers(1, 9))
def test_an_acknowledged_record_outlives_a_replica(replication: int) -> None:
    """All but one replica must have a record before it counts as written; with a single one there is no choice."""
    in_sync = wanted_configs(FETCH, replication)["min.insync.replicas"]
    assert in_sync == str(replication - 1 if replication > 1 else 1)


def test_a_partition_count_is_shown_but_not_repairable() -> None:
    """Changing it would move keys, so it is the operator's decision."""
    (difference,) = compare([FETCH], {FETCH.name: replace(as_wanted(FETCH), partitions=3)})
    assert (difference.what, difference.wanted, difference.found, difference.repairable) == (
        "partitions",
        "12",
        "3",
        False,
    )
