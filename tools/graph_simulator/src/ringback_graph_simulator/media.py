"""Networks, devices and media streams with plausible figures; how many are poor by CQD's rules is a pool's affair."""

import random
from dataclasses import dataclass, field
from typing import Any

from ringback_graph_simulator import names

__all__ = ["FUTURE_MEMBERS", "StreamPools", "device_of", "network_of"]

Json = dict[str, Any]

FUTURE_MEMBERS = {
    "productFamily": frozenset({"azureCommunicationServices"}),
    "platform": frozenset({"visionOS"}),
    "wifiRadioType": frozenset({"wifi80211be"}),
}
"""Members after `unknownFutureValue`, by property: sent only to who prefers include-unknown-enum-members."""

_POOL = 192
_EMPTY_NETWORK = {
    **dict.fromkeys(("ipAddress", "subnet", "macAddress", "port", "linkSpeed", "reflexiveIPAddress", "connectionType")),
    **dict.fromkeys(("networkTransportProtocol", "wifiBand", "wifiRadioType", "relayIPAddress", "relayPort")),
}
_SIGNAL = ("receivedNoiseLevel", "receivedSignalLevel", "sentNoiseLevel", "sentSignalLevel")
_RATIOS = (
    "captureNotFunctioningEventRatio", "cpuInsufficentEventRatio", "deviceClippingEventRatio", "deviceGlitchEventRatio",
    "lowSpeechLevelEventRatio", "lowSpeechToNoiseEventRatio", "renderMuteEventRatio", "renderNotFunctioningEventRatio",
    "renderZeroVolumeEventRatio",
)  # fmt: skip


def _thinned(rng: random.Random, body: Json, *, missing: float = 0.06, null: float = 0.08) -> Json:
    """The same object with some members null and some left out."""
    thin: Json = {}
    for member, value in body.items():
        roll = rng.random()
        if roll >= missing:
            thin[member] = None if roll < missing + null else value
    return thin


def network_of(rng: random.Random) -> Json:
    """One networkInfo; one in fifty is all null, as seen in the field."""
    if rng.random() < 0.02:
        return dict(_EMPTY_NETWORK)
    prefix = rng.choice(names.BUILDINGS)
    v6 = ":" in prefix
    connection = rng.choices(("wifi", "wired", "mobile", "tunnel", "unknown"), (55, 30, 8, 4, 3))[0]
    body: Json = {
        "connectionType": connection,
        "networkTransportProtocol": rng.choices(("udp", "tcp", "unknown"), (90, 8, 2))[0],
        "wifiBand": "unknown",
        "wifiRadioType": "unknown",
        "ipAddress": f"{prefix}::{rng.randrange(1, 9999):x}" if v6 else f"{prefix}.{rng.randrange(2, 250)}",
        "subnet": f"{prefix}::" if v6 else f"{prefix}.0",
        "reflexiveIPAddress": f"203.0.113.{rng.randrange(1, 250)}",
        "relayIPAddress": f"52.113.{rng.randrange(0, 200)}.{rng.randrange(1, 250)}",
        "port": rng.randrange(50000, 50060),
        "relayPort": 3478 + rng.randrange(4),
        "macAddress": "-".join(f"{rng.randrange(256):02X}" for _ in range(6)),
        "dnsSuffix": rng.choice(("corp.contoso.example", "fritz.box", None)),
        "linkSpeed": rng.choice((54_000_000, 300_000_000, 1_000_000_000)),
        "bandwidthLowEventRatio": round(rng.random() * 0.05, 4),
        "delayEventRatio": 0.0,
        "receivedQualityEventRatio": round(rng.random() * 0.02, 6),
        "sentQualityEventRatio": 0.0,
        "traceRouteHops": _hops(rng),
    }
    if connection == "wifi":
        body |= _wifi(rng)
    return _thinned(rng, body)


def _hops(rng: random.Random) -> list[Json]:
    return [
        {"hopCount": hop, "ipAddress": f"10.0.{hop}.1", "roundTripTime": f"PT0.0{rng.randrange(10, 99)}S"}
        for hop in range(1, rng.choice((1, 1, 3)))
    ]


def _wifi(rng: random.Random) -> Json:
    radios = ("wifi80211ac", "wifi80211ax", "wifi80211n", "wifi80211be")
    return {
        "wifiBand": rng.choice(("frequency24GHz", "frequency50GHz", "frequency60GHz")),
        "wifiRadioType": rng.choices(radios, (55, 30, 12, 3))[0],
        "wifiSignalStrength": rng.randrange(30, 100),
        "wifiBatteryCharge": rng.randrange(5, 100),
        "wifiChannel": rng.randrange(1, 140),
        "wifiVendorDriver": "Intel(R) Wi-Fi 6 AX201",
        "wifiVendorDriverVersion": "22.150.0.3",
        "wifiMicrosoftDriver": "Microsoft Wi-Fi Direct Virtual Adapter",
        "wifiMicrosoftDriverVersion": "10.0.19041.1",
        "basicServiceSetIdentifier": "-".join(f"{rng.randrange(256):02x}" for _ in range(6)),
    }


def device_of(rng: random.Random) -> Json:
    """One deviceInfo."""
    body: Json = {
        "captureDeviceName": rng.choice(names.CAPTURE_DEVICES),
        "captureDeviceDriver": "Realtek Semiconductor Corp.: 6.0.9235.1",
        "renderDeviceName": rng.choice(names.RENDER_DEVICES),
        "renderDeviceDriver": "Microsoft: 10.0.19041.1",
        "micGlitchRate": round(rng.random() * 20, 3),
        "speakerGlitchRate": 0.0,
        "initialSignalLevelRootMeanSquare": round(rng.random() * 60, 5),
        "howlingEventCount": rng.randrange(2),
    }
    body |= {member: -rng.randrange(5, 70) for member in _SIGNAL}
    body |= {member: 0.0 if rng.random() < 0.8 else round(rng.random(), 4) for member in _RATIOS}
    return _thinned(rng, body)


def _seconds(value: float) -> str:
    return f"PT{value:.3f}S"


def _audio(rng: random.Random, *, poor: bool) -> Json:
    jitter = rng.uniform(0.031, 0.09) if poor else rng.uniform(0.001, 0.02)
    loss = round(rng.uniform(0.11, 0.4) if poor and rng.random() < 0.4 else rng.uniform(0, 0.02), 6)
    trip = rng.uniform(0.51, 1.4) if poor and rng.random() < 0.3 else rng.uniform(0.01, 0.2)
    muted = rng.random() < 0.12
    return {
        "audioCodec": rng.choices(("satin", "opus", "silkWide", "g722", "unknown"), (60, 15, 15, 5, 5))[0],
        "averageJitter": _seconds(jitter),
        "maxJitter": _seconds(jitter * 3),
        "averageAudioNetworkJitter": _seconds(jitter * 0.9),
        "maxAudioNetworkJitter": _seconds(jitter * 2.7),
        "averageRoundTripTime": _seconds(trip),
        "maxRoundTripTime": _seconds(trip * 2),
        "averagePacketLossRate": loss,
        "maxPacketLossRate": min(1.0, round(loss * 4, 6)),
        "averageAudioDegradation": round(rng.random() * 0.6, 4),
        "averageRatioOfConcealedSamples": round(rng.random() * 0.04, 6),
        "maxRatioOfConcealedSamples": round(rng.random() * 0.3, 6),
        "packetUtilization": 0 if muted else rng.randrange(600 if poor else 80, 90_000),
        "averageBandwidthEstimate": rng.randrange(100_000, 12_000_000),
        "isAudioForwardErrorCorrectionUsed": rng.random() < 0.7,
        "wasMediaBypassed": None,
    }


def _video(rng: random.Random, *, poor: bool, sharing: bool = False) -> Json:
    slow, fast = ((0.2, 1.9), (3.0, 30.0)) if sharing else ((1.0, 6.5), (9.0, 30.0))
    rate = round(rng.uniform(*(slow if poor else fast)), 3)
    jitter = rng.uniform(0.005, 0.45)
    return {
        "videoCodec": rng.choices(("h264", "av1", "unknown"), (80, 15, 5))[0],
        "averageVideoFrameRate": rate,
        "averageReceivedFrameRate": rate,
        "averageVideoFrameLossPercentage": None if rng.random() < 0.5 else rng.uniform(51, 90) if poor else 1.5,
        "averageVideoPacketLossRate": round(rng.random() * 0.02, 6),
        "postForwardErrorCorrectionPacketLossRate": round(rng.random() * 0.03, 6),
        "lowFrameRateRatio": 0.8 if poor else 0.0,
        "lowVideoProcessingCapabilityRatio": 0.0,
        "averageFreezeDuration": _seconds(rng.random()),
        "rmsFreezeDuration": _seconds(rng.random()),
        "averageJitter": _seconds(jitter),
        "maxJitter": _seconds(jitter * 2),
        "averageRoundTripTime": _seconds(rng.uniform(0.01, 0.3)),
        "averagePacketLossRate": round(rng.random() * 0.01, 6),
        "packetUtilization": rng.randrange(100, 400_000),
        "averageBandwidthEstimate": rng.randrange(500_000, 20_000_000),
    }


@dataclass(slots=True)
class StreamPools:
    """Ready figures by media label: drawing one costs a choice, which is what holds 300 records a second.

    Attributes:
        seed: decides every figure.
        poor_every: of so many figures one is poor; 0: none is.
    """

    seed: int
    poor_every: int = 8
    _pools: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])

    def draw(self, rng: random.Random, label: str) -> Json:
        """The figures of one stream; shared objects, to be copied before a change."""
        if label not in self._pools:
            self._pools[label] = self._fill(label)
        return self._pools[label][int(rng.random() * _POOL)]

    def _fill(self, label: str) -> list[Json]:
        rng = random.Random(f"{self.seed}/{label}")
        return [
            _thinned(rng, self._figures(rng, label, poor=self.poor_every > 0 and number % self.poor_every == 0))
            for number in range(_POOL)
        ]

    @staticmethod
    def _figures(rng: random.Random, label: str, *, poor: bool) -> Json:
        if "audio" in label:
            return _audio(rng, poor=poor)
        return _video(rng, poor=poor, sharing="applicationsharing" in label)
