"""What a command would do, before it does it: a table, and the time it would take."""

from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from ringback_events.keys import tenant_of
from ringback_events.topics import FETCH, FETCH_BULK

__all__ = ["COLUMNS", "Estimate", "Plan"]

COLUMNS = ("source", "reason", "goes_to", "count")

_FETCHED_FROM = frozenset({FETCH.name, FETCH_BULK.name})
_PER_SECOND = 1440 / 20
"""Requests of the enricher in one tenant's budget: of the 1,500 Graph grants in 20 s, the keeper has 60."""
_LEAST_SHARE = 0.1
"""What live requests leave to the bulk lane while they are busy."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long it would take, in whole seconds.

    Attributes:
        write: until everything is written, at the rate asked for.
        graph_requests: how many requests Graph gets at least; a large record takes several.
        fetch: until Graph has answered for the tenant with the most, if nothing else is asked of it.
        fetch_busy: the same while live requests take their share first.
    """

    write: int
    graph_requests: int
    fetch: int
    fetch_busy: int


@dataclass(slots=True)
class Plan:
    """Counts what would be written where, and what would be left alone."""

    _rows: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    _tenants: Counter[str] = field(default_factory=Counter[str])

    def add(self, source: str, reason: str, goes_to: str, key: bytes) -> None:
        """One more; `goes_to` is a topic, or in other words what becomes of it."""
        self._rows[source, reason, goes_to] += 1
        if goes_to in _FETCHED_FROM:
            self._tenants[tenant_of(key)] += 1

    def rows(self) -> list[tuple[Any, ...]]:
        """The table, its columns as in `COLUMNS`; the largest first."""
        return [(*what, count) for what, count in sorted(self._rows.items(), key=lambda row: (-row[1], row[0]))]

    def estimate(self, count: int, rate: int) -> Estimate:
        """How long `count` writes take at `rate` a second, and what follows from them."""
        most = max(self._tenants.values(), default=0)
        return Estimate(
            write=ceil(count / rate),
            graph_requests=self._tenants.total(),
            fetch=ceil(most / _PER_SECOND),
            fetch_busy=ceil(most / (_PER_SECOND * _LEAST_SHARE)),
        )
