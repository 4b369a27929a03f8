import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from ringback_testing.kit_readme import blocks

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "contracts" / "examples"


@pytest.fixture
def documented() -> dict[str, Any]:
    """The names that the README's Python blocks define, run one after the other as a reader would."""
    names: dict[str, Any] = {"__name__": "documented"}
    exec(blocks(), names)  # noqa: S102 - to run the documentation is the point
    return names


def published(event: str, case: str, **changed: object) -> bytes:
    """An example's value, some members changed."""
    return json.dumps(json.loads((EXAMPLES / event / f"{case}.json").read_text("utf-8")) | changed).encode()


def test_the_readmes_call_consumer_keeps_the_newest(documented: dict[str, Any]) -> None:
    """v1, v3, v2 in that order leave v3, and a member of next year's release does not matter."""
    for version in (1, 3, 2):
        documented["on_call"](published("call", "peer-to-peer", version=version, addedLater=1))
    assert [call.version for call in documented["newest"].values()] == [3]


class Group:
    """The edge of aiokafka that the README's class uses: it notes what is committed."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, int]] = []

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Note a commit."""
        self.commits.append(offsets)


PLACE = TopicPartition("callrecords.open.sessions.v1", 7)
SESSION, MARKER = ("session", "peer-to-peer-0"), ("sessions-completed", "peer-to-peer")


def batch(first: int, *values: bytes) -> dict[TopicPartition, list[SimpleNamespace]]:
    """What getmany gives: records of one partition, laid from an offset on."""
    return {PLACE: [SimpleNamespace(offset=offset, value=value) for offset, value in enumerate(values, start=first)]}


async def test_the_readmes_session_loop_acts_on_whole_versions_and_commits_what_is_finished(
    documented: dict[str, Any],
) -> None:
    """It acts once per version, when the marker has come; a broken value is passed; a poor session is printed."""
    group, whole = Group(), list[Any]()

    async def act(one: Any) -> None:
        whole.append(one.call_id)

    sessions = documented["Sessions"](act)
    await sessions.take(group, batch(10, published(*SESSION)))
    assert (group.commits, whole) == ([{PLACE: 10}], [])
    await sessions.take(group, batch(11, b"{", published(*MARKER), published(*SESSION)))
    assert (group.commits[1:], whole) == ([{PLACE: 14}], ["e523d2ed-2966-4b6b-925b-754a88034cc5"])


async def test_the_readmes_printer_prints(documented: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The example's action says which session was poor."""
    sessions = documented["Sessions"](documented["print_poor"])
    await sessions.take(Group(), batch(0, published(*SESSION, verdict="poor"), published(*MARKER)))
    assert capsys.readouterr().out == "e523d2ed-2966-4b6b-925b-754a88034cc5 v3 session 0\n"


async def test_an_action_of_the_readmes_loop_that_fails_ends_it_before_the_commit(documented: dict[str, Any]) -> None:
    """Nothing is committed over what was not done."""
    group = Group()

    async def act(_whole: Any) -> None:
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="the database is away"):
        await documented["Sessions"](act).take(group, batch(0, published(*SESSION), published(*MARKER)))
    assert group.commits == []


async def test_a_rebalance_waits_for_the_batch_of_the_readmes_loop(documented: dict[str, Any]) -> None:
    """Partitions are let go when what is in hand is done and committed; what waited is read again, whole."""
    group, goes_on, whole = Group(), asyncio.Event(), list[Any]()

    async def act(one: Any) -> None:
        await goes_on.wait()
        whole.append(one.call_id)

    sessions = documented["Sessions"](act)
    other = published(*SESSION, callId="c2")

    async def take(records: dict[TopicPartition, list[SimpleNamespace]]) -> None:
        async with sessions.turn:
            await sessions.take(group, records)

    hand = asyncio.create_task(take(batch(0, published(*SESSION), published(*MARKER), other)))
    await asyncio.sleep(0)
    revoked = asyncio.create_task(sessions.on_partitions_revoked({PLACE}))
    await asyncio.sleep(0.01)
    assert not revoked.done()
    goes_on.set()
    await asyncio.gather(hand, revoked)
    assert group.commits == [{PLACE: 2}]
    await take({PLACE._replace(partition=8): batch(5, other)[PLACE]})
    assert group.commits[-1] == {PLACE._replace(partition=8): 5}  # nothing of what somebody else may have now
    await take(batch(2, other, published(*MARKER, callId="c2")))
    assert (group.commits[-1][PLACE], whole[1:]) == (4, ["c2"])


def test_the_contract_prints_the_consumer_rule() -> None:
    """The three sentences other teams build on, in the contract's own page."""
    text = " ".join((ROOT / "contracts" / "README.md").read_text("utf-8").split())
    for sentence in (
        "Greater (version, revision) wins.",
        "Within one (version, revision) the id removes repeats.",
        "The sessions of a version are all there when its `completed` marker has come",
    ):
        assert sentence in text
