"""A halt and its end: what an operator sees after a bad release, and does."""

import asyncio
import os
import time

from ringback_common.errors import ConfigError
from ringback_local.child import clean_environment, installed
from ringback_local.servers import StartFailed

from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["resume", "until_halted"]

_NAMES = {"enricher": "fetch", "store": "store"}
_READY_SECONDS = 60.0


@action("until halted")
async def until_halted(scene: Scene, process: str = "enricher", seconds: float = 20.0) -> None:
    """Wait until a process has left its group by itself; it stays up and says so on its readiness probe."""
    deadline = time.monotonic() + seconds
    while "halted" not in _state(scene, process):  # the probe is asked elsewhere
        if time.monotonic() > deadline:
            raise StartFailed(f"{process} was expected to halt; it is {_state(scene, process)!r}")
        await asyncio.sleep(0.1)
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
    command = installed(("ringback", "resume", _NAMES[process], "--yes", "--why", "the release was rolled back"))
    settings = {"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": scene.stack.bootstrap_servers}
    child = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **clean_environment(settings)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await child.communicate()
    if child.returncode and b"is not halted" not in said:
        raise ConfigError(f"ringback resume ended with {child.returncode}: {said.decode(errors='replace')[-300:]}")
    return child.returncode == 0


def _state(scene: Scene, process: str) -> str:
    return next((one.reason for one in scene.stack.health() if one.name == process), "")
