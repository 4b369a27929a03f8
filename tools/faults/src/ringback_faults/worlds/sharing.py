"""Tenants that share a partition. Pure."""

from itertools import count

from ringback_events.topics import FETCH
from ringback_local.run_folder import tenants_of

from ringback_faults.contract import call_key, partition_of

__all__ = ["shared_seed"]


def shared_seed(begin: int, tenants: int) -> int:
    """The first seed from `begin` on with which all tenants' fetch requests lie in one partition.

    A seed decides the tenants' ids, and the ids decide the partition, the same number on every lane. With three tenants
    one seed of 144 fits.
    """
    return next(seed for seed in count(begin) if len(_partitions(seed, tenants)) == 1)


def _partitions(seed: int, tenants: int) -> set[int]:
    keys = (call_key(tenant.tenant_id, "any") for tenant in tenants_of(seed, tenants))
    return {partition_of(FETCH.name, key) for key in keys}
