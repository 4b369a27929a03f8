"""Restricted records to write to Kafka or to a store: built from the contracted models, so they are always legal."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from ringback_common.outcomes import Received
from ringback_events import topics
from ringback_events.headers import VersionHeaders
from ringback_events.keys import call_key
from ringback_events.record import (
    Anomalies,
    CallRecord,
    Counts,
    Endpoint,
    Failure,
    Network,
    Party,
    Quality,
    Session,
    Stream,
    Tally,
)

__all__ = ["TENANT", "call_record", "received"]

TENANT = "11111111-2222-3333-4444-555555555555"
START = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
_TALLY = Tally(good=2, poor=0, unclassified=0)
_NO_TALLY = Tally(good=0, poor=0, unclassified=0)


def call_record(
    call_id: str | None = None,
    *,
    version: int = 1,
    revision: int = 1,
    start: datetime | None = START,
    parties: int = 5,
    sessions: int | None = None,
    graph: dict[str, Any] | None = None,
    **facts: Any,
) -> CallRecord:
    """One version of a call in which every party has a session of two streams.

    Args:
        call_id: the call; a new one by default.
        version: Graph's version.
        revision: Ringback's revision.
        start: start of the call, or None.
        parties: how many people took part.
        sessions: how many sessions, if not one per party.
        graph: Graph's JSON.
        facts: further members of the record, replacing the invented ones.
    """
    call_id = call_id or str(uuid.uuid4())
    count = parties if sessions is None else sessions
    shape: dict[str, Any] = {
        "tenant_id": TENANT,
        "call_id": call_id,
        "version": version,
        "revision": revision,
        "type": "groupCall",
        "modalities": ["audio", "video"],
        "start_date_time": start,
        "end_date_time": start and start + timedelta(minutes=30),
        "duration_ms": start and 1_800_000,
        "last_modified_date_time": START + timedelta(minutes=40 + version),
        "received_at": START + timedelta(minutes=41 + version),
        "fetched_at": START + timedelta(minutes=41 + version, milliseconds=300),
        "session_count": count,
        "counts": Counts(
            parties=parties, people=parties, users=parties, guests=0, externals=0, phones=0, applications=0
        ),
        "quality": Quality(
            rules_version="cqd-2026.1",
            verdict="good",
            audio=_TALLY,
            video=_NO_TALLY,
            screen_sharing=_NO_TALLY,
            other=_NO_TALLY,
        ),
        "platforms": ["windows"],
        "connection_types": ["wifi", "wired"],
        "sites": ["Köln, Dom"],
        "emergency_suspected": False,
        "anomalies": Anomalies(
            negative_durations=0,
            empty_networks=0,
            repeated_session_ids=0,
            missing_participants=0,
            unparsable_values=0,
        ),
        "parties": [_party(index) for index in range(parties)],
        "sessions": [_session(ordinal, start, ordinal % max(parties, 1)) for ordinal in range(count)],
        "graph": graph if graph is not None else {"id": call_id, "version": version, "sessions": []},
    }
    return CallRecord(**(shape | facts))


def _party(index: int) -> Party:
    return Party(
        index=index,
        kind="user",
        relation="internal",
        is_organizer=index == 0,
        in_participants=True,
        platforms=["windows"],
        connection_types=["wifi"],
        sites=["Köln, Dom"],
        session_count=1,
        joined_ms=1_800_000,
        verdict="good",
        id=str(uuid.UUID(int=index)),
        display_name=f'Zoë "Z" Müller\\{index}',
        user_principal_name=f"zoe.{index}@contoso.example",
        home_tenant_id=TENANT,
    )


def _session(ordinal: int, start: datetime | None, party: int) -> Session:
    return Session(
        ordinal=ordinal,
        session_id=str(uuid.UUID(int=ordinal)),
        start_date_time=start,
        end_date_time=start and start + timedelta(minutes=30),
        duration_ms=start and 1_800_000,
        modalities=["audio"],
        segment_count=1,
        verdict="good",
        caller=Endpoint(party=party, kind="user", relation="internal", is_service=False, platform="windows"),
        callee=Endpoint(kind="service", relation="unknown", is_service=True, role="conferencing"),
        failure=Failure(stage="midcall", reason='lost "all"\nmedia') if ordinal == 1 else None,
        streams=[_stream(direction, start) for direction in ("callerToCallee", "calleeToCaller")],
    )


def _stream(direction: str, start: datetime | None) -> Stream:
    return Stream(
        segment_index=0,
        media_index=0,
        stream_index=0 if direction == "callerToCallee" else 1,
        label="main-audio",
        kind="audio",
        direction=direction,
        codec="satin",
        start_date_time=start,
        end_date_time=start and start + timedelta(minutes=30),
        verdict="good",
        average_jitter_ms=4.25,
        max_jitter_ms=31.0,
        average_round_trip_ms=21.5,
        average_packet_loss_rate=0.002,
        packet_utilization=71_000,
        stream_id="stream-1",
        caller_network=Network(
            connection_type="wifi",
            transport="udp",
            link_speed_bps=866_700_000,
            network_prefix="198.51.100.0/24",
            ip_address="198.51.100.7",
            mac_address="00-00-5E-00-53-01",
            subnet="198.51.100.0",
        ),
    )


def received(record: CallRecord, offset: int = 0, *, value: bytes | None = None) -> Received:
    """The record as it comes from its topic.

    Args:
        record: the version.
        offset: where it lies in partition 0.
        value: other bytes than the record's own, to plant a poison.
    """
    headers = VersionHeaders(record.tenant_id, record.call_id, record.version, record.revision, "2026-11-16T09:41:00Z")
    return Received(
        topic=topics.RECORDS.name,
        partition=0,
        offset=offset,
        timestamp_ms=1_763_286_060_000,
        key=call_key(record.tenant_id, record.call_id),
        value=record.model_dump_json(by_alias=True).encode() if value is None else value,
        headers=headers.record(),
    )
