"""How a dead letter is named."""

import pytest
from ringback_cli.dead_letters import show_one
from ringback_common.errors import ConfigError
from ringback_events.topics import INTERNAL_DEAD_LETTERS, RECORDS


@pytest.mark.parametrize(
    "where",
    ["", "7", f"{INTERNAL_DEAD_LETTERS.name}/0", f"{INTERNAL_DEAD_LETTERS.name}/0/\u00b2", f"{RECORDS.name}/0/0"],
    ids=["nothing", "a number", "no offset", "no digit", "another topic"],
)
def test_what_is_no_dead_letter_is_not_read(where: str) -> None:
    """A typing mistake ends in a sentence; a topic of people's records cannot be read this way."""
    with pytest.raises(ConfigError, match="topic/partition/offset"):
        show_one(where)
