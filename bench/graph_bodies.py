"""Call records of some 45 KB as the Graph simulator makes them, as bodies whose call id is filled in per request."""

import time
from typing import Any

import orjson
from ringback_graph_simulator.plans import plan_call
from ringback_graph_simulator.records import Records

__all__ = ["CALL", "PEOPLE", "REQUESTS_A_RECORD", "bodies", "first_answer", "graph_record", "second_answer"]

CALL = "5f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
"""Stands in every body where the real call's id belongs."""
PEOPLE = 5
REQUESTS_A_RECORD = 2
"""Sessions, then participants with the version: Graph is likely to refuse both at once."""
_TENANT = "8f4e2a10-6c1b-4f0e-9d55-3a2b1c0d9e8f"
_BYTES = 45_000
_MOST_SESSIONS = 40


def bodies(count: int) -> list[bytes]:
    """So many records, each of another seed: other people, addresses, times and measures."""
    records = Records(seed=1)
    return [_of_size(records, f"bench/{number}") for number in range(count)]


def _of_size(records: Records, seed: str) -> bytes:
    """The smallest record of this seed with at least 45,000 bytes: people join until it is large enough."""
    for sessions in range(PEOPLE, _MOST_SESSIONS):
        body = orjson.dumps(graph_record(records, seed, sessions))
        if len(body) >= _BYTES:
            return body
    raise RuntimeError(f"no record of {_BYTES} bytes with seed {seed}")


def first_answer(body: bytes) -> bytes:
    """Of such a record what Graph answers to `$expand=sessions($expand=segments)`."""
    return orjson.dumps({name: value for name, value in orjson.loads(body).items() if name != "participants_v2"})


def second_answer(body: bytes) -> bytes:
    """Of such a record what Graph answers where participants_v2 are expanded and selected with the version."""
    record = orjson.loads(body)
    return orjson.dumps({name: record[name] for name in ("id", "version", "lastModifiedDateTime", "participants_v2")})


def graph_record(records: Records, seed: str, sessions: int) -> dict[str, Any]:
    """A meeting of five, whole: what a reader joins of two answers."""
    plan = plan_call(_TENANT, CALL, "smallMeeting", seed, end=time.time(), sessions=sessions, participants=PEOPLE)
    header = records.header(plan, 1, plan.end)
    return {**header, "participants_v2": records.participants(plan, 1), "sessions": list(records.sessions(plan, 1))}
