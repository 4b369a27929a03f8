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
        reported = orjson.loads(path.read_bytes())
        reported["lines"] = [_line(line) for line in reported["lines"]]
        reported["costs"] = [
            Costs(**(cost | {"top": [tuple(one) for one in cost["top"]]})) for cost in reported["costs"]
        ]
        reported["load_average"] = tuple(reported["load_average"])
        return cls(**reported)


def _line(reported: dict[str, Any]) -> Figures:
    latency = reported.pop("latency")
    return Figures(**reported, latency=None if latency is None else Latency(**latency))
