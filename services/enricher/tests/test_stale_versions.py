"""A notification that brings nothing newer: Graph may serve a stale version, so it is asked once more."""

from collections.abc import Sequence

import pytest
from ringback_common.outcomes import Accounting, Emit, Outcome, Reason, Received
from ringback_enricher.adapters.graph import FetchFailure
from ringback_events.topics import FETCH_RETRY_2M
from ringback_graph.answers import Current
from ringback_testing.fetch_bench import FoundOf, MakeBench, RequestOf, emitted


def _deferred(outcome: Outcome, request: Received) -> Received:
    """The request as the retry tier brings it back."""
    assert isinstance(outcome, Emit)
    ((message,),) = outcome.stages
    assert (message.topic, message.value) == (FETCH_RETRY_2M.name, request.value)
    return Received(message.topic, 0, 7, 0, message.key, message.value, message.headers)


def _reasons(outcomes: Sequence[Outcome]) -> list[tuple[Accounting, Reason | None]]:
    return [(outcome.accounting, outcome.reason) for outcome in outcomes if isinstance(outcome, Emit)]


CHECKED_LATER = (Accounting.DEFERRED, Reason.VERSION_UNCHANGED)
UNCHANGED = (Accounting.SATISFIED, Reason.VERSION_UNCHANGED)
SPARED = (Accounting.SATISFIED, None)


async def test_a_newer_version_that_graph_serves_late_is_published(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Version 3 is published, version 4 notified, Graph still serves 3: two minutes later it is asked, and has 4."""
    bench = make_bench(found(3), found(3), Current(4), found(4))
    await bench.settled(request_of())
    notified = request_of()
    outcomes = emitted(await bench.settled(notified))
    assert _reasons(outcomes) == [CHECKED_LATER]
    assert dict(outcomes[0].stages[0][0].headers)["ringback_known_version"] == b"3"
    (outcome,) = emitted(await bench.settled(_deferred(outcomes[0], notified)))
    assert (len(outcome.stages), bench.graph.asked_versions, len(bench.graph.asked)) == (4, 1, 3)


async def test_a_version_that_has_not_risen_costs_one_small_request_and_no_other_check(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Asked once more means once."""
    bench = make_bench(found(3), found(3), Current(3))
    await bench.settled(request_of())
    notified = request_of()
    (outcome,) = await bench.settled(notified)
    assert _reasons(await bench.step([_deferred(outcome, notified)])) == [UNCHANGED]
    assert (bench.graph.asked_versions, len(bench.graph.asked)) == (1, 2)


async def test_one_check_of_a_call_is_outstanding(make_bench: MakeBench, request_of: RequestOf, found: FoundOf) -> None:
    """Of fifty notifications, together and later, one is deferred; after its time another may be."""
    bench = make_bench(found(3))
    await bench.settled(request_of())
    together = await bench.settled(*[request_of() for _ in range(5)])
    assert _reasons(together) == [SPARED] * 4 + [CHECKED_LATER]
    bench.clock.advance(seconds=119)
    assert _reasons(await bench.step([request_of()])) == [SPARED]
    bench.clock.advance(seconds=2)
    assert _reasons(await bench.step([request_of()])) == [CHECKED_LATER]


async def test_a_check_beside_a_notification_reads_the_record(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Both are answered by one read; as they may announce two versions, Graph is asked once more."""
    bench = make_bench(found(3), found(3), found(4))
    await bench.settled(request_of())
    notified = request_of()
    (outcome,) = await bench.settled(notified)
    outcomes = emitted(await bench.step([_deferred(outcome, notified), request_of()]))
    assert [len(each.stages) for each in outcomes] == [4, 1]
    assert bench.graph.asked_versions == 0


async def test_a_check_that_fails_is_patient_as_any_read_and_stays_a_check(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """A 404 to the version is deferred as a 404 to the record; then the version is asked for again."""
    bench = make_bench(found(3), found(3), FetchFailure(Reason.NOT_FOUND), Current(3))
    await bench.settled(request_of())
    notified = request_of()
    (outcome,) = await bench.settled(notified)
    (again,) = await bench.step([_deferred(outcome, notified)])
    assert _reasons([again]) == [(Accounting.DEFERRED, Reason.NOT_FOUND)]
    assert _reasons(await bench.step([_deferred(again, notified)])) == [UNCHANGED]
    assert (bench.graph.asked_versions, len(bench.graph.asked)) == (2, 2)


async def test_a_notification_that_comes_while_a_check_is_due_has_it_repeated(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Version 4 is announced a moment before the check, and Graph still serves 3 to both: the check comes once more."""
    bench = make_bench(found(3), found(3), found(3), Current(3), Current(4), found(4))
    await bench.settled(request_of())
    first = request_of()
    (check,) = await bench.settled(first)
    bench.clock.advance(seconds=119)
    assert _reasons(await bench.step([request_of()])) == [SPARED]
    bench.clock.advance(seconds=1)
    (repeated,) = emitted(await bench.settled(_deferred(check, first)))
    assert _reasons([repeated]) == [CHECKED_LATER]
    assert [name for name, _ in repeated.stages[0][0].headers].count("ringback_known_version") == 1
    (outcome,) = emitted(await bench.settled(_deferred(repeated, first)))
    assert len(outcome.stages) == 4


async def test_of_two_versions_announced_before_one_read_the_second_is_not_lost(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """4 and 5 are announced, both wait for one read, and Graph serves 4 still: it is asked once more, and has 5."""
    bench = make_bench(found(3), found(4), found(4), Current(5), found(5))
    await bench.settled(request_of())
    notified = [request_of(), request_of()]
    first, second = emitted(await bench.settled(*notified))
    assert ([len(each.stages) for each in (first, second)], _reasons([first])) == ([4, 1], [SPARED])
    assert _reasons([second]) == [CHECKED_LATER]
    assert dict(second.stages[0][0].headers)["ringback_known_version"] == b"4"
    assert _reasons(await bench.step([request_of()])) == [SPARED]
    (outcome,) = emitted(await bench.settled(_deferred(second, notified[1])))
    assert (len(outcome.stages), bench.graph.asked_versions) == (5, 1)


async def test_a_notification_that_came_while_a_check_was_due_outlives_what_the_check_publishes(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Of 4 and 5 Graph serves neither, then, to the check, 4 alone; it is asked again, and 5 is not lost."""
    bench = make_bench(found(3), found(3), found(3), Current(4), found(4), Current(5), found(5))
    await bench.settled(request_of())
    first = request_of()
    (check,) = await bench.settled(first)
    bench.clock.advance(seconds=60)
    assert _reasons(await bench.step([request_of()])) == [SPARED]
    bench.clock.advance(seconds=60)
    (published,) = emitted(await bench.settled(_deferred(check, first)))
    assert (len(published.stages), _reasons([published])) == (5, [CHECKED_LATER])
    again = published.stages[-1][0]
    repeated = Received(again.topic, 0, 8, 0, again.key, again.value, again.headers)
    (outcome,) = emitted(await bench.settled(repeated))
    assert len(outcome.stages) == 4


@pytest.mark.parametrize("said", [b"", b"x", b"-1", b"9" * 20, None])
async def test_a_known_version_that_is_none_asks_for_the_record(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, said: bytes | None
) -> None:
    """Anybody may write a header."""
    bench = make_bench(found(3))
    await bench.step([request_of(tried=(0, Reason.VERSION_UNCHANGED), headers=(("ringback_known_version", said),))])
    assert (bench.graph.asked_versions, len(bench.graph.asked)) == (0, 1)


async def test_a_check_whose_deferral_was_not_written_is_made_by_the_next(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """The assignment was lost before Kafka had it: the notification comes again, and has Graph asked once more."""
    bench = make_bench(found(3))
    await bench.settled(request_of())
    for _ in range(2):
        assert _reasons(await bench.step([request_of()])) == [CHECKED_LATER]
