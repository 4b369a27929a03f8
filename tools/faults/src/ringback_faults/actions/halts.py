"""A halt and its end: what an operator sees after a bad release, and does."""

import asyncio
import time

from ringback_common.errors import ConfigError
from ringback_local.child import clean_environment
from ringback_local.polling import until
from ringback_local.servers import StartFailed

from ringback_faults.actions.operating import said
from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["resume", "until_halted"]

_NAMES = {"enricher": "fetch", "store": "store"}
_READY_SECONDS = 60.0


@action("until halted")
async def until_halted(scene: Scene, process: str = "enricher", seconds: float = 20.0) -> None:
    """Wait until a process has left its group by itself; it stays up, and its readiness probe reports the halt."""
    if not await until(lambda: "halted" in _state(scene, process), seconds):  # the probe is asked elsewhere
        raise StartFailed(f"{process} was expected to halt; it is {_state(scene, process)!r}")
    scene.note(Act(time.time(), time.time(), "halted", process))


@action("resume")
async def resume(scene: Scene, process: str = "enricher", operators: int = 1) -> None:
    """`ringback resume <process> --yes`, by so many operators at once, and wait until it is ready.

    Who comes second may be answered that it is not halted; `resumed` is how many were not. Raises ConfigError for any
    other answer, and if none resumed it.
    """
    at = time.time()
    resumed = sum(await asyncio.gather(*(_resume(scene, process) for _ in range(operators))))
    if not resumed:
        raise ConfigError(f"none of {operators} commands resumed {process}")
    await scene.stack.ready(process, timeout=_READY_SECONDS)
    scene.note(Act(at, time.time(), "resume", process, {"operators": float(operators), "resumed": float(resumed)}))


async def _resume(scene: Scene, process: str) -> bool:
    command = ("ringback", "resume", _NAMES[process], "--yes", "--why", "the release was rolled back")
    settings = {"RINGBACK_PROFILE": "dev", "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": scene.stack.bootstrap_servers}
    try:
        await said(command, clean_environment(settings))
    except ValueError as failed:
        if "is not halted" not in str(failed):
            raise
        return False
    return True


def _state(scene: Scene, process: str) -> str:
    return next((one.reason for one in scene.stack.health() if one.name == process), "")
