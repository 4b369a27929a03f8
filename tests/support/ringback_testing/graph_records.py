"""Synthetic call records: one small and complete, with every kind of party and stream; one as Graph documents it."""

from copy import deepcopy
from typing import Any

from ringback_testing.graph_samples import twin

TENANT = "8f4e2a10-6c1b-4f0e-9d55-3a2b1c0d9e8f"
PARTNER = "11111111-2222-3333-4444-555555555555"
CALL = "5f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
ALICE, BOB = "a11ce000-0000-0000-0000-000000000001", "b0b00000-0000-0000-0000-000000000002"
DOCUMENTED_LINK = "https://graph.microsoft.com/v1.0/$metadata#communications/callRecords('{}')/sessions?$expand=segments&$skiptoken=abc"
"""A next link as the documentation prints it: a fragment that no client can follow, on Graph's own host."""

_CLIENT = "#microsoft.graph.callRecords.participantEndpoint"
_SERVICE = {
    "@odata.type": "#microsoft.graph.callRecords.serviceEndpoint",
    "userAgent": {
        "@odata.type": "#microsoft.graph.callRecords.serviceUserAgent",
        "role": "skypeForBusinessAudioVideoMcu",
        "headerValue": "mcu",
    },
}


def user(identity: str, name: str | None, tenant: str | None = TENANT, upn: str | None = None) -> dict[str, Any]:
    """One identity object."""
    return {"id": identity, "displayName": name, "tenantId": tenant, "userPrincipalName": upn}


def side(identity: dict[str, Any] | None, platform: str = "windows", **more: Any) -> dict[str, Any]:
    """A participant endpoint."""
    agent = {"@odata.type": "#x.clientUserAgent", "platform": platform, "productFamily": "teams", "headerValue": "UA/1"}
    return {"@odata.type": _CLIENT, "name": "LAPTOP-7", "userAgent": agent, "associatedIdentity": identity, **more}


def service() -> dict[str, Any]:
    """The conference server as an endpoint."""
    return deepcopy(_SERVICE)


def stream(direction: str = "callerToCallee", **metrics: Any) -> dict[str, Any]:
    """A media stream; a good one as audio."""
    good = {"averageJitter": "PT0.016S", "averageRoundTripTime": "PT0.05S", "averagePacketLossRate": 0.01}
    return (
        {"streamId": "77", "streamDirection": direction, "packetUtilization": 4000, "audioCodec": "opus"}
        | good
        | metrics
    )


def network(address: str, **more: Any) -> dict[str, Any]:
    """A network block."""
    return {
        "connectionType": "wifi",
        "networkTransportProtocol": "udp",
        "ipAddress": address,
        "reflexiveIPAddress": "203.0.113.77",
        "macAddress": "00-00-5E-00-53-01",
        "basicServiceSetIdentifier": "00-00-5E-00-53-AF",
        "dnsSuffix": "corp.contoso.example",
        "subnet": "10.20.30.0",
        "linkSpeed": 54_000_000,
    } | more


def media(label: str, *streams: dict[str, Any], caller: dict[str, Any] | None = None) -> dict[str, Any]:
    """One media of a segment."""
    return {"label": label, "callerNetwork": caller, "calleeNetwork": None, "streams": list(streams)}


def session(identity: str, caller: dict[str, Any], callee: dict[str, Any], *of: dict[str, Any]) -> dict[str, Any]:
    """A session of one segment, from 09:00:00 to 09:30:00."""
    times = {"startDateTime": "2026-11-02T09:00:00Z", "endDateTime": "2026-11-02T09:30:00Z"}
    segment = {"id": identity, "media": list(of)} | times
    return {
        "id": identity,
        "modalities": ["audio"],
        "isTest": False,
        "caller": caller,
        "callee": callee,
        "segments": [segment],
    } | times


def meeting() -> dict[str, Any]:
    """A meeting of two users (one external), a guest, a phone and an unnamed service."""
    alice, bob = user(ALICE, "Alice Ampère", upn="alice@contoso.example"), user(BOB, "Bob", PARTNER)
    guest, phone = user("teamsvisitor:0a1b", None, None), user("+4930901820", None, None)
    office = network("10.20.30.40")
    return {
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#communications/callRecords/$entity",
        "id": CALL,
        "version": 3,
        "type": "groupCall",
        "modalities": ["audio", "video", "videoBasedScreenSharing"],
        "startDateTime": "2026-11-02T09:00:00.1234567Z",
        "endDateTime": "2026-11-02T09:30:00Z",
        "lastModifiedDateTime": "2026-11-02T09:50:00Z",
        "joinWebUrl": "https://teams.example/l/meetup-join/19%3ameeting_secret",
        "organizer_v2": {"id": ALICE, "identity": {"user": user(ALICE, "Alice Ampère")}},
        "participants_v2": [
            {"id": ALICE, "identity": {"user": user(ALICE, "Alice Ampère")}},
            {"id": BOB, "identity": {"user": user(BOB, "Bob", PARTNER)}},
            {"id": "+4930901820", "identity": {"phone": {"id": "+4930901820", "displayName": None}}},
        ],
        "sessions": [
            session(
                "s-alice",
                side(alice, feedback={"rating": "poor", "text": "Ich hörte nichts"}),
                service(),
                media("main-audio", stream(), stream("calleeToCaller", averageJitter="PT0.05S"), caller=office),
                media(
                    "main-video",
                    stream("calleeToCaller", averageVideoFrameRate=5.5, audioCodec=None, videoCodec="h264"),
                ),
                media("applicationsharing-video", stream("calleeToCaller", averageVideoFrameRate=5.5)),
            ),
            session("s-bob", side(bob, "iOS"), service(), media("main-audio", stream(packetUtilization=0))),
            session("s-guest", side(guest, "web"), service(), media("data", stream())),
            session("s-phone", side(phone, "unknown"), service()),
        ],
    }


def documented() -> dict[str, Any]:
    """The twin of the expanded record in Graph's documentation: its members, nulls and links, values of our own.

    Much is missing that other records have: a list of participants, most metrics, networks.
    """
    return twin("callrecord-expanded")
