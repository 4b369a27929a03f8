"""The members that are known today of every enumeration in the events; all of them are open.

Graph's are those of its v1.0 metadata, in its order; the rest are Ringback's own. In the open tier `unknown` stands
also for a value without the form of a member.
"""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from ringback_events.catalogue import EVENTS
from ringback_events.fields import Event

__all__ = ["GRAPH", "EnumPlace", "enumerations", "strings"]

EnumMembers = tuple[str, ...]

GRAPH: dict[str, EnumMembers] = {
    "callType": ("unknown", "groupCall", "peerToPeer", "unknownFutureValue"),
    "modality": ("audio", "video", "videoBasedScreenSharing", "data", "screenSharing", "unknownFutureValue"),
    "failureStage": ("unknown", "callSetup", "midcall", "unknownFutureValue"),
    "clientPlatform": (
        *("unknown", "windows", "macOS", "iOS", "android", "web", "ipPhone", "roomSystem", "surfaceHub", "holoLens"),
        "unknownFutureValue",
    ),
    "productFamily": (
        *("unknown", "teams", "skypeForBusiness", "lync", "unknownFutureValue"),
        "azureCommunicationServices",
    ),
    "serviceRole": (
        *("unknown", "customBot", "skypeForBusinessMicrosoftTeamsGateway", "skypeForBusinessAudioVideoMcu"),
        *("skypeForBusinessApplicationSharingMcu", "skypeForBusinessCallQueues", "skypeForBusinessAutoAttendant"),
        *("mediationServer", "mediationServerCloudConnectorEdition", "exchangeUnifiedMessagingService"),
        *("mediaController", "conferencingAnnouncementService", "conferencingAttendant"),
        *("audioTeleconferencerController", "skypeForBusinessUnifiedCommunicationApplicationPlatform"),
        *("responseGroupServiceAnnouncementService", "gateway", "skypeTranslator", "skypeForBusinessAttendant"),
        *("responseGroupService", "voicemail", "unknownFutureValue"),
    ),
    "networkConnectionType": ("unknown", "wired", "wifi", "mobile", "tunnel", "unknownFutureValue"),
    "networkTransportProtocol": ("unknown", "udp", "tcp", "unknownFutureValue"),
    "wifiBand": ("unknown", "frequency24GHz", "frequency50GHz", "frequency60GHz", "unknownFutureValue"),
    "wifiRadioType": (
        *("unknown", "wifi80211a", "wifi80211b", "wifi80211g", "wifi80211n", "wifi80211ac", "wifi80211ax"),
        "unknownFutureValue",
    ),
    "userFeedbackRating": ("notRated", "bad", "poor", "fair", "good", "excellent", "unknownFutureValue"),
    "audioCodec": (
        *("unknown", "invalid", "cn", "pcma", "pcmu", "amrWide", "g722", "g7221", "g7221c", "g729"),
        *("multiChannelAudio", "muchv2", "opus", "satin", "satinFullband", "rtAudio8", "rtAudio16", "silk"),
        *("silkNarrow", "silkWide", "siren", "xmsRta", "unknownFutureValue"),
    ),
    "videoCodec": (
        *("unknown", "invalid", "av1", "h263", "h264", "h264s", "h264uc", "h265", "rtvc1", "rtVideo", "xrtvc1"),
        "unknownFutureValue",
    ),
    "mediaStreamDirection": ("callerToCallee", "calleeToCaller"),
    "changeType": ("created", "updated", "deleted"),
    "lifecycleEventType": ("missed", "subscriptionRemoved", "reauthorizationRequired"),
}
"""By the type's name in Graph's metadata."""

_PARTY_KINDS = ("user", "guest", "phone", "application", "service", "unknown")
_RELATIONS = ("internal", "external", "unknown")
_VERDICTS = ("good", "poor", "unclassified")
_OF: dict[str, EnumMembers] = {
    "type": GRAPH["callType"],
    "callType": GRAPH["callType"],
    "modalities": GRAPH["modality"],
    "stage": GRAPH["failureStage"],
    "platform": GRAPH["clientPlatform"],
    "platforms": GRAPH["clientPlatform"],
    "productFamily": GRAPH["productFamily"],
    "role": GRAPH["serviceRole"],
    "connectionType": GRAPH["networkConnectionType"],
    "connectionTypes": GRAPH["networkConnectionType"],
    "transport": GRAPH["networkTransportProtocol"],
    "wifiBand": GRAPH["wifiBand"],
    "wifiRadioType": GRAPH["wifiRadioType"],
    "feedbackRating": GRAPH["userFeedbackRating"],
    "worstFeedback": GRAPH["userFeedbackRating"],
    "codec": tuple(dict.fromkeys((*GRAPH["audioCodec"], *GRAPH["videoCodec"]))),
    "direction": GRAPH["mediaStreamDirection"],
    "changeType": GRAPH["changeType"],
    "lifecycleEvent": GRAPH["lifecycleEventType"],
    "verdict": _VERDICTS,
    "verdictMetric": (
        *("averageRoundTripMs", "averagePacketLossRate", "averageJitterMs"),
        *("averageVideoFrameLoss", "averageVideoFrameRate", "postFecPacketLossRate"),
    ),
    "relation": _RELATIONS,
    "label": ("main-audio", "main-video", "applicationsharing-video"),
    "source": ("webhook", "eventhub", "lookup", "reconcile", "backfill", "replay", "release", "canary"),
    "action": (
        *("subscription.create", "subscription.renew", "subscription.delete", "subscription.prove"),
        *("dead_letter.release", "dead_letter.discard", "call.replay", "halt.lift", "records.rederive"),
    ),
    "outcome": ("begun", "done", "incomplete", "gone", "conflict"),
    "state": ("ok", "waiting", "paused", "halted", "failing"),
    "caller.kind": _PARTY_KINDS,
    "callee.kind": _PARTY_KINDS,
    "streams.kind": ("audio", "video", "screenSharing", "other"),
    "parties.kind": _PARTY_KINDS,
    "ControlEntry.kind": ("halt", "pause", "throttle", "share"),
}
"""Members by the name of a field, or by its path's last two names where one name means two things."""

EnumPlace = str
"""Where in a value a string is, such as `parties[].platforms[]`."""


def enumerations(events: tuple[str, ...]) -> dict[EnumMembers, list[EnumPlace]]:
    """The enumerations in the values of these events: members, and every place that has them."""
    found: dict[EnumMembers, list[EnumPlace]] = {}
    for event in events:
        for place in strings(EVENTS[event]):
            members = _members(EVENTS[event].__name__, place)
            if members and place not in found.setdefault(members, []):
                found[members].append(place)
    return found


def strings(model: type[Event], before: str = "") -> Iterator[EnumPlace]:
    """Every place of a model's values that holds a string, C2 and C3 left out: what identifies people is no member."""
    for info in model.model_fields.values():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and extra.get("x-privacy") in ("C2", "C3"):
            continue
        yield from _strings(info.annotation, f"{before}{info.alias}")


def _strings(annotation: Any, place: EnumPlace) -> Iterator[EnumPlace]:
    origin = get_origin(annotation)
    if origin in (UnionType, Union):
        for each in get_args(annotation):
            yield from _strings(each, place)
    elif origin is list:
        yield from _strings(get_args(annotation)[0], f"{place}[]")
    elif annotation is str:
        yield place
    elif isinstance(annotation, type) and issubclass(annotation, Event):
        yield from strings(annotation, f"{place}.")


def _members(model: str, place: EnumPlace) -> EnumMembers:
    *path, name = place.replace("[]", "").split(".")
    owner = path[-1] if path else model
    return _OF.get(f"{owner}.{name}", _OF.get(name, ()))
