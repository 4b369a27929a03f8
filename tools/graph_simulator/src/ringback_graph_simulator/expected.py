"""What the store should hold: the reckoning by which tests and the demo judge."""

from typing import Any

from ringback_graph_simulator.calls import Call
from ringback_graph_simulator.clock import instant
from ringback_graph_simulator.documents import Digest, child_hashes
from ringback_graph_simulator.world import World

__all__ = ["expected_entry"]


def expected_entry(world: World, call: Call, *, children: bool) -> dict[str, Any]:
    """One call; with `children` also the hash of each session and participant of the newest version."""
    newest = world.digest(call)
    versions = {str(version): _view(digest) for version, digest in (call.served | {call.version: newest}).items()}
    if children:
        document = world.newest(call)
        versions[str(call.version)]["sessionHashes"] = child_hashes(document.sessions)
        versions[str(call.version)]["participantHashes"] = child_hashes(document.participants)
    return {
        "tenantId": call.plan.tenant_id,
        "callId": call.plan.call_id,
        "shape": call.plan.shape,
        "type": world.header(call).get("type"),
        "version": call.version,
        "visible": world.visible(call),
        "startDateTime": instant(call.plan.start),
        "sessions": newest.sessions,
        "participants": newest.participants,
        "served": sorted(call.served),
        "notified": call.notified,
        "accepted": {str(version): count for version, count in sorted(call.accepted.items())},
        "pending": call.pending,
        "plantedDrops": call.planted_drops,
        "tags": sorted(call.tags),
        "versions": versions,
    }


def _view(digest: Digest) -> dict[str, Any]:
    return {
        "sessions": digest.sessions,
        "participants": digest.participants,
        "sessionsHash": digest.sessions_hash,
        "participantsHash": digest.participants_hash,
    }
