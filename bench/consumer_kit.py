"""`python -m bench.consumer_kit`: how fast the consumer kit's assembler is, and how flat, the more calls it has seen.

It needs no Kafka: events of one partition are made beforehand, three sessions and a marker for each call, and every
event is followed by the question which offset may be committed, as a reader's loop would ask. At each number of calls
seen, rounds alternate with those of the least that any reader must do, a table of the newest version of each call, all
of them kept. Time is the CPU's, for there is nothing to wait for: what else runs changes it little.
"""

import argparse
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from statistics import median
from time import process_time
from typing import Any

from ringback_events.consume import SessionAssembler
from ringback_events.open import OpenSession, SessionsCompleted

__all__ = ["Figures", "events_of_calls", "measure"]

Event = OpenSession | SessionsCompleted
_SESSIONS = 3
_LEVELS = [1_000, 100_000, 1_000_000]
_REMEMBER = 100_000
"""The kit's own default."""
_TENANT = "dc368399-474c-4d40-900c-6265431fd81f"


class Figures:
    """Rates of one contestant by calls seen: events a second, a number for each round."""

    def __init__(self) -> None:
        self.rates: dict[int, list[float]] = {}

    def add(self, seen: int, rate: float) -> None:
        """Note the rate of one round."""
        self.rates.setdefault(seen, []).append(rate)

    def median(self, seen: int) -> float:
        """The middle one of the rounds at so many calls seen."""
        return median(self.rates[seen])


def events_of_calls(first: int, calls: int) -> Iterator[Event]:
    """The events of so many calls, one call behind the other; only the fields that the kit reads are filled in."""
    for number in range(first, first + calls):
        call: dict[str, Any] = {
            "tenant_id": _TENANT,
            "call_id": f"e523d2ed-2966-4b6b-925b-{number:012d}",
            "version": 1,
            "revision": 1,
        }
        for ordinal in range(_SESSIONS):
            yield OpenSession.model_construct(**call, ordinal=ordinal)
        yield SessionsCompleted.model_construct(**call, session_count=_SESSIONS)


class _Assembling:
    """The kit's assembler, asked after each event what may be committed."""

    def __init__(self, remember: int = _REMEMBER) -> None:
        self._assembler, self._offset = SessionAssembler(remember), 0

    def fill(self, events: Iterable[Event]) -> None:
        """Take events without the question."""
        for event in events:
            self._assembler.add(event, self._offset)
            self._offset += 1

    def take(self, events: Iterable[Event], until: float) -> int:
        """Take events in until they end or the time has come; returns how many."""
        begun = self._offset
        for event in events:
            self._assembler.add(event, self._offset)
            self._offset += 1
            self._assembler.resume_from(self._offset)
            if process_time() > until:
                break
        return self._offset - begun


class _Table:
    """The least that any reader must do: the newest version of each call, all of them kept."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], tuple[int, int]] = {}

    def fill(self, events: Iterable[Event]) -> None:
        """Take events."""
        self.take(events, float("inf"))

    def take(self, events: Iterable[Event], until: float) -> int:
        """Take events in until they end or the time has come; returns how many."""
        taken = 0
        for event in events:
            key, rank = (event.tenant_id, event.call_id), (event.version, event.revision)
            if rank > self._newest.get(key, (0, 0)):
                self._newest[key] = rank
            taken += 1
            if process_time() > until:
                break
        return taken


Contestant = _Assembling | _Table


def measure(
    levels: Iterable[int], rounds: int = 5, calls: int = 5_000, seconds: float = 2.0, remember: int = _REMEMBER
) -> dict[str, Figures]:
    """Rates of both contestants at each number of calls seen, by name; rounds of the two alternate.

    Args:
        levels: calls seen before a round, ascending.
        rounds: rounds at each level.
        calls: of one round.
        seconds: the longest time of one round.
        remember: calls that the assembler keeps in mind.
    """
    contestants: dict[str, Contestant] = {"assembler": _Assembling(remember), "table": _Table()}
    figures = {name: Figures() for name in contestants}
    seen = 0
    for level in levels:
        for contestant in contestants.values():
            contestant.fill(events_of_calls(seen, level - seen))
        seen = max(seen, level)
        for _ in range(rounds):
            events = list(events_of_calls(seen, calls))
            seen += calls
            for name, contestant in contestants.items():
                figures[name].add(level, _rate(contestant.take, events, seconds))
    return figures


def _rate(take: Callable[[Iterable[Event], float], int], events: list[Event], seconds: float) -> float:
    begun = process_time()
    return take(events, begun + seconds) / (process_time() - begun)


def _mebibytes(calls: int) -> float:
    """What an assembler holds after so many calls."""
    tracemalloc.start()
    contestant = _Assembling()
    contestant.fill(events_of_calls(0, calls))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.consumer_kit", description=__doc__)
    parser.add_argument(
        "--seen", type=int, nargs="+", default=[1_000, 100_000, 1_000_000], help="calls seen, ascending"
    )
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    figures = measure(chosen.seen, chosen.rounds)
    for seen in chosen.seen:
        kit, table = (figures[name].median(seen) for name in ("assembler", "table"))
        spread = max(figures["assembler"].rates[seen]) / min(figures["assembler"].rates[seen])
        sys.stdout.write(
            f"{seen:>9,} calls seen: {kit:>9,.0f} events/s (rounds differ {spread:.2f}x), {kit / table:.4f} of a bare "
            f"table, {_mebibytes(seen):,.1f} MiB\n"
        )


if __name__ == "__main__":
    main()
