"""A wrong address in the tenants file: what an operator mistypes, and sets right."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import yaml
from ringback_local.run_folder import write_private

from ringback_faults.actions.registry import action
from ringback_faults.actions.service_report import metrics_of
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["mistype_address", "mistyped"]

_NOBODY = "http://127.0.0.1:9/graph/notifications"
"""The port of the discard service, where nothing listens, so that no validation succeeds."""
_NOTICED_SECONDS = 15.0
"""The file is looked at every 5 s, and a tenant that it says something else of is visited at once."""


@action("mistype address")
async def mistype_address(scene: Scene, seconds: float = 6.0) -> None:
    """`notification_url` of every tenant leads nowhere, for so long once the keeper has tried it; then it is right.

    The evidence, by the keeper's own metric: how many tenants it called `outdated`, and how many `active` at the end.
    """
    file = Path(scene.stack.processes["keeper"].spec.env["RINGBACK_TENANTS_FILE"])
    right, count = _read(file), len(scene.stack.tenants)
    _put(file, mistyped(right))
    try:
        outdated, tried = await _in_state(scene, "outdated", count), time.time()
        await asyncio.sleep(seconds)
        righted = time.time()
    finally:
        _put(file, right)
    active = await _in_state(scene, "active", count)
    scene.note(Act(tried, righted, "mistype address", "keeper", {"outdated": outdated, "active": active}))


def mistyped(file: bytes) -> bytes:
    """A tenants file in which every notification URL leads nowhere; lifecycle events go where they went."""
    reported: dict[str, Any] = yaml.safe_load(file)
    reported["tenants"] = [{**tenant, "notification_url": _NOBODY} for tenant in reported["tenants"]]
    return yaml.safe_dump(reported, sort_keys=False).encode()


def _read(file: Path) -> bytes:
    return file.read_bytes()


def _put(file: Path, content: bytes) -> None:
    write_private(file.with_suffix(".draft"), content).rename(file)


async def _in_state(scene: Scene, state: str, count: int) -> float:
    """How many tenants the keeper says are in a state, as soon as these are so many, or at last."""
    deadline, reported = time.monotonic() + _NOTICED_SECONDS, 0.0
    while reported < count and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        text = await metrics_of(scene, "keeper")
        reported = sum(
            map(float, re.findall(rf'^ringback_keeper_tenants\{{state="{state}"\}} (\S+)$', text, re.MULTILINE))
        )
    return reported
