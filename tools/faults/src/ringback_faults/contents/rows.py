"""What the store's rows of a call say; `QUERY` brings them into the order that is read here."""

from collections.abc import Iterable, Mapping
from typing import Any

from ringback_faults.contents.values import Contents, digest

__all__ = ["CALL", "PARTICIPANTS", "SESSIONS", "STREAMS", "contents_of_rows"]


def _micros(column: str) -> str:
    return f"(extract(epoch FROM {column}) * 1000000)::bigint"


_TIMES = f"{_micros('start_date_time')}, {_micros('end_date_time')}"


def _side(name: str) -> str:
    columns = f"json_build_array({name}_party, {name}_kind, {name}_application_version)"
    return f"CASE WHEN {name}_kind IS NOT NULL THEN {columns} END"


CALL = f"json_build_array(type, {_TIMES}, modalities)"
PARTICIPANTS = "json_build_array(kind, id) ORDER BY index"
SESSIONS = (
    f"json_build_array(ordinal, session_id, {_TIMES}, modalities, is_test, segment_count,"
    f" {_side('caller')}, {_side('callee')}) ORDER BY ordinal"
)
STREAMS = (
    "json_build_array(session_ordinal, segment_index, media_index, stream_index, label, stream_id, direction,"
    f" packet_utilization, average_packet_loss_rate, {_TIMES})"
    " ORDER BY session_ordinal, segment_index, media_index, stream_index"
)
"""What is read of a row of each table, as SQL."""


def contents_of_rows(
    call: Any, count: int, participants: Iterable[Any], sessions: Iterable[Any], streams: Iterable[Any]
) -> Contents:
    """Of what the four expressions gave for one call; `count` is the call's own number of sessions."""
    parties, media = list(participants), _by_session(streams)
    digests = {ordinal: digest([*rest, media.get(ordinal, [])]) for ordinal, *rest in sessions}
    strays = media.keys() - digests.keys()
    return Contents(
        call=digest(call),
        count=count,
        kinds=tuple(kind for kind, _ in parties),
        people=digest(parties),
        sessions=digests | {ordinal: digest(media[ordinal]) for ordinal in strays},
    )


def _by_session(streams: Iterable[Any]) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for ordinal, *rest in streams:
        found.setdefault(ordinal, []).append(rest)
    return found
