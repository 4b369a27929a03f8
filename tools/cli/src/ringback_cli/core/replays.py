"""Which calls Graph is asked for again, in which order, and with which requests."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b

import orjson
from ringback_common.outcomes import Message
from ringback_events.fetch import FetchRequest
from ringback_events.header_names import RUN
from ringback_events.headers import fetch_request_headers
from ringback_events.keys import call_key, canonical_id, split_call_key
from ringback_events.times import wire_time
from ringback_events.topics import FETCH_BULK

__all__ = ["UnreadableLineError", "digest_of", "read_calls", "remaining", "request_of"]

SOURCE = "replay"


class UnreadableLineError(ValueError):
    """A line that names no call.

    Attributes:
        line: its number, from 1.
    """

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def read_calls(lines: Iterable[str], tenant: str | None = None) -> list[str]:
    """The keys `tenant|call` of the calls a file names, each once, sorted.

    A line is `tenant|call`, or a call alone if `tenant` is given; empty lines and those that begin with `#` are left
    out.

    Raises:
        UnreadableLineError: a line lacks one of the two.
    """
    keys: set[str] = set()
    for number, line in enumerate(lines, 1):
        reported = line.strip()
        if reported and not reported.startswith("#"):
            keys.add(_key(reported, tenant, number))
    return sorted(keys)


def _key(reported: str, tenant: str | None, number: int) -> str:
    before, bar, after = reported.partition("|")
    whose, call = (before.strip(), after.strip()) if bar else (tenant or "", reported)
    if not whose or not call or (tenant and canonical_id(whose) != canonical_id(tenant)):
        raise UnreadableLineError(number)
    return call_key(whose, call).decode()


def remaining(keys: Sequence[str], after: str | None) -> Sequence[str]:
    """What is left of sorted keys when all up to `after` are done."""
    return keys if after is None else keys[bisect_right(keys, after) :]


def request_of(key: str, run: str, now: datetime) -> Message:
    """The request that asks Graph for a call again, on the bulk lane; a 404 is final for it."""
    tenant_id, call_id = split_call_key(key.encode())
    request = FetchRequest(tenant_id=tenant_id, call_id=call_id, source=SOURCE, received_at=now)
    headers = fetch_request_headers(
        tenant_id=tenant_id, call_id=call_id, source=SOURCE, received_at=wire_time(now), topic=FETCH_BULK, replay=True
    )
    value = orjson.dumps(request.model_dump(mode="json", by_alias=True))
    return Message(FETCH_BULK.name, key.encode(), value, (*headers, (RUN, run.encode())))


def digest_of(parts: Iterable[str]) -> str:
    """Sixteen hex digits that tell one selection from another."""
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(part.encode() + b"\n")
    return digest.hexdigest()
