"""The installation beside, tortured: its enricher is killed, its topics are flooded, its groups' offsets set back."""

import asyncio
import time

from ringback_local.polling import until
from ringback_local.servers import StartFailed

from ringback_faults.actions.deliveries import flood
from ringback_faults.actions.offsets import reset_offsets
from ringback_faults.actions.processes import kill
from ringback_faults.actions.registry import action
from ringback_faults.actions.service_report import metric_sum, metrics_of
from ringback_faults.collect.baseline import subscribed
from ringback_faults.ledgers import Act
from ringback_faults.oracle.beside import CALM, TORTURE
from ringback_faults.scene import Scene, open_beside_scene

__all__ = ["done_besides", "torture"]

_SETTLED_SECONDS = 2.0
"""Between the calm and the torture: what came last in the calm is stored by then, and is no part of what comes next."""
_AMONG = 40
"""Calls that the flood is about: an enricher has some to read at any moment, and never many of one."""
_FILLED_SECONDS = 8.0
"""Of the flood, before the store's offsets are set back: there is something to be stored again by then."""
_ASSIGNED, _ASSIGNED_SECONDS = "ringback_stream_assigned_partitions", 60.0


@action("torture")
async def torture(scene: Scene, calm: float, seconds: float, rate: int = 30, kills: int = 2) -> None:
    """Leave both installations alone for a while, then torture the one beside; the row's own is left alone throughout.

    The row's own calls have to go on ending all the time. The calm is what they are compared with, so it has to begin
    when the processes are warm.

    Args:
        scene: where.
        calm: seconds in which nothing is done.
        seconds: for which notifications flood the other one.
        rate: of the flood, a second.
        kills: deaths of its enricher, each once it has its partitions again, some 20 s after the one before; both
            groups' offsets are set back meanwhile.
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
            group.create_task(_store_set_back(other))
            deaths = group.create_task(_killed_again_and_again(other, kills))
        detail = {"kills": float(kills), "kills_holding_work": float(deaths.result()), **done_besides(other.acts)}
        scene.note(Act(at, time.time(), TORTURE, "beside", detail))


async def _flooded(other: Scene, rate: int, seconds: float) -> None:
    await flood(other, rate=rate, seconds=seconds, among=_AMONG)


async def _killed_again_and_again(other: Scene, kills: int) -> int:
    """How many deaths struck work; once it has got over the first one, the enricher is set back to the beginning."""
    struck = 0
    for number in range(kills):
        struck += await _killed(other)
        if number == 0:
            await _set_back(other, "enricher")
    return struck


async def _killed(other: Scene) -> bool:
    """Kill the enricher, and wait until the next one is ready; whether it had partitions, and work of theirs."""
    assigned = await _has_partitions(other)
    await kill(other, "enricher")
    death = next(act for act in reversed(other.acts) if act.what == "kill")
    return assigned and float(death.detail["held"]) > 0


async def _has_partitions(other: Scene) -> bool:
    """Wait for it: after a death the group keeps them for the dead member until its session ends."""

    async def assigned() -> bool:
        return metric_sum(await metrics_of(other, "enricher"), _ASSIGNED) > 0

    return await until(assigned, _ASSIGNED_SECONDS)


async def _store_set_back(other: Scene) -> None:
    await asyncio.sleep(_FILLED_SECONDS)
    await _set_back(other, "store")


async def _set_back(other: Scene, process: str) -> None:
    """Set back, unless the group always has a member: then a foreign one is in it, and the evidence is missing."""
    try:
        await reset_offsets(other, process)
    except StartFailed:
        other.note(Act(time.time(), time.time(), "not set back", process))


def done_besides(acts: list[Act]) -> dict[str, float | str]:
    """What was done to the other one besides its deaths, for the row's own evidence.

    `resets` are those that were set while it was flooded, `last_reset` is when the last one was, Unix seconds: a text,
    for evidence adds up the numbers of a detail.
    """
    (flooded,) = (act for act in acts if act.what == "flood")
    resets = [act for act in acts if act.what == "reset offsets"]
    written = [float(act.detail["written"]) for act in resets]
    meanwhile = [at for at in written if flooded.at <= at <= flooded.end]
    return {
        "resets": float(len(meanwhile)),
        "records_again": sum(float(act.detail["records"]) for act in resets),
        "sent": float(flooded.detail["sent"]),
        "last_reset": f"{max(written, default=0.0):.6f}",
    }
