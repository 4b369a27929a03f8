"""S17: whatever a client, Graph or a record says, every line of every log is one JSON object of our own."""

import json
import uuid
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from ringback_events.topics import FETCH, INTERNAL_DEAD_LETTERS
from ringback_testing import eventually
from ringback_testing.fetch_rig import Fetching
from ringback_testing.graph_edge import EDGE, Answer, GraphEdge, Seen, raw_response, record
from ringback_testing.processes import RunningProcess
from ringback_testing.public_port import PublicPort, body, item
from ringback_testing.webhook import post

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

FORGED = "forged-by-injection"
INJECTIONS = (
    f'\r\n{{"level": "ERROR", "message": "{FORGED}"}}\r\n',
    f'", "message": "{FORGED}", "x": "',
    f"\x1b[2J\x1b[31m{FORGED}\x07",
    f'\u2028{{"message": "{FORGED}"}}\u2029\x85',
    f"%s %d {{0}} {FORGED} %n",
    f"${{jndi:ldap://{FORGED}/a}}",
    f'{FORGED}"}} 1\nringback_injected{{a="b"}} 1\n',
)
"""Breaks of lines, of JSON, of a terminal, of a template, and of the text of /metrics."""
KNOWN = {"time", "level", "process", "logger", "message"}


def _lines(process: RunningProcess) -> list[dict[str, Any]]:
    """Every line of a process's log, each parsed alone, split only where a terminal would split it."""
    return [json.loads(line) for line in process.output().split("\n") if line]


def _judge(process: RunningProcess) -> None:
    """Each line is an object of ours; no forged one, no control character, nothing of what was sent."""
    output = process.output()
    lines = _lines(process)
    assert lines
    assert [line for line in lines if not line.keys() >= KNOWN] == []
    assert FORGED not in output
    assert [character for character in output if not character.isprintable() and character != "\n"] == []


ANYWHERE = st.sampled_from(INJECTIONS) | st.text(max_size=40).map(FORGED.__add__)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(ANYWHERE, min_size=8, max_size=8))
async def test_nothing_a_client_says_writes_a_line(webhook: PublicPort, texts: list[str]) -> None:
    """In every member of an item, in the target, in headers: answered, counted, and not repeated in a line."""
    members = ("subscriptionId", "clientState", "changeType", "resource", "tenantId", "lifecycleEvent", "x", "id")
    hostile = [item("c", **{name: text}) for name, text in zip(members, texts, strict=True)]
    hostile += [item("c", resourceData={"@odata.type": texts[0], "id": texts[1], texts[2]: texts[3]})]
    assert (await webhook.post(body(*hostile))).status == 202
    raw = texts[4].replace("\r", "").replace("\n", "").encode("utf-8", "replace")
    for bytes_sent in (
        post(body(), path="/graph/").replace(b"/graph/", b"/" + raw, 1),
        post(body()).replace(b"Host: h", b"Host: h\r\nUser-Agent: " + raw + b"\r\ntraceparent: " + raw, 1),
        post(body()).replace(b"POST", raw[:20], 1),
    ):
        await webhook.exchange(bytes_sent)
    _judge(webhook.process)


async def test_nothing_in_a_record_of_kafka_writes_a_line(fetching: Fetching) -> None:
    """Poison under hostile keys is dead-lettered; its line names a reason and repeats nothing."""
    keys = [f"{EDGE}|{''.join(INJECTIONS)}".encode()]  # one, for many rejects in a row would rightly halt the process
    for key in keys:
        await fetching.write(key, key)

    async def all_refused() -> bool:
        return set(keys) <= {letter.key for letter in await fetching.on(INTERNAL_DEAD_LETTERS)}

    await eventually(all_refused, 60)
    letters = [letter for letter in await fetching.on(INTERNAL_DEAD_LETTERS) if letter.key in keys]
    reported = b"\n".join(value for letter in letters for _, value in letter.headers)
    assert FORGED.encode() not in reported
    _judge(fetching.process)


async def test_nothing_graph_says_writes_a_line(fetching: Fetching, hostile: GraphEdge) -> None:
    """Error codes and messages, ids, links, enums, headers: refused or published, and in no line."""
    calls: dict[str, str] = {}
    for at, text in enumerate(INJECTIONS):
        one_line = text.replace("\r", "").replace("\n", "").encode("ascii", "ignore").decode()
        error = orjson.dumps({"error": {"code": text, "message": text}})
        answers: dict[str, Answer] = {
            f"error {at}": lambda _, error=error: raw_response(410, error),
            f"link {at}": lambda seen, text=text: raw_response(200, _linked(seen, text)),
            f"header {at}": lambda _, text=one_line: raw_response(302, b"", Location=text, Server=text),
        }
        for name, answer in answers.items():
            calls[name] = await _asked(fetching, hostile, answer)
    calls["id"] = await _asked(fetching, hostile, lambda _: raw_response(200, _with("".join(INJECTIONS))))
    reasons = {name: (await fetching.refused(call_id, 60))["ringback_dlq_reason"] for name, call_id in calls.items()}
    assert {reason for name, reason in reasons.items() if name.startswith("link")} == {"hostile_link"}
    assert set(reasons.values()) == {"refused", "hostile_link", "malformed_record"}
    ends = tuple(_ends(calls))
    letters = [letter for letter in await fetching.on(INTERNAL_DEAD_LETTERS) if (letter.key or b"").endswith(ends)]
    assert FORGED.encode() not in b"\n".join(value for letter in letters for _, value in letter.headers)
    _judge(fetching.process)


def _linked(seen: Seen, link: str) -> bytes:
    """The record that was asked for, whose sessions go on at this link."""
    call_id = seen.target.partition("?")[0].rpartition("/")[2]
    return _with(call_id, **{"sessions@odata.nextLink": link})


def _with(call_id: str, **members: Any) -> bytes:
    return orjson.dumps(record(call_id, **members))


async def _asked(fetching: Fetching, hostile: GraphEdge, answer: Answer) -> str:
    """Let Graph answer a new call so, and ask for it."""
    call_id = str(uuid.uuid4())
    hostile.answers[call_id] = answer
    await fetching.ask(EDGE, call_id)
    return call_id


def _ends(calls: dict[str, str]) -> list[bytes]:
    return [call_id.encode() for call_id in calls.values()]


async def test_a_record_full_of_injections_is_published_and_writes_no_line(
    fetching: Fetching, hostile: GraphEdge
) -> None:
    """Every text of a record that is read: names, platforms, reasons, codecs."""
    call_id = str(uuid.uuid4())
    agent = {"platform": INJECTIONS[0], "productFamily": INJECTIONS[1], "headerValue": INJECTIONS[2]}
    side = {"name": INJECTIONS[3], "userAgent": agent, "associatedIdentity": {"id": INJECTIONS[6], "displayName": "x"}}
    session = {"id": INJECTIONS[4], "caller": side, "callee": side, "failureInfo": {"stage": INJECTIONS[5]}}
    whole = record(call_id, type=INJECTIONS[0], modalities=list(INJECTIONS), sessions=[session])
    hostile.answers[call_id] = lambda _: raw_response(200, orjson.dumps(whole))
    await fetching.ask(EDGE, call_id)
    published = await fetching.published(call_id)
    assert FORGED.encode() in (published.value or b"")
    _judge(fetching.process)


async def test_no_metric_was_injected(webhook: PublicPort, fetching: Fetching) -> None:
    """/metrics of both parses, and neither a name nor a label of it is the attacker's."""
    assert await fetching.finished(FETCH) > 0
    for process in (webhook.process, fetching.process):
        text = await process.metrics()
        families = list(text_string_to_metric_families(text))
        assert {family.name for family in families}.isdisjoint({"ringback_injected"})
        labels = {value for family in families for sample in family.samples for value in sample.labels.values()}
        assert [label for label in labels if FORGED in label or len(label) > 100] == []
