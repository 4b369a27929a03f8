"""An operator's commands, twice or by two operators at once: the second must change nothing in the store."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from ringback_local.child import clean_environment, installed

from ringback_faults.actions.registry import action
from ringback_faults.collect import drained
from ringback_faults.ledgers import Act
from ringback_faults.load import over
from ringback_faults.scene import Scene

__all__ = ["operate_at_once", "operate_twice", "rederive", "said"]

_QUIET_SECONDS = 120.0


@action("operate twice")
async def operate_twice(
    scene: Scene, command: list[str], again: list[str] | None = None, *, every_tenant: bool = False
) -> None:
    """A command of `ringback` with --yes, and once more; `changed` counts digests of tables that then differ.

    Args:
        scene: where.
        command: e.g. [dlq, release, --reason, refused].
        again: what is added the second time, e.g. [--again].
        every_tenant: once with `--tenant` for each.
    """
    at, carried = time.time(), 0
    tenants = scene.stack.tenants if every_tenant else [""]
    await _settled(scene)
    digests: list[list[Any]] = []
    for more in ([], again or []):
        for tenant in tenants:
            whose = ["--tenant", tenant] if tenant else []
            reported = await _ringback(scene, [*command, *whose, *more, "--why", "fault suite", "--yes"])
            carried += int(reported["carried"]["done"])
        await _settled(scene)
        digests.append(await _ringback(scene, ["store", "digest"]))
    changed = sum(row not in digests[1] for row in digests[0]) + abs(len(digests[1]) - len(digests[0]))
    detail = {"command": " ".join(command), f"carried_{command[0]}": carried}
    scene.note(Act(at, time.time(), "operate", "ringback", {**detail, "changed": changed, "tables": len(digests[0])}))


@action("operate at once")
async def operate_at_once(scene: Scene, command: list[str], *, every_tenant: bool = False) -> None:
    """Two operators, each at a desk of their own, give the same command with --yes at the same moment.

    `carried` is what both together carried out; a command that fails fails the row. Who comes second may find nothing
    left to do, and then says nothing of what it carried out.
    """
    at = time.time()
    tenants = scene.stack.tenants if every_tenant else [""]
    await _settled(scene)
    commands = [[*command, *(["--tenant", tenant] if tenant else []), "--why", "two at once"] for tenant in tenants]
    reported = await asyncio.gather(
        *(_ringback(scene, [*one, "--yes"], desk=desk) for one in commands for desk in ("first", "second"))
    )
    await _settled(scene)
    carried = sum(int(one["carried"]["done"]) for one in reported if one["carried"] is not None)
    scene.note(Act(at, time.time(), "operate at once", "ringback", {"command": command[0], "carried": float(carried)}))


@action("rederive")
async def rederive(scene: Scene, max_rate: int = 60) -> None:
    """After a change of the rules the next revision of everything that is kept, at most so many a second.

    `revised` is how many records were published again.
    """
    at, enricher = time.time(), scene.stack.processes["enricher"].spec.env
    given = {name: value for name, value in enricher.items() if name.startswith("RINGBACK_") and "ADMIN" not in name}
    options = ["--yes", "--why", "fault suite", "--max-rate", str(max_rate), "--json"]
    environment = clean_environment({**given, "RINGBACK_RULES__REVISION_OFFSET": "1"})
    printed = await said(["ringback-enricher", "rederive", *options], environment)
    reported = next(line for line in map(orjson.loads, printed.splitlines()) if "published" in line)  # among its log
    await _settled(scene)
    scene.note(Act(at, time.time(), "rederive", "ringback", {"revised": float(reported["published"])}))


async def _ringback(scene: Scene, arguments: Sequence[str], desk: str = "state") -> Any:
    """The JSON a command prints; raises ValueError with its words if it fails. What it remembers is its desk's."""
    store = scene.stack.processes["store"].spec.env
    given = {name: value for name, value in store.items() if "__" in name and "ADMIN" not in name}
    state = {"XDG_STATE_HOME": str(scene.stack.run_folder / desk), "RINGBACK_PROFILE": "dev"}
    return orjson.loads(await said(["ringback", *arguments, "--json"], clean_environment({**given, **state})))


async def said(command: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """What a command prints; raises ValueError with its words if it fails."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*installed(command), env=environment, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    if process.returncode:
        raise ValueError(f"{' '.join(command)} ended with {process.returncode}: {err.decode()[-500:]}")
    return out


async def _settled(scene: Scene) -> None:
    """Wait until nothing is under way any more; raises TimeoutError."""
    if not await over(scene, _QUIET_SECONDS) or await drained(scene.world, _QUIET_SECONDS) is None:
        raise TimeoutError("something is still under way")
