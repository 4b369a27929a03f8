"""Further instances of a service: they join its group, leave it, die; the group is rebalanced each time.

A second webhook has no group: a load balancer sends it every other connection.
"""

import asyncio
import dataclasses
import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import aiohttp
from ringback_local.child import Child, clean_environment, installed
from ringback_local.ports import lease_ports
from ringback_local.run_folder import write_private
from ringback_local.servers import StartFailed

from ringback_faults.actions.busy import READY_SECONDS
from ringback_faults.actions.connections import links_of
from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["KEYS_FILE", "join", "join_webhook", "leave", "storm"]

KEYS_FILE = "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE"

Group = Literal["enricher", "store", "keeper"]


@action("join")
async def join(scene: Scene, process: Group, member: str = "second") -> None:
    """Another instance of a service is started and becomes ready; it ends with the row at the latest."""
    at = time.time()
    child = await _joined(scene, process, member, {})
    scene.note(Act(at, time.time(), "join", process, {"pid": child.pid}))


@action("join webhook")
async def join_webhook(scene: Scene, member: str = "second") -> None:
    """Another webhook with a copy of the keys file; from then on Graph's new connections lead to both in turn."""
    at, link = time.time(), links_of(scene)["graph-webhook"]
    (port,) = scene.ending.enter_context(lease_ports(1))
    settings = {"RINGBACK_WEBHOOK__PORT": str(port), KEYS_FILE: str(_own_keys(scene, member))}
    child = await _joined(scene, "webhook", member, settings)
    link.lead_to(link.route.target, ("127.0.0.1", port))
    scene.ending.callback(link.lead_to)
    scene.note(Act(at, time.time(), "join", "webhook", {"pid": child.pid}))


@action("leave")
async def leave(scene: Scene, process: Group, member: str = "second", *, suddenly: bool = False) -> None:
    """An instance that joined ends, by SIGTERM or by SIGKILL."""
    at = time.time()
    child = scene.members.pop(f"{process} {member}")
    if suddenly:
        child.kill()
        scene.note(Act(at, time.time(), "kill", process, {"pid": child.pid, "member": 1.0}))
        return
    code = await asyncio.to_thread(child.stop, READY_SECONDS)
    ended = {"exit_code": -1 if code is None else code, "seconds": time.time() - at}
    scene.note(Act(at, time.time(), "terminate", process, {"pid": child.pid, "member": 1.0, **ended}))


@action("storm")
async def storm(scene: Scene, process: Group, changes: int = 8, every: float = 2.5, kills: int = 1) -> None:
    """Instances join, leave and die by turns, so many changes in all; the last `kills` of the ends are sudden.

    Only the last: the partitions of a dead member wait 15 s, in which no other member works on them.
    """
    at, numbers, inside = time.time(), itertools.count(1), list[str]()
    calm = changes - 2 * kills
    for change in range(changes):
        began = time.time()
        if inside and (len(inside) > 1 or scene.random.random() < 0.5):  # noqa: PLR2004 - a toss
            gone = inside.pop(scene.random.randrange(len(inside)))
            suddenly = kills > 0 and change >= calm
            await leave(scene, process, gone, suddenly=suddenly)
            kills -= suddenly
        else:
            inside.append(f"storm-{next(numbers)}")
            await join(scene, process, inside[-1])
        await asyncio.sleep(max(0.0, began + every - time.time()))
    for _ in range(kills - len(inside)):
        inside.append(f"storm-{next(numbers)}")
        await join(scene, process, inside[-1])
    for number, name in enumerate(inside):
        await leave(scene, process, name, suddenly=number < kills)
    scene.note(Act(at, time.time(), "storm", process, {"changes": changes}))


def _own_keys(scene: Scene, member: str) -> Path:
    held = Path(scene.stack.processes["webhook"].spec.env[KEYS_FILE]).read_bytes()
    return write_private(scene.stack.run_folder / f"client-state-keys-webhook-{member}.json", held)


async def _joined(scene: Scene, process: str, member: str, settings: Mapping[str, str]) -> Child:
    child, ready_url = _instance(scene, process, member, settings)
    await asyncio.sleep(0)
    child.spawn()
    scene.ending.callback(child.stop)
    scene.members[f"{process} {member}"] = child
    await _until_ready(child, ready_url)
    return child


def _instance(scene: Scene, process: str, member: str, settings: Mapping[str, str]) -> tuple[Child, str]:
    (port,) = scene.ending.enter_context(lease_ports(1))
    spec = scene.stack.processes[process].spec
    ready_url = spec.ready_url.replace(f":{spec.admin_port}/", f":{port}/")
    spec = dataclasses.replace(spec, env={**spec.env, **settings, "RINGBACK_ADMIN__PORT": str(port)})
    log = scene.stack.run_folder / f"{process}-{member}.log"
    return Child(f"{process} {member}", installed(spec.command), clean_environment(spec.env), log), ready_url


async def _until_ready(child: Child, url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while time.monotonic() < deadline and child.running:
            try:
                async with session.get(url) as answer:
                    if answer.ok:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass  # it does not listen yet
            await asyncio.sleep(0.1)
    raise StartFailed(f"{child.name} did not become ready:\n{child.last_lines()}")
