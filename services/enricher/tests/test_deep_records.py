"""Records nested more deeply than can be written again: read like any other, and refused like what is no record."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest
from ringback_common.outcomes import Accounting, Emit, Reason, Reject
from ringback_enricher.core.derive.depth import DEEPEST, is_too_deep
from ringback_testing.fetch_bench import FoundOf, MakeBench, RequestOf, emitted
from ringback_testing.graph_records import meeting
from ringback_testing.json_values import is_list, is_object

READ = 1000
"""Containers in containers that are read, with those that surround them."""
DEEP = orjson.loads("[" * READ + "]" * READ)
WRITTEN = orjson.loads("[" * DEEPEST + "]" * DEEPEST)
Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every member of a record and every member within it."""
    members = value.items() if is_object(value) else enumerate(value) if is_list(value) else ()
    for name, inner in members:
        yield (*path, name)
        yield from paths(inner, (*path, name))


def instead(path: Path, deep: Any) -> dict[str, Any]:
    """The members of a meeting, something else at that path."""
    record = deepcopy(meeting())
    holder: Any = record
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = deep
    return record


UNUSED = [path for path in paths(meeting()) if path not in {("id",), ("version",)}]


async def test_wherever_a_record_is_too_deep_it_is_looked_at_again_and_then_refused(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """Six times over three hours, as for an answer that is no record; the process goes on."""
    for path in [*UNUSED, ("unheardOf",)]:
        (outcome,) = await make_bench(found(**instead(path, DEEP))).step([request_of()])
        assert isinstance(outcome, Emit), path
        assert (outcome.accounting, outcome.reason) == (Accounting.DEFERRED, Reason.MALFORMED_RECORD), path
    bench, last = make_bench(found(unheardOf=DEEP)), request_of(tried=(6, Reason.MALFORMED_RECORD))
    assert await bench.step([last, last]) == [Reject(Reason.MALFORMED_RECORD, "depth")] * 2


async def test_two_sessions_that_only_their_content_tells_apart_may_be_too_deep(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf
) -> None:
    """The order of sessions is the first that writes them."""
    session = meeting()["sessions"][0]
    answer = found(sessions=[session | {"deep": DEEP}, session])
    (outcome,) = await make_bench(answer).step([request_of()])
    assert outcome.reason is Reason.MALFORMED_RECORD


@pytest.mark.parametrize("path", [("unheardOf",), ("sessions", 0, "segments", 0, "media", 0, "streams", 0, "deep")])
async def test_what_is_as_deep_as_may_be_is_published(
    make_bench: MakeBench, request_of: RequestOf, found: FoundOf, path: Path
) -> None:
    """Wherever it stands: what surrounds it is accounted for."""
    (outcome,) = emitted(await make_bench(found(**instead(path, WRITTEN))).step([request_of()]))
    assert len(outcome.stages) == 4


async def test_a_bug_of_ours_is_none_of_graph(make_bench: MakeBench, request_of: RequestOf, found: FoundOf) -> None:
    """What cannot be written for another reason ends the process, as bugs do."""
    with pytest.raises(orjson.JSONEncodeError):
        await make_bench(found(unheardOf={1, 2})).step([request_of()])


def test_depth_is_counted_in_containers() -> None:
    """Objects and lists alike; what is broad is not deep."""
    assert not is_too_deep({"a": [dict[str, Any]()] * 1000, "b": {str(n): [n] for n in range(1000)}, "c": "[" * 1000})
    assert not is_too_deep(WRITTEN)
    assert is_too_deep([WRITTEN])
    assert is_too_deep({"a": WRITTEN})
