"""S15 and S16, last: nothing this folder's processes printed or exported names a person or a secret that entered.

The same search runs over every test session's output (`ringback_testing.transcript`); the stack as a whole is searched
by tests/e2e/test_leaks.py, the fault runs by invariant I11.
"""

import asyncio
import uuid

import orjson
import pytest
from ringback_events.topics import INTERNAL_DEAD_LETTERS, RECORDS
from ringback_local.secrecy import Leak, leaks_in, missing_from
from ringback_testing import eventually
from ringback_testing.fetch_rig import CLIENT_SECRET, Fetching
from ringback_testing.graph_edge import EDGE, TOKEN, GraphEdge, raw_response
from ringback_testing.graph_records import meeting
from ringback_testing.json_values import Json
from ringback_testing.public_port import STATE, PublicPort, body, item
from ringback_testing.records import headers_of
from ringback_testing.searching import personal_values
from ringback_testing.span_collector import SpanCollector
from ringback_testing.transcript import TRANSCRIPT, Transcript, secrets_of

pytestmark = [pytest.mark.edge, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

POSTED = {"posted name": "Canary Beside An Item", "forged state": "k2.canary-that-was-forged"}
POISON = {"poison": "Canary In Poison"}


async def test_no_person_and_no_secret_is_in_anything_they_said(
    webhook: PublicPort, fetching: Fetching, hostile: GraphEdge, collector: SpanCollector
) -> None:
    """Every canary is found where it was put; logs, metrics, spans and dead letters' headers hold none of them."""
    whole = meeting() | {"id": str(uuid.uuid4())}
    people = {f"person {at}": text for at, text in enumerate(sorted(personal_values(whole)))}
    secrets = {"token": TOKEN, "client secret": CLIENT_SECRET, "clientState": STATE}
    inputs = await _planted(webhook, fetching, hostile, whole)
    inputs += [seen.headers.get("authorization", "").encode() for seen in hostile.seen]
    inputs += [CLIENT_SECRET.encode()]
    canaries = people | secrets | POSTED | POISON
    assert len(people) > 10
    assert missing_from(inputs, canaries) == set()
    await asyncio.sleep(1.0)  # twice what the processes hold spans back for
    letters = await fetching.on(INTERNAL_DEAD_LETTERS)
    outputs = {
        "log of webhook": webhook.process.output().encode(),
        "log of fetch": fetching.process.output().encode(),
        "metrics of webhook": (await webhook.process.metrics()).encode(),
        "metrics of fetch": (await fetching.process.metrics()).encode(),
        "spans": b"\n".join(collector.exports),
        "dead letters' headers": headers_of(letters),
    }
    assert [place for place, bytes_said in outputs.items() if not bytes_said] == []
    assert leaks_in(outputs, TRANSCRIPT.canaries | canaries) == []


async def _planted(webhook: PublicPort, fetching: Fetching, hostile: GraphEdge, whole: Json) -> list[bytes]:
    """Bring them in by every door; what was sent, and what was read back where it may be."""
    call_id = str(whole["id"])
    hostile.answers[call_id] = lambda _: raw_response(200, orjson.dumps(whole))
    await fetching.ask(EDGE, call_id)
    poison = f'{{"displayName": "{POISON["poison"]}"'.encode()
    await fetching.write(f"{EDGE}|poison".encode(), poison)
    sent = body(item("c", name=POSTED["posted name"]), item("c", clientState=POSTED["forged state"]))
    assert (await webhook.post(sent)).status == 202
    restricted = await fetching.published(call_id)
    (letter,) = await eventually(lambda: fetching.on(INTERNAL_DEAD_LETTERS, "poison"), 30)
    assert await fetching.on(RECORDS, call_id)
    return [restricted.value or b"", letter.value or b"", sent]


async def test_the_sessions_transcript_knows_every_secret_it_gave_and_finds_one() -> None:
    """What watches all sessions is itself watched: the processes of this folder were searched for their secrets."""
    assert {"clientState key k2", "pseudonym key t1", f"client secret of {EDGE}"} <= set(TRANSCRIPT.canaries)
    assert TRANSCRIPT.outputs > 0
    of_its_own = Transcript(TRANSCRIPT.canaries)
    of_its_own.said("log of webhook", b'{"message": "' + STATE.encode()[::-1] + b'"}')
    assert [(leak.what, leak.form) for leak in of_its_own.leaks] == [("clientState of the edge", "reversed")]
    assert STATE not in of_its_own.summary()
    assert isinstance(of_its_own.leaks[0], Leak)


async def test_secrets_of_an_environment_are_read_from_where_they_are(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A password in a connection string or its file, and nothing of a file that is none."""
    folder = tmp_path_factory.mktemp("dsn")
    (folder / "dsn").write_text("postgresql://u:p%40ssword-in-file@h/d\n")
    (folder / "broken").write_text("{")
    assert secrets_of({"RINGBACK_STORE__DSN": "postgresql://u:hush-hush@h/d"}) == {"DSN password": "hush-hush"}
    assert secrets_of({"RINGBACK_STORE__DSN_FILE": str(folder / "dsn")}) == {"DSN password": "p@ssword-in-file"}
    assert secrets_of({"RINGBACK_PRIVACY__KEYS_FILE": str(folder / "broken")}) == {}
