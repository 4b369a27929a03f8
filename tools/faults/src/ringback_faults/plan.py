"""What is run, with which seeds, and in which company. Pure."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from ringback_faults.row import Row

__all__ = ["Batch", "a_third", "batches", "draw_plan", "seconds_of"]

_OPEN_SECONDS = 20.0
_ROW_SECONDS = 15.0
"""What a row takes besides its load and its faults: draining, collecting, judging."""
_STEP_SECONDS = 5.0
_BATCH_SECONDS = 240.0
"""Rows of one world beyond this get a second installation, on another lane; a row that is longer has one for itself."""

Entry = tuple[str, int]
"""(row, seed)"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that share one installation, one after another."""

    world: str
    seed: int
    rows: tuple[str, ...]
    seconds: float
    alone: bool


def seconds_of(row: Row) -> float:
    """A guess at how long a row takes in a world that is open."""
    faults = 0.0
    for step in row.steps:
        given = step.parameters
        lasts = float(given.get("seconds") or given.get("down") or given.get("every") or _STEP_SECONDS)
        faults = max(faults, step.at) + min(lasts, row.load.seconds) * int(given.get("times", 1))
    return max(row.takes, max(row.load.seconds, faults) + _ROW_SECONDS)


def a_third(rows: Sequence[Row], draw: str) -> list[Row]:
    """About a third of the rows by expected time, the openings of their worlds included, in the scorecard's order.

    A hash of draw and name gives each row its place in a queue; from its front as many are taken as fit into a third
    of what all rows take. A row belongs to it if its middle does, so that long rows are neither favoured nor starved.

    Args:
        rows: in the scorecard's order.
        draw: the first ten digits of a commit's hash; the same rows and the same draw give the same answer.
    """
    queue = sorted(rows, key=lambda row: hashlib.sha256(f"{draw} {row.row}".encode()).digest())
    third = sum(_costs(queue)) / 3
    taken: set[str] = set()
    spent = 0.0
    for row, cost in zip(queue, _costs(queue), strict=True):
        if taken and spent + cost / 2 > third:
            break
        taken.add(row.row)
        spent += cost
    return [row for row in rows if row.row in taken]


def _costs(queue: Iterable[Row]) -> Iterator[float]:
    """Seconds of each row; the first one of a world opens it."""
    opened: set[tuple[bool, str]] = set()
    for row in queue:
        world = (row.alone, row.world)
        yield seconds_of(row) + (0.0 if world in opened else _OPEN_SECONDS)
        opened.add(world)


def draw_plan(rows: Sequence[Row], seeds: Sequence[int], fresh: Iterator[int]) -> list[Entry]:
    """Each row with a seed; the seeds are spread over the batches, so that every one of them drives many rows.

    Args:
        rows: in the scorecard's order.
        seeds: those of the run.
        fresh: where further ones come from, for a row that is repeated.
    """
    turn = cycle(seeds)
    plan: list[Entry] = []
    for batch in _shares(rows):
        seed = next(turn)
        plan += [(row.row, seed) for row in batch]
        plan += [(row.row, next(fresh)) for row in batch for _ in range(row.repeat - 1)]
    order = {row.row: place for place, row in enumerate(rows)}
    return sorted(plan, key=lambda entry: order[entry[0]])


def batches(entries: Iterable[Entry], rows: Mapping[str, Row]) -> list[Batch]:
    """What is to be run as installations, the longest first, those that want the machine for themselves last."""
    groups: dict[tuple[bool, str, int, str], list[Row]] = {}
    for name, seed in entries:
        row = rows[name]
        apart = name if seconds_of(row) > _BATCH_SECONDS else ""
        groups.setdefault((row.alone, row.world, seed, apart), []).append(row)
    made = [_batch(group, alone=alone, world=world, seed=seed) for (alone, world, seed, _), group in groups.items()]
    return sorted(made, key=lambda batch: (batch.alone, -batch.seconds))


def _batch(group: Sequence[Row], *, alone: bool, world: str, seed: int) -> Batch:
    seconds = _OPEN_SECONDS + sum(map(seconds_of, group))
    return Batch(world, seed, tuple(row.row for row in group), seconds, alone)


def _shares(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows of each world, cut where an installation would be busy for too long."""
    worlds: dict[tuple[bool, str], list[Row]] = {}
    for row in rows:
        worlds.setdefault((row.alone, row.world), []).append(row)
    for group in worlds.values():
        share: list[Row] = []
        for row in group:
            if share and sum(map(seconds_of, share)) + seconds_of(row) > _BATCH_SECONDS:
                yield share
                share = []
            share.append(row)
        yield share
