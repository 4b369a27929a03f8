"""The corpus: hand-written records in which every branch of the derivation shows, and the simulator's.

Each case is a list of records about one matter, so that a changed outcome names the matter. A value stands at its limit
and just beyond it, members that could be exchanged differ, and of two that exclude each other both orders are there.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import orjson
from ringback_graph_simulator.plans import SHAPES, plan_call
from ringback_graph_simulator.records import Records

from ringback_testing.derivation.media import media_cases
from ringback_testing.derivation.people import people
from ringback_testing.derivation.shapes import Json
from ringback_testing.derivation.values import NUMBERS
from ringback_testing.graph_records import CALL, TENANT, meeting, network
from ringback_testing.json_values import is_list, is_object

__all__ = ["corpus"]

_NOW = 1_790_000_000.0
_SMALL = 6


def corpus() -> dict[str, list[Json]]:
    """Every case by its name."""
    whole = {"members of the record": [*_record_members()], "one member at a time": [*_each_member(_complete())]}
    return people() | media_cases() | whole | {f"simulated: {shape}": [*_calls(shape)] for shape in SHAPES}


def _record_members() -> Iterator[Json]:
    yield {}
    for value in (*NUMBERS, "groupCall", "peerToPeer", "town hall"):
        yield {"id": "c", "version": value}
        yield {"id": "c", "type": value, "joinWebUrl": value}
    odd: tuple[Any, ...] = (None, [], ["audio", "video"], ["video", "audio", 7, None], "audio", {})
    for value in odd:
        yield {"id": "c", "modalities": value, "sessions": [{"id": "s", "modalities": value}]}
        yield {"id": "c", "sessions": value, "participants_v2": value}
    empty: tuple[Any, ...] = (None, [], [None], [{}])
    for value in empty:
        yield {"id": "c", "type": "peerToPeer", "sessions": value}
    for value in (True, False, None, "true", 1):
        yield {"id": "c", "sessions": [{"id": value, "isTest": value, "segments": value}]}


def _complete() -> Json:
    """A meeting in which more members have a value than in an ordinary one."""
    record = meeting()
    first = record["sessions"][0]
    first["failureInfo"] = {"stage": "midcall", "reason": "gone"}
    first["caller"] |= {"cpuCoresCount": 8}
    first["segments"][0]["media"][0]["calleeNetwork"] = network("2001:db8::7", connectionType="wired")
    first["segments"][0]["media"][0]["streams"][0] |= {"maxJitter": "PT0.1S", "averageBandwidthEstimate": 7}
    return record


def _each_member(record: Json) -> Iterator[Json]:
    """The record without one member, and with another value in its place, for each member at any depth."""
    for *above, at in [*_paths(record)]:
        for change in (_removed, _replaced):
            changed = deepcopy(record)
            holder: Any = changed
            for step in above:
                holder = holder[step]
            change(holder, at)
            yield changed


def _paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    step: Any
    for step in node if is_object(node) else range(len(node)) if is_list(node) else ():
        yield (*path, step)
        yield from _paths(node[step], (*path, step))


_OTHERS: dict[type, Callable[[Any], Any]] = {
    str: lambda text: f"{text}x",
    int: lambda number: number + 1,
    float: lambda number: number * 2,
    bool: lambda reported: not reported,
}


def _removed(holder: Any, at: Any) -> None:
    del holder[at]


def _replaced(holder: Any, at: Any) -> None:
    old: object = holder[at]
    other = _OTHERS.get(type(old))
    holder[at] = other(old) if other else None


def _calls(shape: str) -> Iterator[Json]:
    """Small calls of a shape of the simulator's: two versions, some with the identities of before 2026-06-30."""
    simulator = Records(seed=7)
    people = _SMALL if SHAPES[shape].people[0] > _SMALL else None
    for number in range(12):
        plan = plan_call(TENANT, CALL, shape, f"{shape}/{number}", end=_NOW, participants=people, old=number % 3 == 0)
        for version in (1, 3):
            record = simulator.header(plan, version, _NOW)
            record["sessions"] = list(simulator.sessions(plan, version))
            record["participants_v2"] = simulator.participants(plan, version)
            yield orjson.loads(orjson.dumps(record))
