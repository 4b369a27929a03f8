"""A peer-to-peer call that comes without sessions: asked for again before anything is published of it."""

from typing import Any

import orjson
import pytest
from ringback_common.outcomes import Accounting, Drop, Emit, Outcome, Reason
from ringback_events.topics import CALLS, FETCH_RETRY_2M, FETCH_RETRY_10S, RECORDS, SESSIONS
from ringback_testing.fetch_bench import FoundOf, MakeBench, RequestOf, emitted

EMPTY: dict[str, Any] = {"type": "peerToPeer", "sessions": []}
WHOLE: dict[str, Any] = {"type": "peerToPeer"}
TIERS = (FETCH_RETRY_10S, FETCH_RETRY_2M, FETCH_RETRY_2M)


def looked(times: int) -> dict[str, Any]:
    """A request that was put off so often for this."""
    return {"tried": (times, Reason.SESSIONS_MISSING)}


def topics_of(outcome: Outcome) -> list[str]:
    """The topics an outcome writes to, stage by stage."""
    (emit,) = emitted([outcome])
    return [stage[0].topic for stage in emit.stages]


@pytest.mark.parametrize("times", range(3))
async def test_it_is_looked_at_again_three_times_and_nothing_is_published(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, times: int
) -> None:
    """On the short lanes: a second content under the same version would be dropped by everybody."""
    bench = make_bench(found(**EMPTY))
    (outcome,) = emitted(await bench.settled(request_of(**looked(times))))
    assert (outcome.accounting, outcome.reason) == (Accounting.DEFERRED, Reason.SESSIONS_MISSING)
    assert topics_of(outcome) == [TIERS[times].name]
    headers = dict(outcome.stages[0][0].headers)
    assert (headers["ringback_attempt"], headers["ringback_reason"]) == (str(times + 1).encode(), b"sessions_missing")


async def test_after_three_looks_it_is_published_and_says_what_it_lacks(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """A call without sessions is better than none, to whoever can tell that it is odd."""
    (outcome,) = emitted(await make_bench(found(**EMPTY)).step([request_of(**looked(3))]))
    assert topics_of(outcome) == [RECORDS.name, SESSIONS.name, CALLS.name]
    for stage in (outcome.stages[0], outcome.stages[-1]):
        assert orjson.loads(stage[0].value or b"")["anomalies"]["sessionsMissing"] is True
    assert orjson.loads(outcome.stages[1][0].value or b"")["sessionCount"] == 0


@pytest.mark.parametrize("times", range(4))
async def test_sessions_that_came_meanwhile_are_published(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, times: int
) -> None:
    """Once, and without the anomaly."""
    (outcome,) = emitted(await make_bench(found(**WHOLE)).step([request_of(**looked(times))]))
    assert topics_of(outcome)[0] == RECORDS.name
    assert orjson.loads(outcome.stages[0][0].value or b"")["anomalies"]["sessionsMissing"] is False


@pytest.mark.parametrize("kind", ["groupCall", "unknown", None])
async def test_of_any_other_call_no_sessions_are_awaited(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, kind: Any
) -> None:
    """Only a call of two is known to have one for certain."""
    (outcome,) = emitted(await make_bench(found(type=kind, sessions=[])).step([request_of()]))
    assert topics_of(outcome)[0] == RECORDS.name
    assert orjson.loads(outcome.stages[0][0].value or b"")["anomalies"]["sessionsMissing"] is False


@pytest.mark.parametrize("sessions", [None, [], {}, [None], "odd"])
async def test_whatever_is_no_session_is_none(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, sessions: Any
) -> None:
    """As the derivation reads it."""
    (outcome,) = await make_bench(found(type="peerToPeer", sessions=sessions)).step([request_of()])
    assert outcome.reason is Reason.SESSIONS_MISSING


async def test_all_requests_in_hand_wait_or_none_does(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Each by its own looks, until one of them has used its own up: then there is a publication for all."""
    bench = make_bench(found(**EMPTY))
    first, second = await bench.step([request_of(), request_of(**looked(2))])
    assert [topics_of(one) for one in (first, second)] == [[FETCH_RETRY_10S.name], [FETCH_RETRY_2M.name]]
    carrier, other = await bench.step([request_of(), request_of(**looked(3))])
    assert topics_of(carrier)[0] == RECORDS.name
    assert isinstance(other, Emit)
    assert other.reason is Reason.VERSION_UNCHANGED  # it may have announced another version: asked for once more


@pytest.mark.parametrize("source", ["replay", "lookup", "release", "reconcile"])
async def test_whoever_asks_waits_as_long(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, source: str
) -> None:
    """Whatever is published of a version first is what everybody keeps."""
    (outcome,) = await make_bench(found(**EMPTY)).step([request_of(source=source)])
    assert outcome.reason is Reason.SESSIONS_MISSING


async def test_the_canary_waits_for_nothing_and_publishes_nothing(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """What it would publish is what the store keeps of that version."""
    (outcome,) = await make_bench(found(**EMPTY)).step([request_of(source="canary")])
    assert outcome == Drop(Reason.CANARY)


@pytest.mark.parametrize("at", [0, 1])
async def test_a_canary_beside_others_publishes_nothing_for_them(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, at: int
) -> None:
    """They wait as they would without it."""
    requests = [request_of()]
    requests.insert(at, request_of(source="canary"))
    outcomes = await make_bench(found(**EMPTY)).step(requests)
    assert outcomes[at] == Drop(Reason.CANARY)
    (other,) = emitted([outcomes[1 - at]])
    assert (other.accounting, other.reason) == (Accounting.DEFERRED, Reason.SESSIONS_MISSING)


async def test_a_request_without_looks_left_is_published_beside_a_canary(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """To all topics: it is not the canary's publication."""
    carrier, _ = await make_bench(found(**EMPTY)).step([request_of(source="canary"), request_of(**looked(3))])
    assert topics_of(carrier) == [RECORDS.name, SESSIONS.name, CALLS.name]


async def test_a_version_that_is_published_already_is_not_awaited(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """A replica that lags says nothing new: the notification is spared, as any that brings no newer version."""
    bench = make_bench(found(3, **WHOLE), found(3, **EMPTY), found(4, **EMPTY))
    await bench.settled(request_of())
    (outcome,) = await bench.settled(request_of())
    assert outcome.reason is Reason.VERSION_UNCHANGED
    (outcome,) = await bench.settled(request_of())
    assert outcome.reason is Reason.SESSIONS_MISSING


@pytest.mark.parametrize("source", ["replay", "lookup", "release", "reconcile"])
async def test_whoever_has_a_published_version_published_again_waits_as_for_the_first(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, source: str
) -> None:
    """A consumer that has nothing yet keeps what the replay publishes: not the empty record of a replica that lags."""
    bench = make_bench(found(3, **WHOLE), found(3, **EMPTY), found(3, **WHOLE))
    await bench.settled(request_of())
    (outcome,) = await bench.settled(request_of(source=source))
    assert outcome.reason is Reason.SESSIONS_MISSING
    (outcome,) = await bench.settled(request_of(source=source, **looked(1)))
    assert topics_of(outcome)[0] == RECORDS.name
