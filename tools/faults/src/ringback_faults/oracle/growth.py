"""How memory and open files of a process move while it lives, for rows that bound it. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import linear_regression

from ringback_faults.ledgers import Sample

__all__ = ["growth_of"]

_MIB = 1024 * 1024
_TEN_MINUTES = 600.0
_FEWEST = 20
"""Samples of a slope: ten seconds of them."""


def growth_of(samples: Sequence[Sample]) -> dict[str, float]:
    """The worst of the lives of each process.

    `rss_growth_mib_<process>` is the peak above the first sample. Of the second half of the samples, when everything is
    warm, `rss_slope_percent_<process>` is the growth in ten minutes by a line through it, in percent of where it
    begins, and `files_growth_<process>` how many files more were open at once in its later part than in its earlier.
    """
    lives: defaultdict[tuple[str, int], list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda sample: sample.at):
        lives[sample.process, sample.pid].append(sample)
    worst: dict[str, float] = {}
    for (process, _), life in lives.items():
        for name, value in _figures(life):
            worst[f"{name}_{process}"] = max(value, worst.get(f"{name}_{process}", value))
    return worst


def _figures(life: Sequence[Sample]) -> Iterator[tuple[str, float]]:
    yield "rss_growth_mib", (max(sample.rss for sample in life) - life[0].rss) / _MIB
    warm = life[len(life) // 2 :]
    if len(warm) >= _FEWEST:
        slope, start = linear_regression([s.at - warm[0].at for s in warm], [float(s.rss) for s in warm])
        yield "rss_slope_percent", 100 * slope * _TEN_MINUTES / start
        middle = len(warm) // 2
        yield "files_growth", float(max(s.files for s in warm[middle:]) - max(s.files for s in warm[:middle]))
