"""The installation beside, tortured: its enrichers are killed, its topics flooded, its groups' offsets set back."""

import asyncio
import time

from ringback_local.servers import StartFailed

from ringback_faults.actions.busy import READY_SECONDS
from ringback_faults.actions.deliveries import flood
from ringback_faults.actions.offsets import reset_offsets
from ringback_faults.actions.processes import kill
from ringback_faults.actions.registry import action
from ringback_faults.collect.baseline import subscribed
from ringback_faults.ledgers import Act
from ringback_faults.oracle.beside import CALM, TORTURE
from ringback_faults.scene import Scene, open_beside_scene

__all__ = ["torture"]

_SETTLED_SECONDS = 2.0
"""Between the calm and the torture: what came last in the calm is stored by then, and is no part of what comes next."""
_AMONG = 40
"""Calls that the flood is about: an enricher has some to read at any moment, and never many of one."""


@action("torture")
async def torture(
    scene: Scene, calm: float, seconds: float, rate: int = 30, kills: int = 3, every: float = 3.0
) -> None:
    """Leave both installations alone for a while, then torture the one beside; the row's own is left alone throughout.

    Args:
        scene: where.
        calm: seconds in which nothing is done: what the row's own installation is compared with later.
        seconds: for which notifications flood the other one.
        rate: of the flood, a second.
        kills: deaths of its enricher, each while it holds work, most of them before it is ready again.
        every: seconds between two.
    """
    async with open_beside_scene(scene) as other:
        await subscribed(other.stack)
        at = time.time()
        await asyncio.sleep(calm)
        scene.note(Act(at, time.time(), CALM, "beside"))
        await asyncio.sleep(_SETTLED_SECONDS)
        at = time.time()
        async with asyncio.TaskGroup() as group:
            group.create_task(_flooded(other, rate, seconds))
            group.create_task(_killed(other, kills, every))
            group.create_task(_set_back(other, "store"))
        scene.note(Act(at, time.time(), TORTURE, "beside", _figures(other.acts)))


async def _flooded(other: Scene, rate: int, seconds: float) -> None:
    await flood(other, rate=rate, seconds=seconds, among=_AMONG)


async def _killed(other: Scene, kills: int, every: float) -> None:
    """Over and over, and once it has got over the last one, back to the beginning."""
    await kill(other, "enricher", times=kills, every=every, ready=False)
    await other.stack.ready("enricher", READY_SECONDS)
    await _set_back(other, "enricher")


async def _set_back(other: Scene, process: str) -> None:
    """Not where the group is never without a member: then somebody else's are in it, and the evidence is missing."""
    try:
        await reset_offsets(other, process)
    except StartFailed:
        other.note(Act(time.time(), time.time(), "not set back", process))


def _figures(acts: list[Act]) -> dict[str, float | str]:
    """What was done to it, for the row's own evidence."""
    kills = [act for act in acts if act.what == "kill"]
    resets = [act for act in acts if act.what == "reset offsets"]
    return {
        "kills": len(kills),
        "kills_holding_work": sum(bool(act.detail["held"]) for act in kills),
        "resets": len(resets),
        "records_again": sum(float(act.detail["records"]) for act in resets),
        "sent": sum(float(act.detail["sent"]) for act in acts if act.what == "flood"),
    }
