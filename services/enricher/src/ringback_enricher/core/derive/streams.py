"""The media streams of a session, with verdicts, receivers and both sides' networks and devices."""

from typing import NamedTuple, cast

from ringback_events.wire import DeviceWire, NetworkWire, StreamWire, TallyWire

from ringback_enricher.core.derive.devices import device
from ringback_enricher.core.derive.field_reader import FieldReader, Members, objects, text
from ringback_enricher.core.derive.networks import Networks
from ringback_enricher.core.derive.parties import PartyBuilder
from ringback_enricher.core.derive.rules import Rules
from ringback_enricher.core.derive.verdicts import (
    GOOD,
    POOR,
    UNCLASSIFIED,
    Verdict,
    audio_verdict,
    media_kind,
    video_verdict,
)

__all__ = ["Sides", "Streams"]

_KINDS = ("audio", "video", "screenSharing", "other")
_UNJUDGED: Verdict = (UNCLASSIFIED, None)


class Sides(NamedTuple):
    """The parties of a session; None for a service and for a side without identity."""

    caller: PartyBuilder | None
    callee: PartyBuilder | None


class _Medium(NamedTuple):
    """What the streams of one media share."""

    segment_index: int
    media_index: int
    label: str | None
    kind: str
    caller_network: NetworkWire | None
    callee_network: NetworkWire | None
    caller_device: DeviceWire | None
    callee_device: DeviceWire | None


class Streams:
    """Derives the streams of one record and tallies their verdicts by kind."""

    __slots__ = ("_networks", "_reader", "_rules", "_tallies")

    def __init__(self, rules: Rules, networks: Networks, reader: FieldReader) -> None:
        self._rules = rules
        self._networks = networks
        self._reader = reader
        self._tallies: dict[str, dict[str, int]] = {kind: {GOOD: 0, POOR: 0, UNCLASSIFIED: 0} for kind in _KINDS}

    def tally(self, kind: str) -> TallyWire:
        """How many streams of this kind got which verdict."""
        return cast("TallyWire", self._tallies[kind])

    def of_session(self, segments: list[Members], sides: Sides) -> list[StreamWire]:
        """Every stream, by segment, media and stream index."""
        return [
            self._stream(stream, stream_index, medium, sides)
            for segment_index, segment in enumerate(segments)
            for media_index, media in enumerate(objects(segment.get("media")))
            for medium in (self._medium(segment_index, media_index, media, sides),)
            for stream_index, stream in enumerate(objects(media.get("streams")))
        ]

    def _medium(self, segment_index: int, media_index: int, media: Members, sides: Sides) -> _Medium:
        label = text(media.get("label"))
        return _Medium(
            segment_index,
            media_index,
            label,
            media_kind(label),
            self._networks.network(media.get("callerNetwork"), sides.caller),
            self._networks.network(media.get("calleeNetwork"), sides.callee),
            device(media.get("callerDevice")),
            device(media.get("calleeDevice")),
        )

    def _stream(self, stream: Members, stream_index: int, medium: _Medium, sides: Sides) -> StreamWire:
        # The type tests stand inline: this literal is built for every stream of every record, and a call for each of
        # its members would double the cost of the whole derivation.
        get, reader, kind = stream.get, self._reader, medium.kind
        number, whole, milliseconds = reader.number, reader.whole, reader.milliseconds
        span = reader.elapsed(get("startDateTime"), get("endDateTime"))
        jitter = None if (v := get("averageJitter")) is None else milliseconds(v)
        round_trip = None if (v := get("averageRoundTripTime")) is None else milliseconds(v)
        loss = v if type(v := get("averagePacketLossRate")) is float or v is None else number(v)
        packets = None if (v := get("packetUtilization")) is None else whole(v)
        frame_rate = v if type(v := get("averageVideoFrameRate")) is float or v is None else number(v)
        frame_loss = v if type(v := get("averageVideoFrameLossPercentage")) is float or v is None else number(v)
        fec_loss = v if type(v := get("postForwardErrorCorrectionPacketLossRate")) is float or v is None else number(v)
        if kind == "audio":
            verdict, metric = audio_verdict(self._rules, round_trip, loss, jitter, packets)
        elif kind == "video":
            verdict, metric = video_verdict(self._rules, self._rules.video_frame_rate, frame_loss, frame_rate, fec_loss)
        elif kind == "screenSharing":
            verdict, metric = video_verdict(
                self._rules, self._rules.sharing_frame_rate, frame_loss, frame_rate, fec_loss
            )
        else:
            verdict, metric = _UNJUDGED
        self._tallies[kind][verdict] += 1
        direction = v if type(v := get("streamDirection")) is str else None
        return {
            "segmentIndex": medium.segment_index,
            "mediaIndex": medium.media_index,
            "streamIndex": stream_index,
            "label": medium.label,
            "kind": kind,
            "direction": direction,
            "receiverParty": _received(direction, sides, verdict),
            "codec": text(get("audioCodec")) or text(get("videoCodec")),
            "startDateTime": span.start,
            "endDateTime": span.end,
            "verdict": verdict,
            "verdictMetric": metric,
            "averageJitterMs": jitter,
            "maxJitterMs": None if (v := get("maxJitter")) is None else milliseconds(v),
            "averageRoundTripMs": round_trip,
            "maxRoundTripMs": None if (v := get("maxRoundTripTime")) is None else milliseconds(v),
            "averagePacketLossRate": loss,
            "maxPacketLossRate": v if type(v := get("maxPacketLossRate")) is float or v is None else number(v),
            "packetUtilization": packets,
            "averageAudioDegradation": v
            if type(v := get("averageAudioDegradation")) is float or v is None
            else number(v),
            "averageConcealedRatio": v
            if type(v := get("averageRatioOfConcealedSamples")) is float or v is None
            else number(v),
            "averageVideoFrameRate": frame_rate,
            "averageVideoFrameLoss": frame_loss,
            "postFecPacketLossRate": fec_loss,
            "averageBandwidthBps": None if (v := get("averageBandwidthEstimate")) is None else whole(v),
            "wasMediaBypassed": v if type(v := get("wasMediaBypassed")) is bool else None,
            "streamId": v if type(v := get("streamId")) is str else None,
            "callerNetwork": medium.caller_network,
            "calleeNetwork": medium.callee_network,
            "callerDevice": medium.caller_device,
            "calleeDevice": medium.callee_device,
        }


def _received(direction: str | None, sides: Sides, verdict: str) -> int | None:
    """Add the verdict to the party that received the stream; none if a service received it."""
    if direction == "callerToCallee":
        receiver = sides.callee
    elif direction == "calleeToCaller":
        receiver = sides.caller
    else:
        return None
    if receiver is None:
        return None
    receiver.verdicts.add(verdict)
    return receiver.index
