"""The tenants of a measurement: eight, so that their partitions and budgets are several; their files for a service."""

import base64
import uuid
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import orjson
import yaml
from ringback_events.keys import tenant_key
from ringback_events.partition import partition_for
from ringback_events.topics import FETCH
from ringback_local.run_folder import write_private

__all__ = ["BUDGET", "TENANTS", "neighbours", "write_pseudonym_keys", "write_tenants"]


def _tenants() -> Iterator[str]:
    """Tenants without end, the same ones in every run."""
    return (str(uuid.uuid5(uuid.NAMESPACE_URL, f"bench/{number}")) for number in count())


TENANTS = list(islice(_tenants(), 8))

BUDGET = 10_000
"""Requests in 20 s, the most a tenants file may grant: not what is measured."""


def neighbours(number: int) -> list[str]:
    """So many tenants whose fetch requests lie in one partition: what waits for one may be in another's way."""
    shared = _partition(TENANTS[0])
    return list(islice((tenant for tenant in _tenants() if _partition(tenant) == shared), number))


def _partition(tenant: str) -> int:
    return partition_for(FETCH.name, tenant_key(tenant), FETCH.partitions)


def write_tenants(folder: Path, graph_url: str, tenants: Sequence[str] = TENANTS, budget: int = BUDGET) -> Path:
    """A tenants file whose Graph and authority are at one address."""
    secret = write_private(folder / "client-secret", b"a-secret-of-the-bench")
    entries = [
        {
            "tenant_id": tenant,
            "client_id": str(uuid.uuid5(uuid.NAMESPACE_URL, tenant)),
            "graph_url": graph_url,
            "authority_url": graph_url,
            "credential": {"secret_file": str(secret)},
            "notification_url": "http://127.0.0.1:9/graph/notifications",
            "budget": budget,
        }
        for tenant in tenants
    ]
    return write_private(folder / "tenants.yaml", yaml.safe_dump({"tenants": entries}).encode())


def write_pseudonym_keys(folder: Path) -> Path:
    """A pseudonym keys file."""
    key = base64.b64encode(bytes(48)).decode()
    return write_private(folder / "pseudonym-keys.json", orjson.dumps({"active": "b1", "keys": {"b1": {"key": key}}}))
