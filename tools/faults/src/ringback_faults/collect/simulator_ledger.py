"""What Graph's simulator sent and served, from its own file and its control API."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import orjson

from ringback_faults.ledgers import Children, Expected, Item, Key, Post, Request, SentOdd, Subscribed

__all__ = [
    "expected_calls",
    "flushed_size",
    "kid_of",
    "lines_since",
    "odd_of",
    "post_of",
    "request_of",
    "subscribed_of",
]

_FIRST_WEBHOOK = "webhook"


async def flushed_size(control: aiohttp.ClientSession, file: Path) -> int:
    """Have the simulator write out what it holds back; the size of its file then."""
    params = {"offset": str(_size(file)), "limit": "1"}
    async with control.get("/control/ledger", params=params) as answer:
        answer.raise_for_status()
    return _size(file)


def _size(file: Path) -> int:
    return file.stat().st_size


def lines_since(file: Path, offset: int) -> Iterator[dict[str, Any]]:
    """Every whole line of the ledger from a byte offset."""
    with file.open("rb") as opened:
        opened.seek(offset)
        for line in opened:
            if line.endswith(b"\n"):
                yield orjson.loads(line)


def post_of(line: Mapping[str, Any], webhooks: Mapping[int, str]) -> Post:
    """A line of kind `post`; `webhooks` are processes by the port at which each takes POSTs."""
    items = () if line["lifecycle"] else tuple(_item(item) for item in line["items"])
    return Post(
        line["at"],
        line["end"],
        line["attempt"],
        line["status"],
        items,
        line["lifecycle"],
        line["subscriptionId"],
        line["odd"] or "",
        webhooks.get(_port_of(line["url"]), _FIRST_WEBHOOK),
    )


def _port_of(url: str) -> int:
    return urlsplit(url).port or 0


def _item(item: Mapping[str, Any]) -> Item:
    return Item(item["item"], (item["tenantId"], item["callId"]), item["version"], item["planted"])


def request_of(line: Mapping[str, Any]) -> Request:
    """A line of kind `request`, or of kind `token` as one of the route `token`; status 0 if it never got an answer."""
    return Request(
        at=line["at"], end=line.get("end", line["at"]), tenant_id=line["tenantId"] or "",
        route=line.get("route", "token"), call_id=line.get("callId"), page=line.get("page"),
        version=line.get("version"), status=line["status"] or 0, inside_retry_after=line["insideRetryAfter"],
        over_budget=line.get("overBudget"), fault=line.get("fault"),
    )  # fmt: skip


def odd_of(line: Mapping[str, Any]) -> SentOdd:
    """A line of kind `oddPost`."""
    return SentOdd(line["at"], line["status"])


def subscribed_of(line: Mapping[str, Any]) -> Subscribed:
    """A line of kind `subscription`, or of kind `handshake` that failed."""
    if line["kind"] == "handshake":
        return Subscribed(line["end"], "refused")
    whole, kid = "?" not in line["resource"], kid_of(line["notificationUrl"])
    return Subscribed(line["at"], line["event"], line["tenantId"], line["subscriptionId"], whole, kid)


def kid_of(url: str) -> str:
    """The id of the key that a notification URL names; empty if it names none."""
    return next((value for name, value in parse_qsl(urlsplit(url).query) if name == "kid"), "")


async def expected_calls(control: aiohttp.ClientSession) -> dict[Key, Expected]:
    """Every call as the simulator knows it."""
    async with control.get("/control/expected") as answer:
        answer.raise_for_status()
        lines = (await answer.read()).splitlines()
    entries = [orjson.loads(line) for line in lines]
    return {(entry["tenantId"], entry["callId"]): _expected(entry) for entry in entries}


def _expected(entry: Mapping[str, Any]) -> Expected:
    return Expected(
        accepted={int(version): items for version, items in entry["accepted"].items()},
        served=frozenset(entry["served"]),
        versions={int(version): _children(held) for version, held in entry["versions"].items()},
        is_group=entry["type"] != "peerToPeer",
    )


def _children(held: Mapping[str, Any]) -> Children:
    return Children(held["sessions"], held["participants"], held["sessionsHash"], held["participantsHash"])
