"""What a row came to, and a run: values that go to JSON and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import TypeAdapter

from ringback_faults.report import Verdict

__all__ = ["Result", "Run", "read_run", "write_run"]

_Run = TypeVar("_Run")


@dataclass(frozen=True, slots=True)
class Result:
    """One row, once.

    Attributes:
        seconds: of the row itself, without the opening of its world.
        verdict: None if it could not be judged; then `error` says why.
        demanded: the evidence without which the row fails.
        logs: the folder of its world's run; kept if the row failed.
    """

    row: str
    fault: str
    world: str
    seed: int
    seconds: float
    verdict: Verdict | None
    logs: str
    error: str = ""
    demanded: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Judged, no anomaly, and the fault really happened."""
        return self.verdict is not None and self.verdict.clean and not self.error

    @property
    def word(self) -> str:
        """`clean`, `failed`, `no evidence` or `not judged`."""
        if self.verdict is None:
            return "not judged"
        return "failed" if self.error else self.verdict.word

    @property
    def broken(self) -> str:
        """Each invariant that is broken with how often; 0 if none is, ? if it was not judged."""
        if self.verdict is None:
            return "?"
        return ", ".join(f"{name} {count:,}" for name, count in self.verdict.anomalies.items() if count) or "0"

    @property
    def evidence(self) -> str:
        """The evidence that was demanded, as it was found."""
        if self.verdict is None:
            return ""
        seen = self.verdict.evidence
        return ", ".join(f"{name} {seen.get(name, 0):,.4g}" for name in self.demanded)

    def figure(self, name: str, digits: str = ".3g") -> str:
        """A figure of the verdict as text; empty if there is none."""
        value = None if self.verdict is None else self.verdict.figures.get(name)
        return "" if value is None else format(value, digits)


@dataclass(frozen=True, slots=True)
class Run:
    """Many rows.

    Attributes:
        commit: of the tree; "+" behind it if there were changes on top.
        plan: what has to be run, as (row, seed).
        machine: processor, cores, kernel, versions.
        took: seconds on the clock, of all parts of a run that was interrupted.
        seeds: those that the rows' were drawn from, in order.
    """

    started: str
    commit: str
    long: bool
    plan: tuple[tuple[str, int], ...]
    machine: Mapping[str, str] = field(default_factory=dict[str, str])
    took: float = 0.0
    results: tuple[Result, ...] = ()
    seeds: tuple[int, ...] = ()

    @property
    def left(self) -> tuple[tuple[str, int], ...]:
        """What has no result yet; a row that failed has one and is never run again."""
        done = {(result.row, result.seed) for result in self.results}
        return tuple(entry for entry in self.plan if entry not in done)

    @property
    def clean(self) -> bool:
        """Everything was run, and every row is clean."""
        return not self.left and all(result.clean for result in self.results)


def read_run(file: Path, kind: type[_Run]) -> _Run | None:
    """The run of a file, None if there is none; raises ValidationError for another program's JSON."""
    return TypeAdapter(kind).validate_json(file.read_bytes()) if file.exists() else None


def write_run(file: Path, run: object) -> None:
    """Put a run into a file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(orjson.dumps(run, option=orjson.OPT_INDENT_2))
    part.replace(file)
