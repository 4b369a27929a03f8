"""A topic is deleted only while nobody writes to it: else what it takes last would be in no ledger."""

import time
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from ringback_common.errors import ConfigError
from ringback_events import topics
from ringback_faults.actions import check_steps
from ringback_faults.actions.logs import DeadLetterTopic, drop_topic
from ringback_faults.ledgers import Act
from ringback_faults.row import Row
from ringback_local.servers import StartFailed


def test_a_topic_that_the_load_writes_to_is_not_dropped_under_it() -> None:
    """A row that asks for it is refused before anything runs; topics of dead letters may be dropped."""
    letters = {topics.INTERNAL_DEAD_LETTERS.name, topics.RESTRICTED_DEAD_LETTERS.name}
    assert set(get_args(DeadLetterTopic)) == letters
    for topic in topics.ALL_TOPICS:
        row = _dropping(topic.name)
        if topic.name in letters:
            check_steps(row)
        else:
            with pytest.raises(ConfigError, match="drop topic: name: Input should be"):
                check_steps(row)


async def test_a_topic_of_dead_letters_is_not_dropped_once_poison_was_planted() -> None:
    """Its dead letters may come at any moment."""
    now = time.time()
    scene: Any = SimpleNamespace(acts=[Act(now, now, "poison", topics.FETCH.name)])
    with pytest.raises(StartFailed, match="before any poison is planted"):
        await drop_topic(scene, topics.INTERNAL_DEAD_LETTERS.name)


def _dropping(name: str) -> Row:
    said: dict[str, object] = {
        "row": "R1",
        "fault": "a topic is dropped",
        "judged": [],
        "expect": {"evidence": {"drop_topic": 1}},
    }
    return Row.model_validate({**said, "steps": [{"do": "drop topic", "name": name}]})
