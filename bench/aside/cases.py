"""The four loads: whose request follows whose in one partition, what their goals are, what came of them. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, repeat

from bench.goals import Goal, Verdict
from bench.tenants import neighbours

__all__ = ["CASES", "PAUSED", "TENANTS", "Case", "Result"]

TENANTS = neighbours(2)
"""The first is the one that is paused."""
_A, _B = TENANTS
_SERVED_BETWEEN = 50
"""Requests of the second tenant, evenly among those of the paused one, the last of them behind all others."""


@dataclass(frozen=True, slots=True)
class Case:
    """One load.

    Attributes:
        name: what it is called on the command line.
        words: the same in the table.
        order: of so many requests, whose comes when.
        goals: limits for its figures.
        is_paused: whether the first tenant is paused by its operator all the while.
    """

    name: str
    words: str
    order: Callable[[int], Iterator[str]]
    goals: tuple[Goal, ...]
    is_paused: bool = False

    @property
    def tenants(self) -> int:
        """How many tenants there are."""
        return len(set(self.order(len(TENANTS))))

    def served(self, requests: int) -> int:
        """How many of the requests come to a record."""
        return sum(tenant == _B or not self.is_paused for tenant in self.order(requests))


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        requests: of all tenants of the case; of a paused tenant, its own alone.
        served: requests that came to a record.
        seconds: from the moment the process was ready until the last request was served, or put aside.
        writes: records that the process wrote to any lane, for each of `requests`. The webhook's own write is not
            counted. Beside a paused tenant those of its neighbour are: with one write of each of the paused tenant's
            requests, a single one of the neighbour's is more than 1.
        quota: the share of their quotas that the tenants used; None where no tenant was to use one.
        before_mib: resident memory of another such process of the same run, which was idle and had been given nothing.
        peak_mib: the most it had.
        cores: CPU seconds a second. Near 1 the machine was the limit, not the quota.
    """

    case: Case
    requests: int
    served: int
    seconds: float
    writes: float
    quota: float | None
    before_mib: float
    peak_mib: float
    cores: float

    @property
    def grown_mib(self) -> float:
        """How much memory the load took."""
        return self.peak_mib - self.before_mib

    @property
    def verdicts(self) -> list[Verdict]:
        """Each goal of the case with what was measured."""
        return [Verdict(goal, getattr(self, goal.figure)) for goal in self.case.goals]


def _alone(requests: int) -> Iterator[str]:
    return repeat(_A, requests)


def _mixed(requests: int) -> Iterator[str]:
    return islice(chain.from_iterable(repeat((_A, _B))), requests)


def _behind(requests: int) -> Iterator[str]:
    return chain(repeat(_A, requests // 2), repeat(_B, requests - requests // 2))


def _paused(requests: int) -> Iterator[str]:
    """All of the paused tenant's, and fifty of another's, at most as many, evenly between them."""
    served = min(_SERVED_BETWEEN, requests)
    for number in range(requests):
        yield _A
        if (number + 1) * served // requests > number * served // requests:
            yield _B


def _limits(words: str, writes: float, quota: float) -> tuple[Goal, ...]:
    return (
        Goal("aside", words, "writes", writes, f"≤ {writes:g} writes"),
        Goal("aside", words, "quota", quota, f"≥ {quota:.0%} of the quota", at_least=True),
    )


def _case(name: str, words: str, order: Callable[[int], Iterator[str]], writes: float, quota: float) -> Case:
    return Case(name, words, order, _limits(words, writes, quota))


PAUSED = Case(
    "paused",
    "a paused tenant",
    _paused,
    (
        Goal("aside", "a paused tenant", "writes", 1.0, "one write"),
        Goal("aside", "a paused tenant", "grown_mib", 80.0, "RSS ≤ + 80 MiB"),
    ),
    is_paused=True,
)
CASES = (
    _case("one", "one tenant", _alone, writes=1.05, quota=0.95),
    _case("mixed", "two tenants mixed", _mixed, writes=2.0, quota=0.9),
    _case("behind", "one wholly behind the other", _behind, writes=6.0, quota=0.75),
    PAUSED,
)
