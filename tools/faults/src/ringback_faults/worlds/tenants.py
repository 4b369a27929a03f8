"""The file of tenants that the services are given, written anew before they start."""

from collections.abc import Callable
from typing import Any

import yaml
from ringback_local.run_folder import write_private
from ringback_local.stack import Stack

from ringback_faults.pairs import shared_tenants

__all__ = ["give_budget", "share_tenants"]


def give_budget(stack: Stack, budget: int) -> None:
    """Every tenant has this budget instead of Graph's."""
    _rewrite(stack, lambda tenants: [{**tenant, "budget": budget} for tenant in tenants])


def share_tenants(stack: Stack, second: int) -> None:
    """Graph is to tell the second webhook, at this port, of every second tenant."""
    _rewrite(stack, lambda tenants: shared_tenants(tenants, stack.addresses.webhook_port, second))


def _rewrite(stack: Stack, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    reported = yaml.safe_load(stack.secrets.tenants.read_bytes())
    reported["tenants"] = change(reported["tenants"])
    write_private(stack.secrets.tenants, yaml.safe_dump(reported, sort_keys=False).encode())
