"""The order of a record's sessions: it identifies them within their version, for their ids may repeat."""

from collections import Counter
from typing import Any

import orjson

from ringback_enricher.core.derive.field_reader import Members, instant, members, text

__all__ = ["ordered", "repeated_ids"]

_BEFORE_ALL = -(2**63)


def ordered(sessions: list[Members]) -> list[Members]:
    """Sort by start, id, caller, callee, content: equal for any order in which Graph serves them."""
    if len(sessions) < 2:  # noqa: PLR2004 - most calls have one session
        return sessions
    keys = [_start_and_id(session) for session in sessions]
    if len(set(keys)) == len(keys):
        return [session for _, session in sorted(zip(keys, sessions, strict=True), key=lambda pair: pair[0])]
    return sorted(sessions, key=_whole_key)


def repeated_ids(sessions: list[Members]) -> int:
    """How many sessions have an id that another session of the record has too."""
    ids = Counter(text(session.get("id")) for session in sessions)
    return sum(times for name, times in ids.items() if times > 1 and name is not None)


def _start_and_id(session: Members) -> tuple[int, str]:
    start = instant(session.get("startDateTime"))
    return (_BEFORE_ALL if start is None else start, text(session.get("id")) or "")


def _whole_key(session: Members) -> tuple[int, str, str, str, bytes]:
    content = orjson.dumps(session, option=orjson.OPT_SORT_KEYS)
    return (*_start_and_id(session), _side_id(session.get("caller")), _side_id(session.get("callee")), content)


def _side_id(endpoint: Any) -> str:
    return text(members(members(endpoint).get("associatedIdentity")).get("id")) or ""
