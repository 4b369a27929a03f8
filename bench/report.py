"""A run as a JSON document, and back."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.contestant import Latency
from bench.figures import Figures
from bench.sampling import Costs

__all__ = ["Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a run measured, on what, of which commit.

    Attributes:
        started: RFC 3339, UTC.
        seconds: how long one measurement was asked to take.
        took: seconds of the whole run.
        load_average: of the machine, before the run and at its end.
    """

    started: str
    commit: str
    seconds: float
    took: float
    profiled: bool
    load_average: tuple[float, float]
    machine: dict[str, Any]
    versions: dict[str, str]
    lines: list[Figures]
    costs: list[Costs]

    def write(self, path: Path) -> None:
        """As JSON, for the page and for comparisons."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))

    @classmethod
    def read(cls, path: Path) -> "Report":
        """What `write` wrote; raises TypeError if it is something else."""
        told = orjson.loads(path.read_bytes())
        told["lines"] = [_line(line) for line in told["lines"]]
        told["costs"] = [Costs(**(cost | {"top": [tuple(one) for one in cost["top"]]})) for cost in told["costs"]]
        told["load_average"] = tuple(told["load_average"])
        return cls(**told)


def _line(told: dict[str, Any]) -> Figures:
    latency = told.pop("latency")
    return Figures(**told, latency=None if latency is None else Latency(**latency))
