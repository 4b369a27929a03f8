"""The restricted record: one whole version of a call, Graph's JSON and everything derived from it.

Each `...Facts` class holds the fields that both tiers share (C0 and C1). Its restricted child adds what identifies
people; its open twin in `ringback_events.open` adds nothing but the token.
"""

from typing import Any

from pydantic import AwareDatetime

from ringback_events.fields import Event, OpenAs, Privacy, member

__all__ = [
    "Anomalies",
    "CallFacts",
    "CallRecord",
    "Counts",
    "Device",
    "Endpoint",
    "EndpointFacts",
    "Failure",
    "FailureFacts",
    "Network",
    "NetworkFacts",
    "Party",
    "PartyFacts",
    "Quality",
    "Session",
    "SessionFacts",
    "Stream",
    "StreamFacts",
    "Tally",
]

C0, C1, C2, C3 = Privacy.C0, Privacy.C1, Privacy.C2, Privacy.C3
_VERDICT = "good, poor or unclassified, by the rules named in quality.rulesVersion."


class Tally(Event):
    """How many streams of one kind got which verdict."""

    good: int = member(C0, "Streams judged good.", unit="streams")
    poor: int = member(C0, "Streams judged poor.", unit="streams")
    unclassified: int = member(C0, "Streams that lack the needed metrics.", unit="streams")


class Quality(Event):
    """The verdict on a call and what it was made from."""

    rules_version: str = member(C0, "Version of the classification rules, e.g. cqd-2026.1.")
    verdict: str = member(C0, f"Of the whole call: poor if any stream is poor, else good if any is good. {_VERDICT}")
    audio: Tally = member(C0, "Audio streams.")
    video: Tally = member(C0, "Video streams.")
    screen_sharing: Tally = member(C0, "Video-based screen-sharing streams.")
    other: Tally = member(C0, "Streams of any other label.")


class Counts(Event):
    """Who took part, as counts."""

    parties: int = member(C0, "Parties that are named, whether they took part or not.", unit="parties")
    people: int = member(C0, "Users, guests and phones that took part.", unit="parties")
    users: int = member(C0, "Users of any tenant that took part.", unit="parties")
    guests: int = member(C0, "Anonymous guests and visitors that took part.", unit="parties")
    externals: int = member(C0, "Users of another tenant that took part.", unit="parties")
    phones: int = member(C0, "Phone numbers that took part.", unit="parties")
    applications: int = member(C0, "Bots, queues, attendants and other services.", unit="parties")


class Anomalies(Event):
    """What is odd in Graph's own data; counted, never repaired in silence."""

    negative_durations: int = member(
        C0, "Calls, sessions, segments or streams that end before they start.", unit="times"
    )
    empty_networks: int = member(C0, "Network blocks in which every member is null, empty or unknown.", unit="times")
    repeated_session_ids: int = member(C0, "Sessions whose id another session of the record has too.", unit="times")
    missing_participants: int = member(
        C0, "Parties seen in sessions that participants_v2 omits; 0 where there is no list.", unit="parties"
    )
    unparsable_values: int = member(C0, "Times, durations and numbers that could not be read.", unit="times")
    sessions_missing: bool | None = member(
        C0,
        "Whether Graph served a peer-to-peer call without any session, asked four times within minutes. Null in records"
        " of before rules number 2.",
        default=None,
    )
    participants_missing: bool | None = member(
        C0,
        "Whether Graph had no participants_v2 for a call of which only that list tells who took part: the parties are"
        " those of sessions and the deprecated participants. Null in records of before rules number 2.",
        default=None,
    )


class FailureFacts(Event):
    """That something failed, and when in the call's life."""

    stage: str = member(C0, "callSetup, midcall, unknown; open enumeration.")


class Failure(FailureFacts):
    """A failure with Graph's free text."""

    reason: str | None = member(C2, "Graph's free text; may quote anything.", default=None)


class NetworkFacts(Event):
    """One side's network during a media stream."""

    connection_type: str | None = member(C0, "wired, wifi, mobile, tunnel, unknown; open enumeration.", default=None)
    transport: str | None = member(C0, "udp, tcp or unknown.", default=None)
    wifi_band: str | None = member(C0, "Graph's wifiBand.", default=None)
    wifi_radio_type: str | None = member(C0, "Graph's wifiRadioType.", default=None)
    wifi_signal_strength: int | None = member(C0, "Signal strength as Graph gives it.", unit="%", default=None)
    link_speed_bps: int | None = member(C0, "Link speed.", unit="bit/s", default=None)
    network_prefix: str | None = member(
        C1,
        "The address cut to /24 (IPv4) or /48 (IPv6), no finer than a household; null for private ranges.",
        opens=OpenAs.PREFIX,
        default=None,
    )
    reflexive_prefix: str | None = member(C1, "The reflexive address, cut likewise.", opens=OpenAs.PREFIX, default=None)
    site: str | None = member(C1, "Site of the subnet map, longest prefix wins; null without a match.", default=None)


class Network(NetworkFacts):
    """A network with its addresses."""

    ip_address: str | None = member(C3, "Local address.", default=None)
    reflexive_ip_address: str | None = member(C3, "Address as seen by the media relay.", default=None)
    relay_ip_address: str | None = member(C3, "Address of the media relay.", default=None)
    subnet: str | None = member(C3, "Subnet as Graph gives it.", default=None)
    mac_address: str | None = member(C3, "Hardware address.", default=None)
    basic_service_set_identifier: str | None = member(C3, "BSSID of the access point.", default=None)
    dns_suffix: str | None = member(C2, "DNS suffix of the network.", default=None)


class Device(Event):
    """The devices of one side during a media, by the names their drivers give them."""

    capture_name: str | None = member(C2, "Name of the microphone; for video, of the camera.", default=None)
    capture_driver: str | None = member(C2, "Driver of the microphone or camera.", default=None)
    render_name: str | None = member(C2, "Name of the loudspeaker or headset.", default=None)
    render_driver: str | None = member(C2, "Driver of the loudspeaker or headset.", default=None)


class StreamFacts(Event):
    """One media stream of a session, in one direction."""

    segment_index: int = member(C0, "Index of the segment within its session, from 0.")
    media_index: int = member(C0, "Index of the media within its segment, from 0.")
    stream_index: int = member(C0, "Index of the stream within its media, from 0.")
    label: str | None = member(C0, "Graph's media label, e.g. main-audio.", default=None)
    kind: str = member(C0, "audio, video, screenSharing or other, from the label.")
    direction: str | None = member(C0, "callerToCallee or calleeToCaller.", default=None)
    receiver_party: int | None = member(C1, "Index of the party that received the stream, if it is one.", default=None)
    codec: str | None = member(C0, "Audio or video codec; open enumeration.", default=None)
    start_date_time: AwareDatetime | None = member(C0, "Start of the stream, UTC.", default=None)
    end_date_time: AwareDatetime | None = member(C0, "End of the stream, UTC.", default=None)
    verdict: str = member(C0, _VERDICT)
    verdict_metric: str | None = member(C0, "The metric that decided the verdict, if one did.", default=None)
    average_jitter_ms: float | None = member(C0, "Average jitter.", unit="ms", default=None)
    max_jitter_ms: float | None = member(C0, "Highest jitter.", unit="ms", default=None)
    average_round_trip_ms: float | None = member(C0, "Average round trip.", unit="ms", default=None)
    max_round_trip_ms: float | None = member(C0, "Longest round trip.", unit="ms", default=None)
    average_packet_loss_rate: float | None = member(C0, "Average packet loss.", unit="ratio 0..1", default=None)
    max_packet_loss_rate: float | None = member(C0, "Highest packet loss.", unit="ratio 0..1", default=None)
    packet_utilization: int | None = member(C0, "Packets sent.", unit="packets", default=None)
    average_audio_degradation: float | None = member(C0, "Average degradation of the MOS.", unit="MOS", default=None)
    average_concealed_ratio: float | None = member(
        C0, "Share of concealed audio samples.", unit="ratio 0..1", default=None
    )
    average_video_frame_rate: float | None = member(C0, "Average frame rate.", unit="frames/s", default=None)
    average_video_frame_loss: float | None = member(C0, "Average frame loss.", unit="%", default=None)
    post_fec_packet_loss_rate: float | None = member(
        C0, "Packet loss after forward error correction.", unit="ratio 0..1", default=None
    )
    average_bandwidth_bps: int | None = member(C0, "Average bandwidth estimate.", unit="bit/s", default=None)
    was_media_bypassed: bool | None = member(C0, "Whether media went around the mediation server.", default=None)


class Stream(StreamFacts):
    """A stream with both sides' networks and devices."""

    stream_id: str | None = member(C1, "Graph's stream id.", default=None)
    caller_network: Network | None = member(C1, "The caller's network.", default=None)
    callee_network: Network | None = member(C1, "The callee's network.", default=None)
    caller_device: Device | None = member(C2, "The caller's devices.", default=None)
    callee_device: Device | None = member(C2, "The callee's devices.", default=None)


class EndpointFacts(Event):
    """One side of a session."""

    party: int | None = member(C1, "Index of the party in the call; null for a service.", default=None)
    kind: str = member(C0, "user, guest, phone, application, service or unknown.")
    relation: str = member(C1, "internal, external or unknown, seen from the call's tenant.", opens=OpenAs.LABEL)
    is_service: bool = member(C0, "Whether this side is a service, by its type or its role.")
    role: str | None = member(
        C0, "Role of a service: attendant, queue, voicemail, bot and others; open enumeration.", default=None
    )
    platform: str | None = member(C0, "Client platform, open enumeration.", default=None)
    product_family: str | None = member(C0, "Product family, open enumeration.", default=None)
    application_version: str | None = member(
        C0, "Version of the client or service.", opens=OpenAs.VERSION, default=None
    )
    cpu_cores: int | None = member(C0, "Processor cores.", unit="cores", default=None)
    feedback_rating: str | None = member(
        C1,
        "The user's worst rating on the session or a segment of it, open enumeration.",
        opens=OpenAs.LABEL,
        default=None,
    )


class Endpoint(EndpointFacts):
    """One side of a session with what identifies it."""

    user_agent: str | None = member(C2, "User agent header; may name a device.", default=None)
    machine_name: str | None = member(C2, "Name of the device.", default=None)
    feedback_text: str | None = member(C3, "The user's own words.", default=None)


class SessionFacts(Event):
    """One leg of a call."""

    ordinal: int = member(C0, "Identity of the session within its version, from 0; session ids may repeat.")
    session_id: str | None = member(C1, "Graph's session id; may repeat within a record.", default=None)
    start_date_time: AwareDatetime | None = member(C0, "Start of the session, UTC.", default=None)
    end_date_time: AwareDatetime | None = member(C0, "End of the session, UTC.", default=None)
    duration_ms: int | None = member(C0, "End minus start; null if either is missing.", unit="ms", default=None)
    modalities: list[str] = member(C0, "audio, video, videoBasedScreenSharing, data, screenSharing; open.")
    is_test: bool | None = member(C0, "Whether Graph marks the session as a test.", default=None)
    segment_count: int = member(C0, "Segments of the session.", unit="segments")
    verdict: str = member(C0, f"Worst of its streams. {_VERDICT}")


class Session(SessionFacts):
    """A session with both sides and all its streams."""

    caller: Endpoint | None = member(C1, "Who started the leg.", default=None)
    callee: Endpoint | None = member(C1, "Who was reached.", default=None)
    failure: Failure | None = member(
        C0, "What tells most of the failures of the session and its segments.", default=None
    )
    streams: list[Stream] = member(C1, "Every stream, by segment, media and stream index.")


class PartyFacts(Event):
    """One party of a call, without identity."""

    index: int = member(C1, "The party within its call and version, from 0.")
    kind: str = member(C0, "user, guest, phone, application, service or unknown.")
    relation: str = member(C1, "internal, external or unknown, seen from the call's tenant.", opens=OpenAs.LABEL)
    is_organizer: bool = member(C1, "Whether the party organised the call.")
    in_participants: bool = member(
        C0,
        "Whether participants_v2 (or participants) names the party. A peer-to-peer call is read without"
        " participants_v2: its session names both.",
    )
    took_part: bool | None = member(
        C1,
        "Whether Graph lists the party or a session shows it; not an organizer who did not join, nor somebody whose "
        "voicemail answered. Null before revision 2 of the rules.",
        default=None,
    )
    country_code: str | None = member(
        C1, "Country of a phone number, ISO 3166-1 alpha-2.", opens=OpenAs.LABEL, default=None
    )
    platforms: list[str] = member(C0, "Client platforms the party used, sorted.")
    connection_types: list[str] = member(C0, "Connection types the party used, sorted.")
    sites: list[str] = member(C1, "Sites the party was at, sorted.")
    session_count: int = member(
        C0, "Sessions the party took part in; one that its voicemail answered is none.", unit="sessions"
    )
    joined_ms: int | None = member(C1, "Time in the call: union of its sessions.", unit="ms", default=None)
    verdict: str = member(C0, f"Worst of the streams the party received. {_VERDICT}")
    feedback_rating: str | None = member(
        C1, "The party's worst rating, open enumeration.", opens=OpenAs.LABEL, default=None
    )


class Party(PartyFacts):
    """A party with its identity."""

    id: str | None = member(
        C2, "Object id, number or visitor id, without the prefix of a chat.", opens=OpenAs.TOKEN, default=None
    )
    display_name: str | None = member(C2, "Display name.", default=None)
    user_principal_name: str | None = member(C2, "User principal name.", default=None)
    phone_number: str | None = member(C3, "Phone number, E.164 where Graph gives it so.", default=None)
    home_tenant_id: str | None = member(C2, "Tenant of the party.", default=None)


class CallFacts(Event):
    """One version of a call: facts that both tiers share."""

    tenant_id: str = member(C1, "The Microsoft Entra tenant, lower case.")
    call_id: str = member(C1, "Graph's id of the call record, opaque.")
    version: int = member(C0, "Graph's version of the record; the greater (version, revision) wins.")
    revision: int = member(C0, "Ringback's revision of the derivation; the greater (version, revision) wins.")
    type: str = member(C0, "groupCall, peerToPeer, unknown; open enumeration.")
    modalities: list[str] = member(C0, "Modalities used in the call; open enumeration.")
    start_date_time: AwareDatetime | None = member(C0, "First join, UTC.", default=None)
    end_date_time: AwareDatetime | None = member(C0, "Last leave, UTC.", default=None)
    duration_ms: int | None = member(C0, "End minus start; null if either is missing.", unit="ms", default=None)
    last_modified_date_time: AwareDatetime | None = member(C0, "When Graph wrote this version, UTC.", default=None)
    received_at: AwareDatetime | None = member(
        C0, "When Ringback received the notification of this version, UTC.", default=None
    )
    fetched_at: AwareDatetime = member(C0, "When the fetch of this version started, UTC.")
    session_count: int = member(C0, "Sessions of this version.", unit="sessions")
    counts: Counts = member(C0, "How many of which kind took part.")
    quality: Quality = member(C0, "Verdict and stream counts.")
    worst_feedback: str | None = member(
        C1, "The worst rating given at any side, open enumeration.", opens=OpenAs.LABEL, default=None
    )
    platforms: list[str] = member(C0, "Client platforms seen, sorted.")
    connection_types: list[str] = member(C0, "Connection types seen, sorted.")
    sites: list[str] = member(C1, "Sites seen, sorted.")
    emergency_suspected: bool = member(
        C1, "Whether a party that may have been dialled is an emergency number; for audit, not for alarms."
    )
    anomalies: Anomalies = member(C0, "Oddities of Graph's data, counted.")


class CallRecord(CallFacts):
    """One whole version of a call; source of the store and of the open tier.

    Value of `callrecords.restricted.records.v1`.
    """

    failure: Failure | None = member(C0, "The first of those of the sessions that tell most, if any.", default=None)
    parties: list[Party] = member(C1, "Union of participants_v2 and the sessions' sides.")
    sessions: list[Session] = member(C1, "Every session, by ordinal.")
    join_web_url: str | None = member(C3, "Link to join the meeting.", default=None)
    graph: dict[str, Any] = member(
        C3,
        "Graph's JSON, every member and value kept, but that half a surrogate pair, for which UTF-8 has no form, is "
        "U+FFFD; opaque to readers.",
    )
