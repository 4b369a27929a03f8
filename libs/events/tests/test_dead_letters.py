"""The name of a dead letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_events.dead_letters import LetterPlace, letter_place
from ringback_events.topics import INTERNAL_DEAD_LETTERS, RECORDS, RESTRICTED_DEAD_LETTERS

TOPICS = st.sampled_from([INTERNAL_DEAD_LETTERS.name, RESTRICTED_DEAD_LETTERS.name])


@given(TOPICS, st.integers(0, 2**31 - 1), st.integers(0, 10**18 - 1))
def test_a_name_leads_back_to_its_place(topic: str, partition: int, offset: int) -> None:
    """What `ringback dlq ls` prints and an audit entry lists is enough to find the letter again."""
    place = LetterPlace(topic, partition, offset)
    assert letter_place(str(place)) == place


@pytest.mark.parametrize(
    "name",
    [
        "",
        "7",
        f"{INTERNAL_DEAD_LETTERS.name}/0",
        f"{INTERNAL_DEAD_LETTERS.name}/0/\u00b2",
        f"{INTERNAL_DEAD_LETTERS.name}/0/1/2",
        f"{INTERNAL_DEAD_LETTERS.name}/0/{10**18}",
        f"{INTERNAL_DEAD_LETTERS.name}/{2**31}/0",
        f"{RECORDS.name}/0/0",
    ],
)
def test_anything_else_names_no_dead_letter(name: str) -> None:
    """Neither a typing mistake nor a topic of people's records passes for one; a number has its bound."""
    assert letter_place(name) is None
