"""Records to test with: built from the wire types, so that pyright checks their shape, and valid by the models."""

import pytest
from ringback_events.wire import (
    CallRecordWire,
    DeviceWire,
    EndpointWire,
    NetworkWire,
    PartyWire,
    SessionWire,
    StreamWire,
    TallyWire,
)
from ringback_testing.record_makers import CALL, MakeRecord

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"


def party(index: int) -> PartyWire:
    """A user with every member that identifies."""
    return {
        "index": index,
        "kind": "user",
        "relation": "internal",
        "isOrganizer": index == 0,
        "inParticipants": True,
        "tookPart": True,
        "countryCode": None,
        "platforms": ["windows"],
        "connectionTypes": ["wifi", "wired"],
        "sites": ["Zürich HQ"],
        "sessionCount": 1,
        "joinedMs": 60_000,
        "verdict": "good",
        "feedbackRating": "good",
        "id": f"821809f5-0000-4000-8000-{index:012d}",
        "displayName": f"Örjan Ågren {index}",
        "userPrincipalName": f"orjan.{index}@contoso.example",
        "phoneNumber": None,
        "homeTenantId": "77777777-1111-4222-8333-444444444444",
    }


def network(host: int) -> NetworkWire:
    """A network with every address."""
    return {
        "connectionType": "wifi",
        "transport": "udp",
        "wifiBand": "frequency50GHz",
        "wifiRadioType": "wifi80211ac",
        "wifiSignalStrength": 88,
        "linkSpeedBps": 54_000_000,
        "networkPrefix": None,
        "reflexivePrefix": "198.51.100.0/24",
        "site": "Zürich HQ",
        "ipAddress": f"10.150.0.{host % 250 + 1}",
        "reflexiveIpAddress": "198.51.100.17",
        "relayIpAddress": "203.0.113.9",
        "subnet": "10.150.0.0",
        "macAddress": "00-1A-2B-3C-4D-5E",
        "basicServiceSetIdentifier": "66-77-88-99-AA-BB",
        "dnsSuffix": "corp.contoso.example",
    }


def device(index: int) -> DeviceWire:
    """A headset that is named after a person."""
    name = f"Headset of Åsa {index}"
    return {"captureName": name, "captureDriver": "Acme: 1.2.3", "renderName": name, "renderDriver": None}


def stream(index: int) -> StreamWire:
    """An audio stream with all its metrics."""
    return {
        "segmentIndex": 0,
        "mediaIndex": 0,
        "streamIndex": index,
        "label": "main-audio",
        "kind": "audio",
        "direction": "callerToCallee",
        "receiverParty": 0,
        "codec": "satin",
        "startDateTime": "2026-11-02T09:00:00Z",
        "endDateTime": "2026-11-02T09:01:00Z",
        "verdict": "good",
        "verdictMetric": "averagePacketLossRate",
        "averageJitterMs": 16.0,
        "maxJitterMs": 20.5,
        "averageRoundTripMs": 41.0,
        "maxRoundTripMs": 90.0,
        "averagePacketLossRate": 0.001,
        "maxPacketLossRate": 0.02,
        "packetUtilization": 3000,
        "averageAudioDegradation": 0.2,
        "averageConcealedRatio": 0.01,
        "averageVideoFrameRate": None,
        "averageVideoFrameLoss": None,
        "postFecPacketLossRate": 0.0,
        "averageBandwidthBps": 90_000,
        "wasMediaBypassed": False,
        "streamId": "1504545584",
        "callerNetwork": network(index),
        "calleeNetwork": network(index + 7),
        "callerDevice": device(index),
        "calleeDevice": None,
    }


def endpoint(index: int) -> EndpointWire:
    """A client with its device and the user's words."""
    return {
        "party": index,
        "kind": "user",
        "relation": "internal",
        "isService": False,
        "role": None,
        "platform": "windows",
        "productFamily": "teams",
        "applicationVersion": "16.0.12527.20194",
        "cpuCores": 8,
        "feedbackRating": "good",
        "userAgent": "RTCC/7.0 (SM-G930U Android 8.0.0)",
        "machineName": f"DESKTOP-{index:05d}",
        "feedbackText": "I could not hear Åsa at all.",
    }


def session(ordinal: int, streams: int) -> SessionWire:
    """A session of a client with a meeting server."""
    return {
        "ordinal": ordinal,
        "sessionId": f"e523d2ed-2966-4b6b-925b-{ordinal:012d}",
        "startDateTime": "2026-11-02T09:00:00Z",
        "endDateTime": "2026-11-02T09:01:00Z",
        "durationMs": 60_000,
        "modalities": ["audio"],
        "isTest": False,
        "segmentCount": 1,
        "verdict": "good",
        "caller": endpoint(0),
        "callee": None,
        "failure": {"stage": "midcall", "reason": "Örjan hung up on +49 30 901820."},
        "streams": [stream(index) for index in range(streams)],
    }


def record(
    *,
    sessions: int = 2,
    streams: int = 2,
    parties: int = 2,
    call: str = CALL,
    version: int = 3,
    revision: int = 1,
) -> CallRecordWire:
    """A record of this size, of this version of this call."""
    tally: TallyWire = {"good": sessions * streams, "poor": 0, "unclassified": 0}
    empty: TallyWire = {"good": 0, "poor": 0, "unclassified": 0}
    return {
        "tenantId": TENANT,
        "callId": call,
        "version": version,
        "revision": revision,
        "type": "groupCall",
        "modalities": ["audio"],
        "startDateTime": "2026-11-02T09:00:00Z",
        "endDateTime": "2026-11-02T09:01:00Z",
        "durationMs": 60_000,
        "lastModifiedDateTime": "2026-11-02T09:20:00.123456Z",
        "receivedAt": "2026-11-02T09:21:00Z",
        "fetchedAt": "2026-11-02T09:21:01Z",
        "sessionCount": sessions,
        "counts": {
            "parties": parties,
            "people": parties,
            "users": parties,
            "guests": 0,
            "externals": 0,
            "phones": 0,
            "applications": 0,
        },
        "quality": {
            "rulesVersion": "cqd-2026.1",
            "verdict": "good",
            "audio": tally,
            "video": empty,
            "screenSharing": empty,
            "other": empty,
        },
        "worstFeedback": "good",
        "platforms": ["windows"],
        "connectionTypes": ["wifi"],
        "sites": ["Zürich HQ"],
        "emergencySuspected": False,
        "anomalies": {
            "negativeDurations": 0,
            "emptyNetworks": 0,
            "repeatedSessionIds": 0,
            "missingParticipants": 0,
            "unparsableValues": 0,
            "sessionsMissing": False,
            "participantsMissing": False,
        },
        "failure": {"stage": "midcall", "reason": "Örjan hung up on +49 30 901820."},
        "parties": [party(index) for index in range(parties)],
        "sessions": [session(ordinal, streams) for ordinal in range(sessions)],
        "joinWebUrl": "https://teams.example/l/meetup-join/19%3ameeting_ZXhhbXBsZQ",
        "graph": {"id": call, "organizer": {"user": {"displayName": "Örjan Ågren 0"}}},
    }


@pytest.fixture(scope="session")
def make_record() -> MakeRecord:
    """The builder of records, by their size."""
    return record
