"""The folder of one run: generated secrets, the tenants of the simulator, and the logs. Only its owner may read it."""

import base64
import os
import secrets
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psutil
import yaml

from ringback_local.folders import local_folder
from ringback_local.specs import Addresses, Secrets

__all__ = ["SimulatedTenant", "make_run_folder", "tenants_of", "write_private", "write_secrets"]

_KEPT_RUNS = 10
_TENANT_NAMESPACE = uuid.UUID("6f1c2f3e-52a6-4c0e-9a55-1d0b0f7f3c11")


@dataclass(frozen=True)
class SimulatedTenant:
    """A tenant that exists in the simulator only; its ids follow from the seed, its secret does not."""

    tenant_id: str
    client_id: str
    client_secret: str


def tenants_of(seed: int, count: int) -> list[SimulatedTenant]:
    """The tenants of a run."""
    return [
        SimulatedTenant(
            tenant_id=str(uuid.uuid5(_TENANT_NAMESPACE, f"{seed}/{number}")),
            client_id=str(uuid.uuid5(_TENANT_NAMESPACE, f"{seed}/{number}/app")),
            client_secret=secrets.token_urlsafe(32),
        )
        for number in range(1, count + 1)
    ]


def make_run_folder(now: datetime | None = None) -> Path:
    """A new `.local/run-<time>-<pid>`, for the owner only; the oldest beyond ten are removed, unless they still run."""
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S")
    folder = local_folder() / f"run-{stamp}-{os.getpid()}"
    folder.mkdir(mode=0o700)
    for old in sorted(local_folder().glob("run-*"))[:-_KEPT_RUNS]:
        if not _runs(old):
            shutil.rmtree(old, ignore_errors=True)
    return folder


def _runs(folder: Path) -> bool:
    owner = folder.name.rpartition("-")[2]
    return owner.isdigit() and psutil.pid_exists(int(owner))


def write_secrets(folder: Path, tenants: Sequence[SimulatedTenant], addresses: Addresses, dsn: str) -> Secrets:
    """Write every file that the processes of a run are given, each mode 0600."""
    simulator_folder = folder / "simulator"
    simulator_folder.mkdir(mode=0o700)
    known = [{"tenantId": t.tenant_id, "clientId": t.client_id, "clientSecret": t.client_secret} for t in tenants]
    return Secrets(
        tenants=write_private(folder / "tenants.yaml", _tenants_file(folder, tenants, addresses)),
        simulator_tenants=write_private(folder / "simulator-tenants.json", orjson.dumps({"tenants": known})),
        simulator_folder=simulator_folder,
        client_state_keys=write_private(folder / "client-state-keys.json", _client_state_keys()),
        pseudonym_keys=write_private(folder / "pseudonym-keys.json", _pseudonym_keys()),
        dsn=write_private(folder / "store-dsn", dsn.encode()),
    )


def write_private(path: Path, content: bytes) -> Path:
    """Write a file that only its owner can read from its first moment on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    return path


def _tenants_file(folder: Path, tenants: Sequence[SimulatedTenant], addresses: Addresses) -> bytes:
    entries: list[dict[str, object]] = []
    for tenant in tenants:
        secret = write_private(folder / f"client-secret-{tenant.tenant_id}", tenant.client_secret.encode())
        entries.append(
            {
                "tenant_id": tenant.tenant_id,
                "client_id": tenant.client_id,
                "graph_url": addresses.graph_url,
                "authority_url": addresses.graph_url,
                "credential": {"secret_file": str(secret)},
                "notification_url": f"{addresses.webhook_url}/notifications",
                "lifecycle_url": f"{addresses.webhook_url}/lifecycle",
            }
        )
    return yaml.safe_dump({"version": 1, "tenants": entries}, sort_keys=False).encode()


def _client_state_keys() -> bytes:
    return orjson.dumps({"active": "local", "keys": [{"kid": "local", "secret": secrets.token_urlsafe(48)}]})


def _pseudonym_keys() -> bytes:
    key = base64.b64encode(secrets.token_bytes(48)).decode()
    return orjson.dumps({"active": "local", "keys": {"local": {"key": key}}})
