"""POSTs of the harness's own to a webhook, past Graph and past every link: what others than Graph may send.

Graph's sender does not know of them, so a record that one of them makes is one that no POST explains (I3).
"""

import hmac
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson

from ringback_faults.scene import Scene

__all__ = ["UNREADABLE", "client_state", "forged", "not_refused"]

UNREADABLE = b'{"value":[{"subscriptionId":"'
"""Cut within its first item, as a gateway may do it: nothing in it says whose it is."""
_PORT = "RINGBACK_WEBHOOK__PORT"
_HEADERS = {"Content-Type": "application/json"}
_PATIENCE = aiohttp.ClientTimeout(total=10.0)
_UNAVAILABLE = 503


async def not_refused(scene: Scene, process: str, posts: Iterable[tuple[str, bytes]]) -> tuple[float, float]:
    """Send bodies to a webhook, each as if for the subscription that has this URL.

    Returns:
        How many were answered, and how many of these with anything but 503, after which Graph would not repeat them.
    """
    port = scene.stack.processes[process].spec.env[_PORT]
    async with aiohttp.ClientSession(headers=_HEADERS, timeout=_PATIENCE) as session:
        statuses = [await _answered(session, _at(port, url), body) for url, body in posts]
    return float(len(statuses)), float(sum(status != _UNAVAILABLE for status in statuses))


async def _answered(session: aiohttp.ClientSession, url: str, body: bytes) -> int:
    async with session.post(url, data=body) as answer:
        return answer.status


def _at(port: str, url: str) -> str:
    return urlsplit(url)._replace(scheme="http", netloc=f"127.0.0.1:{port}").geturl()


def forged(subscription: Mapping[str, Any], key: Mapping[str, str]) -> bytes:
    """A notification as anyone with the key may write it, of a call that there is not."""
    url: str = subscription["notificationUrl"]
    tenant, call = subscription["tenantId"], str(uuid.uuid4())
    (slot,) = parse_qs(urlsplit(url).query)["slot"]
    resource = f"communications/callRecords/{call}"
    item = {
        "subscriptionId": subscription["id"],
        "clientState": client_state(key, tenant, slot),
        "tenantId": tenant,
        "changeType": "updated",
        "resource": resource,
        "resourceData": {"@odata.type": "#microsoft.graph.callrecord", "@odata.id": resource, "id": call},
    }
    return orjson.dumps({"value": [item]})


def client_state(key: Mapping[str, str], tenant: str, slot: str) -> str:
    """What a subscription's notifications carry, by a key as it stands in a keys file."""
    secret = urlsafe_b64decode(key["secret"] + "=" * (-len(key["secret"]) % 4))
    digest = hmac.digest(secret, f"{tenant.lower()}|{slot}".encode(), "sha256")
    return f"{key['kid']}.{urlsafe_b64encode(digest).rstrip(b'=').decode()}"
