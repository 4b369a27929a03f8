"""Two installations on one broker, compared once both have finished."""

import time

from ringback_faults.actions.absence import administered
from ringback_faults.actions.registry import action
from ringback_faults.collect import apart, drained, simulator_ledger
from ringback_faults.contract import GROUPS
from ringback_faults.ledgers import Act
from ringback_faults.scene import Scene, open_beside_scene

__all__ = ["tell_apart"]


@action("tell apart")
async def tell_apart(scene: Scene, within: float = 60.0) -> None:
    """Wait until the installation beside has finished, and look whose records are in whose topics and whose store.

    How many `calls` Graph posted to it, and how many `records` of how many `topics` and `rows` of how many `tables` of
    either were looked at, is the evidence. None may be `lost` of the calls or `foreign` of the others: of a tenant of
    the other one. Nor may it be `unfinished`, or any of the product's groups be one that is `not_its_own`.
    """
    at = time.time()
    async with open_beside_scene(scene) as other:
        finished = await drained(other.world, within)
        reported = await simulator_ledger.expected_calls(other.control)
        stored = await apart.stored_versions(other.stack)
        owed = {key: max(call.accepted) for key, call in reported.items() if call.accepted}
        seen = [await apart.looked_at(*pair) for pair in ((scene.stack, other.stack), (other.stack, scene.stack))]
        detail: dict[str, float | str] = {
            "unfinished": finished is None,
            "not_its_own": await _not_its_own(other),
            "calls": len(owed),
            "lost": sum(stored.get(key, 0) < version for key, version in owed.items()),
            "topics": min(one.topics for one in seen),
            "tables": min(one.tables for one in seen),
            "records": min(one.records for one in seen),
            "rows": min(one.rows for one in seen),
            "foreign": sum(one.foreign for one in seen),
        }
    scene.note(Act(at, time.time(), "tell apart", "beside", detail))


async def _not_its_own(other: Scene) -> int:
    """How many of the product's groups the broker does not know by the installation's prefix."""
    async with administered(other) as admin:
        known = {str(name) for name, *_ in await admin.list_consumer_groups()}
    return sum(other.stack.addresses.topic_prefix + name not in known for name in GROUPS)
