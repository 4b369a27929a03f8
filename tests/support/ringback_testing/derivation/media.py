"""Records about when, how good and over which network."""

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

from ringback_testing.derivation.shapes import Json, call, of_media, of_streams, stream
from ringback_testing.derivation.values import ADDRESSES, DURATIONS, LABELS, NUMBERS, TIMES
from ringback_testing.graph_records import ALICE, BOB, media, network, service, session, side

__all__ = ["media_cases"]

_DIRECTIONS = ("callerToCallee", "calleeToCaller", "callertocallee", None, 1)
_EMPTY: tuple[object, ...] = ({"stage": 7}, {}, None, "x", [])
_VIDEO = ("main-video", "applicationsharing-video")


def media_cases() -> dict[str, list[Json]]:
    """The cases, by the matter that each is about."""
    return {
        "times": [*_times()],
        "order of sessions": [*_orders()],
        "failures": [*_failures()],
        "labels and directions": [of_streams(stream(way), label=label) for way in _DIRECTIONS for label in LABELS],
        "audio verdicts": [of_streams(stream(**metrics)) for metrics in _audio_metrics()],
        "video verdicts": [
            of_streams(stream(**metrics), label=name) for name in _VIDEO for metrics in _video_metrics()
        ],
        "worst of several": [*_several()],
        "streams": [*_streams()],
        "networks": [*_networks()],
        "devices": [*_devices()],
        "addresses": [*_addresses()],
    }


def _times() -> Iterator[Json]:
    for time, (first, second) in product(TIMES, (("startDateTime", "endDateTime"), ("endDateTime", "startDateTime"))):
        span = {first: time, second: "2026-11-02T09:00:00Z"}
        yield {"id": "c", "lastModifiedDateTime": time} | span
        yield call(session("s", side({"id": ALICE}), service()) | span, {"id": "t", "segments": [span]})
        yield of_streams(stream(**span))
    for end in ("09:00:00.0009", "09:00:00.001", "08:59:59.9991", "08:59:59.999", "10:01:02.5"):
        yield {"id": "c", "startDateTime": "2026-11-02T09:00:00Z", "endDateTime": f"2026-11-02T{end}Z"}
    for value in DURATIONS:
        yield of_streams(stream(averageJitter=value, maxJitter=value))
        yield of_streams(stream(averageRoundTripTime=value, maxRoundTripTime=value))


def _orders() -> Iterator[Json]:
    same = {"startDateTime": "2026-11-02T09:00:00Z"}
    alike = [
        session("s", side({"id": "b"}), side({"id": "d"})) | same,
        session("s", side({"id": "a"}), side({"id": "e"})) | same,
        session("s", side({"id": "a"}), side({"id": "c"}), media("z")) | same,
        session("s", side({"id": "a"}), side({"id": "c"}), media("y")) | same,
        session("r", side({"id": "f"}), service()) | same,
        session("t", side({"id": "g"}), service()) | {"startDateTime": "2026-11-02T08:00:00Z"},
        session("q", side({"id": "h"}), service()) | {"startDateTime": None},
        session("p", side({"id": "i"}), service()) | {"startDateTime": "1960-01-01T00:00:00Z"},
    ]
    for few in (*combinations(alike, 2), *combinations(alike, 3), alike):
        yield call(*few)
        yield call(*few[::-1])
    # By name, which comes first in the content, they would be the other way round.
    named = (side({"id": "c", "displayName": "B"}), side({"id": "e", "displayName": "A"}), side(None))
    yield call(*(session("s", side({"id": "a"}), each) for each in named))
    yield call(*(session("s", each, side({"id": "a"})) for each in named))
    yield call({"id": None}, {"id": None}, {"id": "s"}, {"id": "s"}, {"id": "s"}, {"id": "t"}, 7, None)


def _failures() -> Iterator[Json]:
    reported: tuple[Any, ...] = (
        *(
            {"stage": "midcall", "reason": "gone"},
            {"stage": None, "reason": None},
            {"reason": 7},
            {"@odata.type": "#x"},
        ),
        *({"stage": "unknown", "reason": None}, {"stage": "unknown", "reason": ""}, {"stage": "", "reason": ""}),
        *({"stage": "unknownFutureValue"}, {"stage": "unknownFutureValue", "reason": " "}, {"stage": " "}),
        *({"stage": "unknown", "reason": "gone"}, {"stage": "callSetup"}, {"code": 7}, {"stage": [], "reason": {}}),
    )
    failed, later = (
        session("s", side({"id": ALICE}), service()),
        {"failureInfo": {"stage": "callSetup", "reason": "2nd"}},
    )
    for each in (*reported, *_EMPTY):
        first: Json = {"failureInfo": each}
        yield call(failed | first)
        yield call(failed | first | {"segments": [later, {"failureInfo": {"stage": "third"}}]})
        yield call(failed | {"segments": [{}, first, later]})
        yield call(
            failed, session("u", side({"id": BOB}), service()) | first, session("v", side(None), service()) | later
        )


def _audio_metrics() -> Iterator[Json]:
    names = ("averageRoundTripTime", "averageJitter", "averagePacketLossRate", "packetUtilization")
    trips, jitters = (None, "PT0.5S", "PT0.500001S"), (None, "PT0.03S", "PT0.030001S")
    for values in product(trips, jitters, (None, 0.1, 0.1000001), (None, 0, 500, 501)):
        yield dict(zip(names, values, strict=True))


def _video_metrics() -> Iterator[Json]:
    names = ("averageVideoFrameLossPercentage", "averageVideoFrameRate", "postForwardErrorCorrectionPacketLossRate")
    for values in product((None, 50, 50.001), (None, 1.999, 2, 6.999, 7), (None, 0.15, 0.1500001)):
        yield dict(zip(names, values, strict=True))


def _several() -> Iterator[Json]:
    poor, good, unclassified = {"averageJitter": "PT1S"}, dict[str, Any](), {"packetUtilization": 0}
    alice, bob = side({"id": ALICE}), side({"id": BOB})
    for few in product((poor, good, unclassified), repeat=3):
        for ways in (_DIRECTIONS[:2] * 2, _DIRECTIONS[1::-1] * 2):
            a, b, c = (stream(way, **each) for way, each in zip(ways, few, strict=False))
            other = session("t", alice, service(), media("main-video", c), media("x", c))
            yield call(session("s", alice, bob, media("main-audio", a, b)), other)


def _streams() -> Iterator[Json]:
    whole = ("packetUtilization", "averageBandwidthEstimate")
    real = (
        *("averagePacketLossRate", "maxPacketLossRate", "averageAudioDegradation", "averageRatioOfConcealedSamples"),
        *("averageVideoFrameRate", "averageVideoFrameLossPercentage", "postForwardErrorCorrectionPacketLossRate"),
    )
    yield from (of_streams(stream(**{name: value})) for name in (*whole, *real) for value in NUMBERS)
    different: Json = {name: (number + 1) / 64 for number, name in enumerate(real)}
    durations = ("averageJitter", "maxJitter", "averageRoundTripTime", "maxRoundTripTime")
    different |= {name: f"PT0.00{number}S" for number, name in enumerate(durations)}
    yield of_streams(stream(averageBandwidthEstimate=9, **different), label="data")
    for value, name in product(
        (None, "opus", "", 7, True), ("audioCodec", "videoCodec", "streamId", "wasMediaBypassed")
    ):
        yield of_streams(stream(**{name: value}))
    yield of_streams(stream(audioCodec="opus", videoCodec="h264"), stream(audioCodec=None, videoCodec="h264"))
    blocks = [
        media("main-audio", stream(), stream()),
        None,
        media("main-video", stream()),
        {"streams": None},
        {"streams": [1, stream()]},
    ]
    segments: list[Any] = [{"media": blocks}, 7, {"media": None}, {"media": blocks}]
    yield call(session("s", side({"id": ALICE}), side({"id": BOB})) | {"segments": segments})


def _devices() -> Iterator[Json]:
    names = ("captureDeviceName", "captureDeviceDriver", "renderDeviceName", "renderDeviceDriver")
    every: Json = {name: name for name in names} | {"micGlitchRate": 0.5}
    for label in ("main-audio", "main-video"):
        yield of_media(
            media(label, stream(), stream()) | {"callerDevice": every, "calleeDevice": {names[2]: "headset"}}
        )
    for name, value in product(names, (None, "", 7, [])):
        yield of_media(
            media("main-audio", stream()) | {"callerDevice": every | {name: value}, "calleeDevice": {name: value}}
        )
    odd: tuple[Any, ...] = (None, 7, [], {}, "headset", {"micGlitchRate": 0.5})
    yield from (of_media(media("main-audio", stream()) | {"callerDevice": each, "calleeDevice": every}) for each in odd)


def _networks() -> Iterator[Json]:
    names = (
        *("connectionType", "networkTransportProtocol", "wifiBand", "wifiRadioType", "ipAddress", "reflexiveIPAddress"),
        *("relayIPAddress", "subnet", "macAddress", "basicServiceSetIdentifier", "dnsSuffix"),
    )
    every: Json = {name: name for name in names} | {"wifiSignalStrength": 71, "linkSpeed": 54}
    yield of_streams(stream(), caller=every, callee={name: f"{value}2" for name, value in every.items()})
    for name, value in every.items():
        yield of_streams(stream(), caller={name: value}, callee=dict.fromkeys(every))
        yield of_streams(stream(), caller=every | {name: 7}, callee=every | {name: [7]})
    yield from (of_streams(stream(), caller={"linkSpeed": value, "wifiSignalStrength": value}) for value in NUMBERS)
    odd: tuple[Any, ...] = (None, 7, [], {}, {"@odata.type": "#x"}, {"trace": []}, {"trace": [1]}, {"x": None, "y": 0})
    silent: tuple[Any, ...] = (
        {"connectionType": "unknown", "wifiBand": "unknown", "ipAddress": None, "traceRouteHops": []},
        *({"connectionType": "unknown", "linkSpeed": 0}, {"connectionType": "", "subnet": "unknown"}),
        *({"traceRouteHops": [{"hopCount": None}]}, {"traceRouteHops": [{"hopCount": 1}]}, {"x@odata.context": "y"}),
        *({"connectionType": "Unknown"}, {"connectionType": "unknownFutureValue"}, {"ipAddress": "unknown"}),
        *({"ipAddress": ""}, {"connectionType": None, "ipAddress": None, "@x": 1, "trace": []}),
    )
    for each in (*odd, *silent):
        yield of_streams(stream(), caller=each, callee=network("10.20.30.1", connectionType="wired"))
        yield of_streams(stream(), caller=network("198.51.100.9", connectionType="mobile"), callee=each)
    sites = ("10.20.1.1", "10.20.30.1", "2001:db8::1", "198.51.100.200")
    kinds = ("wired", "wifi", "mobile", "tunnel")
    yield of_media(
        *(media("x", caller=network(at, connectionType=kind)) for at, kind in zip(sites, kinds, strict=True))
    )
    both = (network("10.20.1.1", connectionType="wired"), network("10.20.30.1", connectionType="wifi"))
    yield of_media(*(media("main-audio", stream(), caller=each) for each in both))


def _addresses() -> Iterator[Json]:
    for address in ADDRESSES:
        for inner, outer in ((address, None), (None, address), ("10.99.0.1", address)):
            yield of_streams(
                stream(), caller={"connectionType": "wifi", "ipAddress": inner, "reflexiveIPAddress": outer}
            )
