"""What the figures of several rounds come to: a median between bounds, and how two commits compare. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.figures import Figures

__all__ = ["Place", "Spread", "Summary", "summaries"]

Place = tuple[str, str, str]
"""Stage, load and contestant."""
Round = Sequence[Figures]
"""What one round measured."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, the least and the most of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(median(values), min(values), max(values))

    @classmethod
    def between(cls, values: Sequence[float], others: Sequence[float]) -> "Spread":
        """A ratio: of the medians, and of the rounds, each with its companion, the least and the most."""
        ratios = [value / other for value, other in zip(values, others, strict=False)]
        return cls(median(values) / median(others), min(ratios), max(ratios))


@dataclass(frozen=True, slots=True)
class Summary:
    """A contestant under a load, over all rounds; what is not measured is None.

    Attributes:
        rate: records a second.
        cpu_ms: CPU milliseconds per 1,000 records.
        other_rate: of the other commit, as `other_cpu_ms`.
        ratio: this commit's rate over the other's.
        cpu_ratio: this commit's records per CPU second over the other's.
    """

    place: Place
    rate: Spread
    cpu_ms: Spread | None
    other_rate: Spread | None = None
    other_cpu_ms: Spread | None = None
    ratio: Spread | None = None
    cpu_ratio: Spread | None = None


def summaries(here: Sequence[Round], there: Sequence[Round]) -> list[Summary]:
    """Sum up every line of this commit's rounds, beside the other's where it was measured, too."""
    ours, theirs = _by_place(here), _by_place(there)
    return [_summary(place, lines, theirs.get(place, [])) for place, lines in ours.items()]


def _summary(place: Place, lines: Sequence[Figures], others: Sequence[Figures]) -> Summary:
    rates, other_rates = [line.rate for line in lines], [line.rate for line in others]
    costs, other_costs = _costs(lines), _costs(others)
    return Summary(
        place,
        Spread.of(rates),
        Spread.of(costs) if costs else None,
        Spread.of(other_rates) if other_rates else None,
        Spread.of(other_costs) if other_costs else None,
        Spread.between(rates, other_rates) if other_rates else None,
        Spread.between(other_costs, costs) if costs and other_costs else None,
    )


def _costs(lines: Iterable[Figures]) -> list[float]:
    return [line.cpu_ms for line in lines if line.cpu_ms]


def _by_place(rounds: Iterable[Round]) -> dict[Place, list[Figures]]:
    places: dict[Place, list[Figures]] = {}
    for line in (line for one in rounds for line in one):
        places.setdefault((line.stage, line.load, line.contestant), []).append(line)
    return places
