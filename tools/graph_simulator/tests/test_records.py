"""Records from their plans: the same for a seed, as various as the field, growing by version."""

import re
from functools import cache
from itertools import pairwise
from typing import Any

import orjson
import pytest
from ringback_graph_simulator.documents import Document, DocumentCache, encode
from ringback_graph_simulator.plans import SHAPES, Plan, plan_call
from ringback_graph_simulator.records import Records

_NOW = 1_790_000_000.0


_records = cache(Records)  # filling the pools of figures is what costs


def _plan(shape: str, number: int = 0, **options: Any) -> Plan:
    return plan_call("tenant", f"call-{number}", shape, f"{shape}/{number}", end=_NOW, **options)


def _document(plan: Plan, version: int = 3, seed: int = 1) -> Document:
    records = _records(seed)
    return encode(records.sessions(plan, version), records.participants(plan, version))


def _sessions(plan: Plan, version: int = 3) -> list[dict[str, Any]]:
    return [orjson.loads(session) for session in _document(plan, version).sessions]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_seed_decides_every_byte(shape: str) -> None:
    """Two simulators of one seed serve the same bytes; another seed serves others."""
    plan = _plan(shape, participants=20 if SHAPES[shape].people[1] > 60 else None)
    again = encode(Records(1).sessions(plan, 3), Records(1).participants(plan, 3))
    assert _document(plan) == again
    assert _document(plan) != _document(plan, seed=2)


@pytest.mark.parametrize(("shape", "sessions", "participants"), [("largeMeeting", 1000, 640), ("webinar", 400, 400)])
def test_the_large_are_past_every_page(shape: str, sessions: int, participants: int) -> None:
    """A thousand sessions; four hundred participants, past 60 and 130."""
    document = _document(_plan(shape))
    assert len(document.sessions) >= sessions
    assert len(document.participants) == participants


def test_a_call_of_two_has_one_id_for_call_session_and_segment() -> None:
    """As in all samples of peer-to-peer calls."""
    (session,) = _sessions(_plan("peerToPeer"))
    assert session["id"] == session["segments"][0]["id"] == "call-0"


def test_a_queue_repeats_a_session_id_and_fills_up_later() -> None:
    """Attendant and queue share the id of their session; some queues miss sessions in version 1."""
    first = [len(_sessions(_plan("queue", number), 1)) for number in range(20)]
    last = [_sessions(_plan("queue", number), 2) for number in range(20)]
    assert any(short < len(whole) for short, whole in zip(first, last, strict=True))
    for whole in last:
        ids = [session["id"] for session in whole]
        assert len(set(ids)) < len(ids)


def test_versions_only_add() -> None:
    """What a version holds, the next one holds too: media never goes away."""
    for number in range(30):
        versions = [_sessions(_plan("smallMeeting", number), version) for version in (1, 2, 3)]
        counts = [sum(len(segment["media"]) for one in whole for segment in one["segments"]) for whole in versions]
        assert all(fewer <= more for fewer, more in pairwise(counts))


def _audio(plan: Plan) -> list[dict[str, Any]]:
    """The audio streams of a call."""
    return [
        stream
        for session in _sessions(plan)
        for segment in session["segments"]
        for media in segment["media"]
        if media["label"] == "main-audio"
        for stream in media["streams"]
    ]


def test_poor_audio_is_one_in_eight() -> None:
    """Ten to fifteen percent of the audio streams with their metrics pass a threshold of CQD."""
    streams = [stream for number in range(150) for stream in _audio(_plan("smallMeeting", number))]
    assert 0.08 < sum(map(_is_poor, streams)) / len(streams) < 0.17


def test_without_a_bad_connection_nothing_is_poor() -> None:
    """Trouble 0: every stream of every call is within CQD's limits, pictures too."""
    plans = [_plan("smallMeeting", number, trouble=0.0) for number in range(60)]
    assert not any(_is_poor(stream) for plan in plans for stream in _audio(plan))
    rates = re.findall(rb'"averageVideoFrameRate":([0-9.]+)', b"".join(b"".join(_document(p).sessions) for p in plans))
    assert rates
    assert min(map(float, rates)) > 2


def test_trouble_is_a_persons_and_shows_in_all_of_a_session() -> None:
    """A share of the people has a bad connection in a call: their audio is poor both ways, that of others is not."""
    shares = [
        sum(map(_is_poor, streams)) / len(streams)
        for number in range(300)
        if (streams := _audio(_plan("peerToPeer", number, trouble=0.1)))
    ]
    assert 0.12 < sum(share > 0 for share in shares) / len(shares) < 0.26
    assert sum(share > 0.4 for share in shares) > 0.9 * sum(share > 0 for share in shares)


def test_trouble_shifts_no_other_value() -> None:
    """The same call with other figures: who, when, on what and with whom stay."""

    def without_figures(plan: Plan) -> list[Any]:
        sessions = _sessions(plan)
        for media in (each for one in sessions for segment in one["segments"] for each in segment["media"]):
            media["streams"] = [stream["streamId"] for stream in media["streams"]]
        return sessions

    assert without_figures(_plan("meeting")) == without_figures(_plan("meeting", trouble=0.5))


def _is_poor(stream: dict[str, Any]) -> bool:
    jitter = float((stream.get("averageJitter") or "PT0S")[2:-1])
    trip = float((stream.get("averageRoundTripTime") or "PT0S")[2:-1])
    return jitter > 0.03 or trip > 0.5 or (stream.get("averagePacketLossRate") or 0) > 0.1


def test_the_awkward_all_occurs() -> None:
    """Guests, phones, feedback, failures, nulls, future members and astral names are all in a day's records."""
    text = b"".join(
        child
        for shape in SHAPES
        for number in range(1 if SHAPES[shape].people[0] > 9 else 60)
        for child in _document(_plan(shape, number), version=2).sessions
    ).decode()
    for pattern in (
        "teamsvisitor:", r'"id":"\+\d', '"feedback"', '"stage":"callSetup"', ":null", "azureCommunicationServices",
        "wifi80211be", "visionOS", "\U00020bb7", "😕", '"media":\\[\\]', "serviceEndpoint", "applicationsharing-video",
    ):  # fmt: skip
        assert re.search(pattern, text), pattern


def test_old_identities_stand_alone() -> None:
    """An old record has organizer, participants and endpoint identities, and none of the new members."""
    plan, records = _plan("webinar", old=True), _records(1)
    header, body = records.header(plan, 1, _NOW), orjson.dumps(_sessions(plan))
    assert "organizer_v2" not in header
    assert len(header["participants"]) == 130
    assert records.participants(plan, 1) == []
    assert b"associatedIdentity" not in body


def test_the_mark_is_in_every_child() -> None:
    """Each session, segment and participant names its version."""
    document = _document(_plan("meeting", mark=True), version=4)
    children = document.sessions + document.participants
    assert all(b"mark-v4" in child for child in children)
    for session in map(orjson.loads, document.sessions):
        for segment in session["segments"]:
            assert segment["caller"]["userAgent"]["applicationVersion"] == "mark-v4"


def test_the_cache_is_bounded_and_forgets() -> None:
    """The oldest documents leave when the limit is passed; a forgotten call leaves at once."""
    cache, document = DocumentCache(limit=25), Document([b"x" * 10], [], 10)
    for version in range(3):
        cache.put(("t", "c", version), document)
    assert [cache.get(("t", "c", version)) is not None for version in range(3)] == [False, True, True]
    cache.forget(("t", "c"))
    assert cache.get(("t", "c", 2)) is None
