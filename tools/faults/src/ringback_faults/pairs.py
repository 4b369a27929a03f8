"""Services that run twice: `enricher-2` is the second process of `enricher`. Pure."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ringback_local.specs import ProcessSpec

__all__ = ["PORTS", "TWICE", "doubled", "members_among", "second_of", "service_of", "shared_tenants"]

TWICE = ("webhook", "enricher", "store")
PORTS = len(TWICE) + 1
"""How many ports the second ones need: an admin port each, and the second webhook's own."""
_SECOND = "-2"


def second_of(service: str) -> str:
    """The name of the second process of a service."""
    return service + _SECOND


def service_of(process: str) -> str:
    """The service that a process is one of."""
    return process.removesuffix(_SECOND)


def members_among(processes: Iterable[str], service: str) -> list[str]:
    """Those of these processes that are of a service, in their order."""
    return [process for process in processes if service_of(process) == service]


def doubled(specs: Sequence[ProcessSpec], ports: Sequence[int]) -> list[ProcessSpec]:
    """The processes with the second ones beside the first; who needs a service to be ready needs both of it."""
    webhook, *admin = ports
    given = dict(zip(TWICE, admin, strict=True))
    made: list[ProcessSpec] = []
    for spec in specs:
        made.append(dataclasses.replace(spec, after=tuple(_with_seconds(spec.after))))
        if spec.name in given:
            made.append(_second(made[-1], given[spec.name], webhook))
    return made


def _with_seconds(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        yield name
        if name in TWICE:
            yield second_of(name)


def _second(spec: ProcessSpec, port: int, webhook: int) -> ProcessSpec:
    """The same with ports of its own; the settings of one service are read by no other."""
    ports = {"RINGBACK_ADMIN__PORT": str(port)}
    ports |= {"RINGBACK_WEBHOOK__PORT": str(webhook)} if spec.name == "webhook" else {}
    ready_url = spec.ready_url.replace(f":{spec.admin_port}/", f":{port}/")
    return dataclasses.replace(
        spec, name=second_of(spec.name), env={**spec.env, **ports}, ready_url=ready_url, admin_port=port
    )


def shared_tenants(tenants: Iterable[Mapping[str, Any]], first: int, second: int) -> list[dict[str, Any]]:
    """The entries of a tenants file with every second tenant's URLs at the port of the second webhook."""
    return [
        {name: _moved(value, first, second) for name, value in tenant.items()} if number % 2 else dict(tenant)
        for number, tenant in enumerate(tenants)
    ]


def _moved(value: Any, first: int, second: int) -> Any:
    return value.replace(f":{first}/", f":{second}/") if isinstance(value, str) else value
