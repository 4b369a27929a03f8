import json
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "contracts" / "examples"


@pytest.fixture
def documented() -> dict[str, Any]:
    """The names that the README's Python blocks define, run one after the other as a reader would."""
    text = (ROOT / "libs" / "events" / "README.md").read_text("utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)  # noqa: S102 - to run the documentation is the point
    return names


def published(event: str, case: str, **changed: object) -> bytes:
    """An example's value, some members changed."""
    return json.dumps(json.loads((EXAMPLES / event / f"{case}.json").read_text("utf-8")) | changed).encode()


def test_the_readmes_call_consumer_keeps_the_newest(documented: dict[str, Any]) -> None:
    """v1, v3, v2 in that order leave v3, and a member of next year's release does not matter."""
    for version in (1, 3, 2):
        documented["on_call"](published("call", "peer-to-peer", version=version, addedLater=1))
    assert [call.version for call in documented["newest"].values()] == [3]


def test_the_readmes_session_consumer_sees_whole_versions(documented: dict[str, Any]) -> None:
    """It acts once per version, when the marker has come, and commits only what is finished."""
    session = published("session", "peer-to-peer-0", verdict="poor")
    assert documented["on_session_event"](session, 10) == 10
    assert documented["poor"] == []
    assert documented["on_session_event"](published("sessions-completed", "peer-to-peer"), 11) == 12
    documented["on_session_event"](session, 12)
    assert documented["poor"] == ["e523d2ed-2966-4b6b-925b-754a88034cc5 v3 session 0"]


def test_the_contract_prints_the_consumer_rule() -> None:
    """The three sentences other teams build on, in the contract's own page."""
    text = " ".join((ROOT / "contracts" / "README.md").read_text("utf-8").split())
    for sentence in (
        "Greater (version, revision) wins.",
        "Within one (version, revision) the id removes repeats.",
        "The sessions of a version are all there when its `completed` marker has come",
    ):
        assert sentence in text
