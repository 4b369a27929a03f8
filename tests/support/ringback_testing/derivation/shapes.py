"""Small records about one matter each."""

from typing import Any

from ringback_testing.graph_records import ALICE, BOB, service, session, side
from ringback_testing.json_values import Json

__all__ = ["Json", "call", "listing", "of_media", "of_streams", "stream", "with_side"]


def call(*sessions: Any, **members: Any) -> Json:
    """A record of these sessions."""
    return {"id": "c", "sessions": [*sessions]} | members


def listing(*identity_sets: Json) -> Json:
    """A record without sessions that lists these participants."""
    return {"id": "c", "participants_v2": [{"identity": each} for each in identity_sets]}


def with_side(caller: Json, callee: Json | None = None) -> Json:
    """A record of one session; by default with the conference server."""
    return call(session("s", caller, service() if callee is None else callee))


def stream(direction: Any = "callerToCallee", **metrics: Any) -> Json:
    """A media stream; a good one as audio."""
    good = {"averageJitter": "PT0.016S", "averageRoundTripTime": "PT0.05S", "averagePacketLossRate": 0.01}
    about = {"streamId": "77", "streamDirection": direction, "packetUtilization": 4000, "audioCodec": "opus"}
    return about | good | metrics


def of_streams(*streams: Json, label: Any = "main-audio", caller: Any = None, callee: Any = None) -> Json:
    """A record of one session of Alice with Bob, with one media."""
    media = {"label": label, "callerNetwork": caller, "calleeNetwork": callee, "streams": [*streams]}
    return of_media(media)


def of_media(*media: Any) -> Json:
    """A record of one session of Alice with Bob, with these media."""
    return call(session("s", side({"id": ALICE}), side({"id": BOB}), *media))
