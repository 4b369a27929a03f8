"""The loops of the consumer kit's README, word for word and as processes, on a real Kafka."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from ringback_events.topics import SESSIONS
from ringback_local.kafka import Broker, clients
from ringback_testing import eventually
from ringback_testing.fixtures import MakeTopics
from ringback_testing.kit_readme import blocks

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "contracts" / "examples"
PARTITIONS = (0, 1, 22, 23)
"""Used of the topic's 24: a group of two has a half each."""
LOOPS = ["read_with_aiokafka", "read_with_faststream"]
PROGRAM = """
async def act(whole):
    if os.environ["FAILS"]:
        raise RuntimeError("the database is away")
    print(whole.call_id, flush=True)

asyncio.run({loop}(act))
"""


class Members:
    """Processes that run a loop of the README on a topic of its own, and what each has made whole."""

    def __init__(self, servers: str, prefix: str, folder: Path) -> None:
        self._environment = os.environ | {
            "KAFKA": servers,
            "TOPIC": prefix + SESSIONS.name,
            "GROUP": prefix + "call-quality",
        }
        self._servers, self._topic, self._group = servers, prefix + SESSIONS.name, prefix + "call-quality"
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, loop: str, *, fails: bool = False) -> subprocess.Popen[bytes]:
        """Start a member whose action prints the call, or fails."""
        program = self._folder / f"{name}.py"
        program.write_text(blocks() + PROGRAM.replace("{loop}", loop), "utf-8")
        with (self._folder / f"{name}.out").open("wb") as out, (self._folder / f"{name}.err").open("wb") as errors:
            environment = self._environment | {"FAILS": "yes" if fails else ""}
            process = subprocess.Popen([sys.executable, program], env=environment, stdout=out, stderr=errors)
        self._processes[name] = process
        return process

    def whole(self, name: str) -> set[str]:
        """The calls that a member has made whole so far."""
        printed = (self._folder / f"{name}.out").read_text("utf-8")  # FastStream writes its own lines there, too
        return set(re.findall(r"^\d+-\d+$", printed, re.MULTILINE))

    def errors(self, name: str) -> str:
        """What a member has said on standard error."""
        return (self._folder / f"{name}.err").read_text("utf-8")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> list[int]:
        """End all members; returns their exit statuses."""
        for process in self._processes.values():
            process.send_signal(how)
        return [process.wait(30) for process in self._processes.values()]

    async def write(self, event: str, calls: Iterable[str]) -> None:
        """Write one event of each call: its session, or its marker."""
        case = "peer-to-peer-0" if event == "session" else "peer-to-peer"
        example = orjson.loads((EXAMPLES / event / f"{case}.json").read_bytes())
        producer = AIOKafkaProducer(bootstrap_servers=self._servers)
        await producer.start()
        for call in calls:
            value = orjson.dumps(example | {"callId": call})
            await producer.send(self._topic, value, partition=int(call.partition("-")[0]))
        await producer.stop()

    async def commits(self) -> list[int]:
        """What the group has committed in the partitions used; 0 where nothing is."""
        places = [TopicPartition(self._topic, partition) for partition in PARTITIONS]
        async with clients.consumer(self._servers, group_id=self._group) as consumer:
            return [await consumer.committed(place) or 0 for place in places]


@pytest.fixture
async def members(kafka: Broker, topic_prefix: str, make_topics: MakeTopics, tmp_path: Path) -> AsyncIterator[Members]:
    """Members on a topic of the test's own; members that still run end with it."""
    await make_topics(SESSIONS.name)
    made = Members(kafka.bootstrap_servers, topic_prefix, tmp_path)
    yield made
    made.stop(signal.SIGKILL)
    for said in sorted(tmp_path.glob("*.err")):
        sys.stderr.write(f"--- {said.name}\n{said.read_text('utf-8')}\n")


def calls(first: int, behind: int) -> list[str]:
    """A call with each number in each partition."""
    return [f"{partition}-{number}" for number in range(first, behind) for partition in PARTITIONS]


@pytest.mark.parametrize("loop", LOOPS)
async def test_what_waited_through_a_rebalance_is_whole(members: Members, loop: str) -> None:
    """Sessions come, a second member joins, the markers come: the partition's member then gives each call whole."""
    members.start("first", loop)
    await members.write("session", calls(0, 5))
    await members.write("session", calls(5, 10))
    await members.write("sessions-completed", calls(5, 10))
    await eventually(lambda: members.whole("first") >= set(calls(5, 10)), 60)
    assert await members.commits() == [0, 0, 0, 0]  # the first five wait for their markers
    members.start("second", loop)
    number = 10
    while not members.whole("second"):
        await members.write("session", calls(number, number + 1))
        await members.write("sessions-completed", calls(number, number + 1))
        number += 1
        await asyncio.sleep(0.5)
    await members.write("sessions-completed", calls(0, 5))
    await eventually(lambda: members.whole("first") | members.whole("second") >= set(calls(0, number)), 60)

    async def all_is_committed() -> bool:
        return await members.commits() == [2 * number] * 4

    await eventually(all_is_committed, 30)
    assert members.stop() == [0, 0], members.errors("first") + members.errors("second")


@pytest.mark.parametrize("loop", LOOPS)
async def test_an_action_that_fails_ends_the_process_before_the_commit(members: Members, loop: str) -> None:
    """Its status is not 0, its failure stands at the end, and its successor is given the same call."""
    await members.write("session", ["0-1"])
    await members.write("sessions-completed", ["0-1"])
    failing = members.start("failing", loop, fails=True)
    await eventually(lambda: failing.poll() is not None, 60)
    assert failing.returncode == 1
    assert members.errors("failing").endswith("RuntimeError: the database is away\n")
    assert await members.commits() == [0, 0, 0, 0]
    members.start("successor", loop)
    await eventually(lambda: members.whole("successor") == {"0-1"}, 60)
