"""`ringback-sink store` and the largest meetings: within the memory it has in production."""

import re
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import orjson
import pytest
import yaml
from aiokafka import AIOKafkaProducer
from ringback_common.outcomes import Received
from ringback_common.settings import LimitsSettings
from ringback_events import topics
from ringback_local.kafka import Broker
from ringback_sink.store.postgres.migrate import migrate
from ringback_stream.flows import BatchLimits
from ringback_testing import ProcessFactory, eventually
from ringback_testing.call_records import call_record, received
from ringback_testing.fixtures import MakeTopics

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

DEPLOYMENT = Path(__file__).parents[2] / "deploy" / "k8s" / "base" / "store" / "deployment.yaml"
TOPICS = (
    *(topics.RECORDS, topics.STATUS, topics.CONTROL, topics.AUDIT),
    *(topics.INTERNAL_DEAD_LETTERS, topics.RESTRICTED_DEAD_LETTERS),
)
MIB = 1024 * 1024
PROMISED = 300
"""MiB of the process with a backlog of ordinary meetings: no record larger than a few."""
LARGEST = LimitsSettings().published_bytes
SMALL = LimitsSettings(record_bytes=8 * MIB, in_hand_bytes=96 * MIB)
"""What `docs/operating.md` names for less memory."""
BACKLOG = 4000
"""Ordinary ones that wait: together more than what is promised."""
ITSELF = 100
"""MiB of the process with nothing in hand, as the same page says."""
MEETINGS = 16
"""Large ones that wait: together more than three times what the small installation may have in hand."""


def granted() -> int:
    """MiB the store may take in production."""
    pod: Any = yaml.safe_load(DEPLOYMENT.read_text(encoding="utf-8"))["spec"]["template"]["spec"]
    return int(pod["containers"][0]["resources"]["limits"]["memory"].removesuffix("Mi"))


def asked_for(limits: LimitsSettings) -> float:
    """MiB that these limits ask for: itself and two batches, what is in hand, and Kafka's copies.

    The copies are as many times the largest record as the manifest leaves room for beside the usual limits.
    """
    usual, always = LimitsSettings(), ITSELF + 2 * BatchLimits().byte_count / MIB
    copies = (granted() - always - usual.in_hand_bytes / MIB) * limits.record_bytes / usual.record_bytes
    return always + limits.in_hand_bytes / MIB + copies


def environment(kafka: Broker, topic_prefix: str, database: str) -> dict[str, str]:
    """Settings of a store over these, with the usual limits."""
    return {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": topic_prefix,
        "RINGBACK_STORE__DSN": database,
    }


def peak(pid: int) -> int:
    """MiB a process has had at most."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1]) // 1024


def meeting(name: str, octets: int) -> Received:
    """A record of about this size, two thirds of it Graph's own JSON; zstd makes a sixteenth of it, as of Graph's."""
    record = call_record(name, parties=2)
    told: dict[str, Any] = orjson.loads(record.model_dump_json(by_alias=True))
    session: dict[str, Any] = told["sessions"][0]
    raw = {"id": "0" * 36, "segments": [session | {"media": session["streams"] * 2}]}
    bare = len(orjson.dumps(session)) + len(orjson.dumps(raw | {"noise": ""})) + 2
    random, noise = Random(name), bare // 15  # noqa: S311 - what zstd cannot compress
    count = octets // (bare + 2 * noise)
    told["sessions"] = [session | {"ordinal": n, "sessionId": f"{n:036}"} for n in range(count)]
    told["sessionCount"] = count
    told["graph"] = {
        "sessions": [raw | {"id": f"{n:036}", "noise": random.randbytes(noise).hex()} for n in range(count)]
    }
    return received(record, value=orjson.dumps(told))


async def test_the_largest_meetings_fit_in_the_memory_granted(
    kafka: Broker, make_topics: MakeTopics, topic_prefix: str, database: str, process: ProcessFactory
) -> None:
    """Two of them in a row are stored, a larger one becomes a dead letter, and none gets the process killed."""
    await make_topics(*(topic.name for topic in TOPICS))
    await migrate(database)
    store = await process("store", ["ringback-sink", "store"], environment(kafka, topic_prefix, database))
    records = [meeting(f"c{n}", LARGEST - MIB) for n in range(2)]
    await produce(kafka, topic_prefix, [*records, meeting("too large", LARGEST + MIB)])
    eyes = await asyncpg.connect(database)
    try:
        await eventually(lambda: eyes.fetchval("SELECT count(*) = 1 FROM callrecords.dead_letter"), 90)
        await eventually(lambda: eyes.fetchval("SELECT count(*) = 2 FROM callrecords.call"), 90)
        assert await eyes.fetchval("SELECT reason FROM callrecords.dead_letter") == "too_large"
    finally:
        await eyes.close()
    assert peak(store.pid) <= granted()
    assert await store.stop() == 0


async def test_large_meetings_one_behind_the_other_fit_in_the_memory_asked_for(
    kafka: Broker, make_topics: MakeTopics, topic_prefix: str, database: str, process: ProcessFactory
) -> None:
    """Sixteen at the limit of a small installation: what the store has done with is not in its memory any more."""
    await make_topics(*(topic.name for topic in TOPICS))
    await migrate(database)
    like = meeting("0" * 36, SMALL.published_bytes - 64 * 1024)
    await produce(kafka, topic_prefix, [named(like, f"{number:036}") for number in range(MEETINGS)])
    limits = {
        "RINGBACK_LIMITS__RECORD_BYTES": str(SMALL.record_bytes),
        "RINGBACK_LIMITS__IN_HAND_BYTES": str(SMALL.in_hand_bytes),
    }
    env = environment(kafka, topic_prefix, database) | limits
    store = await process("store", ["ringback-sink", "store"], env)
    eyes = await asyncpg.connect(database)
    try:
        await eventually(lambda: eyes.fetchval("SELECT count(*) = $1 FROM callrecords.call", MEETINGS), 90)
    finally:
        await eyes.close()
    assert peak(store.pid) <= asked_for(SMALL)
    assert await store.stop() == 0


async def test_a_backlog_of_whole_meetings_fits_in_the_memory_promised(
    kafka: Broker, make_topics: MakeTopics, topic_prefix: str, database: str, process: ProcessFactory
) -> None:
    """What a poll brings is bounded: 4,000 records of 85 KB, which wait for a store that was away."""
    await make_topics(*(topic.name for topic in TOPICS))
    await migrate(database)
    like = meeting("0" * 36, 85 * 1024)
    backlog = [named(like, f"{number:036}") for number in range(BACKLOG)]
    await produce(kafka, topic_prefix, backlog, partition=None)
    store = await process("store", ["ringback-sink", "store"], environment(kafka, topic_prefix, database))
    eyes = await asyncpg.connect(database)
    try:
        await eventually(lambda: eyes.fetchval("SELECT count(*) = $1 FROM callrecords.call", BACKLOG), 90)
    finally:
        await eyes.close()
    assert peak(store.pid) <= PROMISED
    assert await store.stop() == 0


def named(like: Received, call: str) -> Received:
    """The same meeting under another id."""
    old = b"0" * 36
    assert like.value is not None
    assert like.key is not None
    return replace(like, value=like.value.replace(old, call.encode(), 1), key=like.key.replace(old, call.encode()))


async def produce(broker: Broker, prefix: str, records: list[Received], partition: int | None = 0) -> None:
    """Write records, to one partition so that they come one behind the other, or wherever their keys belong."""
    largest = 2 * LARGEST  # aiokafka asks before it compresses
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, compression_type="zstd", max_request_size=largest
    )
    await producer.start()
    try:
        for one in records:
            headers = list(one.headers)
            await producer.send_and_wait(prefix + one.topic, one.value, one.key, partition=partition, headers=headers)
    finally:
        await producer.stop()
