"""What Entra does: short tokens, a secret that is replaced."""

import asyncio
import secrets
import time

import orjson

from ringback_faults.actions.registry import action
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene

__all__ = ["rotate_secret", "token_life"]


@action("token life")
async def token_life(scene: Scene, seconds: int) -> None:
    """From now on a new token of any tenant lives so many seconds."""
    at = time.time()
    await scene.ask("POST", "tenants", {"tenants": [{**one, "expiresInSeconds": seconds} for one in _known(scene)]})
    scene.note(Act(at, time.time(), "token life", "graph", {"seconds": seconds}))


@action("rotate secret")
async def rotate_secret(scene: Scene, tenant: int = 0, late: float = 2.0, life: int = 3600) -> None:
    """The authority takes another secret at once; the file that the services read has it `late` seconds later."""
    at, name = time.time(), scene.stack.tenants[tenant]
    new = secrets.token_urlsafe(32)
    known = [one for one in _known(scene) if one["tenantId"] == name]
    await scene.ask(
        "POST", "tenants", {"tenants": [{**one, "clientSecret": new, "expiresInSeconds": life} for one in known]}
    )
    await asyncio.sleep(late)
    (scene.stack.run_folder / f"client-secret-{name}").write_text(new)
    scene.note(Act(at, time.time(), "rotate secret", name))


def _known(scene: Scene) -> list[dict[str, object]]:
    """The registrations as the simulator was started with, each with the secret its file has now."""
    reported = orjson.loads((scene.stack.run_folder / "simulator-tenants.json").read_bytes())["tenants"]
    return [
        {**one, "clientSecret": (scene.stack.run_folder / f"client-secret-{one['tenantId']}").read_text()}
        for one in reported
    ]
