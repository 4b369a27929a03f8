"""A measured line, and how it is made of a contestant's run and its cost. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bench.contestant import Latency, Ran
from bench.cost import Meter

__all__ = ["RINGBACK", "Figures", "beside", "figures_of", "with_ratios"]

RINGBACK = "ringback"
"""The contestant whose figures the goals speak of."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One contestant under one load.

    Attributes:
        stage: webhook, enricher, store or e2e.
        load: what was asked of it, in few words.
        rate: records a second.
        cpu_ms: CPU milliseconds of the contestant's own processes per 1,000 records.
        rss_mib: peak of resident memory, its processes together.
        ratio: rate over the baseline's in this run; None without a baseline.
        cpu_ratio: records per CPU second over the baseline's in this run.
        also: further figures of this stage, by name.
    """

    stage: str
    load: str
    contestant: str
    records: int
    seconds: float
    rate: float
    cpu_ms: float | None = None
    rss_mib: float | None = None
    latency: Latency | None = None
    ratio: float | None = None
    cpu_ratio: float | None = None
    failures: int = 0
    baseline: bool = False
    also: dict[str, float] = field(default_factory=dict[str, float])


def figures_of(place: tuple[str, str, str], ran: Ran, meter: Meter, *, baseline: bool = False) -> Figures:
    """The figures of a run; `place` is stage, load and contestant."""
    used = meter.seconds_between(ran.began, ran.ended)
    return Figures(
        *place,
        records=ran.records,
        seconds=ran.ended - ran.began,
        rate=ran.rate,
        cpu_ms=used / ran.records * 1e6,
        rss_mib=meter.peak_mib,
        latency=ran.latency,
        failures=ran.failures,
        baseline=baseline,
        also=dict(ran.also),
    )


def with_ratios(lines: Iterable[Figures]) -> list[Figures]:
    """Every line with its ratios to the baseline of the same stage and load, if this run has one."""
    measured = list(lines)
    yardsticks = {(line.stage, line.load): line for line in measured if line.baseline}
    return [beside(line, yardsticks.get((line.stage, line.load))) for line in measured]


def beside(line: Figures, yardstick: Figures | None) -> Figures:
    """One line with its ratios to another."""
    if yardstick is None:
        return line
    ratio = line.rate / yardstick.rate
    if not line.cpu_ms or not yardstick.cpu_ms:
        return replace(line, ratio=ratio)
    return replace(line, ratio=ratio, cpu_ratio=yardstick.cpu_ms / line.cpu_ms)
