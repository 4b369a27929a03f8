"""What operators do with clientState keys: a rotation as documented, and a key that is gone at once.

Each process that reads keys has a file of its own where the world gives it one, so that they read at different times.
"""

import asyncio
import base64
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from ringback_local.run_folder import write_private
from ringback_local.servers import StartFailed

from ringback_faults.actions.members import KEYS_FILE
from ringback_faults.actions.own_posts import UNREADABLE, forged, not_refused
from ringback_faults.actions.registry import action
from ringback_faults.collect.simulator_ledger import kid_of
from ringback_faults.ledgers import Act
from ringback_faults.oracle.oddities import READ_LATE
from ringback_faults.scene import Scene

__all__ = ["changed_file", "rotate_key", "withdraw_key"]

_READ_AGAIN = b"The clientState keys were read again."
_READ_SECONDS, _SIGNED_SECONDS = 20.0, 30.0
"""Files are looked at every 10 s; a keeper that may sign visits its tenants every 120 s of Graph's time."""
_AHEAD, _RETRIED = timedelta(minutes=5), timedelta(hours=5)
"""By docs/operating.md: from the change of the file to `active_from`, and from there to the old key's end."""
_TOO_EARLY_SECONDS = 3.0
"""After all have read the file: a keeper that signs with the new key at once has done so by then."""
_CLOCK_SECONDS = 315.0


@action("rotate key")
async def rotate_key(scene: Scene, before: list[str], after: list[str], late: float = 5.0) -> None:
    """One change of the keys file, as docs/operating.md says; each process has it at another time.

    The keeper and the webhooks `before` read it; then the five minutes pass in which no new key signs, by the keeper's
    wall clock; once Graph has a subscription with the new key of every tenant, and `late` seconds more, the webhooks
    `after` read it. The act `rotate key` ends when the key may sign, the act `read late` when all have read it.

    Before they read it, each of these gets a body for each new subscription of which nothing can be read: `odd` is how
    many it answered, `odd_taken` how many of them with anything but 503, though their key may still come.
    """
    at, kid, clocks = time.time(), _new_kid(scene), scene.needed(scene.world.clocks, "clocks to shift")
    file = changed_file(_held_by(scene, "keeper"), kid, datetime.now(UTC))
    await _all_read(scene, [*before, "keeper"], file, kid)
    await asyncio.sleep(_TOO_EARLY_SECONDS)
    may_sign = time.time()
    try:
        clocks.shift("keeper", _CLOCK_SECONDS)
        await _signed(scene, kid)
        await asyncio.sleep(late)
        odd, taken = await _unreadable(scene, after, kid)
        await _all_read(scene, after, file, kid)
    finally:
        clocks.shift("keeper", 0)
    scene.note(Act(at, may_sign, "rotate key", "keeper", {"kid": kid, "readers": len(before) + 1.0}))
    read_late = {"readers": float(len(after)), "odd": odd, "odd_taken": taken}
    scene.note(Act(may_sign, time.time(), READ_LATE, "webhook", read_late))


async def _unreadable(scene: Scene, webhooks: Iterable[str], kid: str) -> tuple[float, float]:
    """How many bodies were answered for subscriptions with this key, and how many of them were not refused."""
    posts = [(one["notificationUrl"], UNREADABLE) for one in _with_key(await _listed(scene), kid)]
    reported = [await not_refused(scene, webhook, posts) for webhook in webhooks]
    return sum(answered for answered, _ in reported), sum(taken for _, taken in reported)


@action("withdraw key")
async def withdraw_key(scene: Scene) -> None:
    """The key of our own subscriptions is gone from the file, unlisted, and another stands there.

    Ends when Graph has a subscription with that key of every tenant. Once the file was read the webhook gets a
    notification of each tenant that is signed with the key that is gone: `forged` is how many it answered,
    `forged_taken` how many of them with anything but 503.
    """
    at, kid, held = time.time(), _new_kid(scene), _held_by(scene, "webhook")
    old = next(key for key in held["keys"] if key["kid"] == held["active"])
    posts = [(one["notificationUrl"], forged(one, old)) for one in _with_key(await _listed(scene), old["kid"])]
    file = orjson.dumps({"active": kid, "keys": [_new_key(kid)]})
    await _all_read(scene, ["webhook", "keeper"], file, kid)
    answered, taken = await not_refused(scene, "webhook", posts)
    await _signed(scene, kid)
    detail: dict[str, float | str] = {"kid": kid, "readers": 2.0, "forged": answered, "forged_taken": taken}
    scene.note(Act(at, time.time(), "withdraw key", "keeper", detail))


def changed_file(held: Mapping[str, Any], kid: str, now: datetime) -> bytes:
    """The keys file of a rotation to a new key: what was active goes on until Graph repeats nothing of it any more."""
    active_from = now + _AHEAD
    old = next(key for key in held["keys"] if key["kid"] == held["active"])
    kept = {**old, "valid_until": (active_from + _RETRIED).isoformat()}
    return orjson.dumps({"active": kid, "active_from": active_from.isoformat(), "keys": [kept, _new_key(kid)]})


def _new_key(kid: str) -> dict[str, str]:
    return {"kid": kid, "secret": base64.urlsafe_b64encode(secrets.token_bytes(48)).decode()}


def _new_kid(scene: Scene) -> str:
    return f"row-{scene.random.getrandbits(32):08x}"


def _held_by(scene: Scene, name: str) -> Any:
    return orjson.loads(_file_of(scene, name).read_bytes())


def _file_of(scene: Scene, name: str) -> Path:
    process, _, member = name.partition(" ")
    if member:
        return scene.stack.run_folder / f"client-state-keys-{process}-{member}.json"
    return Path(scene.stack.processes[process].spec.env[KEYS_FILE])


def _log_of(scene: Scene, name: str) -> Path:
    return (scene.members.get(name) or scene.stack.processes[name]).log_file


async def _all_read(scene: Scene, names: Sequence[str], content: bytes, kid: str) -> None:
    """Give processes a file, each in place of the one it has; returns when each has said that it read it."""
    logs = {_log_of(scene, name): _log_of(scene, name).stat().st_size for name in names}
    for file in {_file_of(scene, name) for name in names}:
        write_private(file.with_suffix(".draft"), content).rename(file)
    deadline = time.monotonic() + _READ_SECONDS
    while not all(_has_read(log, begin, kid) for log, begin in logs.items()):
        if time.monotonic() > deadline:
            raise StartFailed(f"not all of {', '.join(names)} have read the keys file again")
        await asyncio.sleep(0.1)


def _has_read(log: Path, begin: int, kid: str) -> bool:
    with log.open("rb") as opened:
        opened.seek(begin)
        return any(_READ_AGAIN in line and kid.encode() in line for line in opened)


async def _signed(scene: Scene, kid: str) -> None:
    """Wait until every tenant's subscription to all call records names this key."""
    deadline = time.monotonic() + _SIGNED_SECONDS
    while not set(scene.stack.tenants) <= {one["tenantId"] for one in _with_key(await _listed(scene), kid)}:
        if time.monotonic() > deadline:
            raise StartFailed("the keeper has not replaced every tenant's subscription by one with the new key")
        await asyncio.sleep(0.2)


async def _listed(scene: Scene) -> list[dict[str, Any]]:
    return (await scene.ask("GET", "subscriptions"))["subscriptions"]


def _with_key(listed: Iterable[Mapping[str, Any]], kid: str) -> list[Mapping[str, Any]]:
    return [one for one in listed if "?" not in one["resource"] and kid_of(one["notificationUrl"]) == kid]
