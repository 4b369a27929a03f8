"""One contestant under one load: metered, and looked into by a profiler if asked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bench.contestant import Contestant, Ran
from bench.cost import metered
from bench.figures import RINGBACK, Figures, figures_of
from bench.sampling import Costs, sampled

__all__ = ["Round"]

Load = TypeVar("Load")


@dataclass(slots=True)
class Round:
    """What all measurements of a run have in common.

    Attributes:
        seconds: how long one measurement should take, about.
        folder: for logs and other files of this run.
        say: tells people what is going on.
        stacks: where samples of Ringback's stacks go, one file a load, if they are wanted; taking them slows it down by
            some percent.
    """

    seconds: float
    folder: Path
    say: Callable[[str], None]
    stacks: Path | None = None
    costs: list[Costs] = field(default_factory=list[Costs])

    async def measure(
        self, place: tuple[str, str], contestant: Contestant[Load], load: Load, *, baseline: bool = False
    ) -> Figures:
        """Run one load on a started contestant; `place` is stage and load in words."""
        self.say(f"{place[0]}: {contestant.name}, {place[1]}")
        pids = contestant.pids()
        async with metered(pids) as meter:
            ran = await self._profiled(place, contestant.name, pids[0], lambda: contestant.run(load))
        return figures_of((*place, contestant.name), ran, meter, baseline=baseline)

    async def _profiled(self, place: tuple[str, str], name: str, pid: int, run: Callable[[], Awaitable[Ran]]) -> Ran:
        if self.stacks is None or name != RINGBACK:
            return await run()
        file = self.stacks / f"{'-'.join(place)}.stacks".replace(" ", "-").replace("/", "-")
        async with sampled(place, pid, file) as costs:
            ran = await run()
        self.costs.extend(costs)
        return ran
