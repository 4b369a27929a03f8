"""Restricted records for the store: what the enricher derives of the simulator's calls, whole or without sessions."""

import uuid
from collections.abc import Iterator
from typing import Any

import orjson
from ringback_common.outcomes import Received
from ringback_enricher.core.derive.record import RecordContext, derive
from ringback_events.headers import VersionHeaders
from ringback_events.keys import call_key
from ringback_events.topics import RECORDS

from bench.enricher_core import TABLES
from bench.graph_bodies import CALL, bodies
from bench.tenants import TENANTS

__all__ = ["WHOLE", "call_ids", "records"]

WHOLE = "whole 45 KB records"
"""The load of records with all their sessions and Graph's JSON; any other load has neither."""
_DIFFERENT = 32
_TENANT = TENANTS[0]
_TIME = "2026-11-16T09:41:00Z"


def call_ids(count: int) -> list[str]:
    """The same ids whenever asked, in the random order in which calls come."""
    return [str(uuid.uuid5(uuid.NAMESPACE_OID, f"bench/{number}")) for number in range(count)]


def records(load: str, calls: int, version: int) -> Iterator[Received]:
    """One version of so many calls, as they come from their topic."""
    forms = [_form(orjson.loads(body), version, whole=load == WHOLE) for body in bodies(_DIFFERENT)]
    for number, call in enumerate(call_ids(calls)):
        headers = VersionHeaders(_TENANT, call, version, 1, _TIME).record()
        value = call.encode().join(forms[number % _DIFFERENT])
        yield Received(RECORDS.name, 0, number, 0, call_key(_TENANT, call), value, headers)


def _form(graph: dict[str, Any], version: int, *, whole: bool) -> list[bytes]:
    """An encoded record, cut where the call's id belongs."""
    derived: Any = derive(graph | {"version": version}, RecordContext(_TENANT, CALL, _TIME, _TIME), TABLES)
    if not whole:
        derived |= {"sessions": [], "sessionCount": 0, "graph": {"id": CALL, "version": version}}
    return orjson.dumps(derived).split(CALL.encode())
