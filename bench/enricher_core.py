"""What one record costs the enricher's core, in CPU milliseconds per stage: `python bench/enricher_core.py [records]`.

The record is a meeting of five with audio, video and sharing: some 50 KB of JSON, what Graph's records have on average.
Each differs in its times, addresses and measures, so that caches help as much as they do in production and no more.
"""

import gc
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1, RULES_NUMBER
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.publishing import publication
from ringback_events.project import project
from ringback_events.tokens import Pseudonymizer, TokenKeys, TokenPolicy

TENANT = "0f6dd8a1-4b7c-4d36-9f10-2b1f8c1f3a77"
DIALOGUES = (("main-audio", "opus"), ("main-video", "h264"), ("applicationsharing-video", "h264"))


def _time(start: datetime, seconds: float) -> str:
    return (start + timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "7Z")


def _network(rng: random.Random, address: str) -> dict[str, Any]:
    return {
        "connectionType": rng.choice(["wired", "wifi"]),
        "networkTransportProtocol": "udp",
        "wifiBand": "frequency50GHz",
        "wifiRadioType": "wifi80211ac",
        "ipAddress": address,
        "subnet": address.rsplit(".", 1)[0] + ".0",
        "reflexiveIPAddress": f"203.0.113.{rng.randrange(1, 250)}",
        "relayIPAddress": f"198.51.100.{rng.randrange(1, 250)}",
        "relayPort": 3478,
        "port": rng.randrange(50_000, 50_059),
        "macAddress": "00-00-5E-00-53-01",
        "linkSpeed": 866_000_000,
        "basicServiceSetIdentifier": "00-00-5E-00-53-AF",
        "dnsSuffix": None,
        "bandwidthLowEventRatio": 0.0,
        "delayEventRatio": rng.random() / 100,
        "receivedQualityEventRatio": 0.0,
        "sentQualityEventRatio": 0.0,
        "wifiSignalStrength": rng.randrange(40, 100),
        "wifiChannel": 36,
        "traceRouteHops": [],
    }


def _stream(rng: random.Random, direction: str, codec: str, begin: str, end: str) -> dict[str, Any]:
    audio = codec == "opus"
    return {
        "streamId": str(rng.randrange(10**9)),
        "streamDirection": direction,
        "startDateTime": begin,
        "endDateTime": end,
        "audioCodec": codec if audio else "unknown",
        "videoCodec": "unknown" if audio else codec,
        "averageJitter": f"PT0.0{rng.randrange(10, 50)}S",
        "maxJitter": f"PT0.{rng.randrange(50, 400):03}S",
        "averageRoundTripTime": f"PT0.{rng.randrange(10, 300):03}S",
        "maxRoundTripTime": f"PT0.{rng.randrange(100, 900):03}S",
        "averagePacketLossRate": round(rng.random() / 10, 6),
        "maxPacketLossRate": round(rng.random() / 5, 6),
        "packetUtilization": rng.randrange(200, 90_000),
        "averageBandwidthEstimate": rng.randrange(10**6, 10**7),
        "averageAudioDegradation": round(rng.random(), 4) if audio else None,
        "averageRatioOfConcealedSamples": round(rng.random() / 10, 6) if audio else None,
        "averageVideoFrameRate": None if audio else round(rng.random() * 30, 3),
        "averageVideoFrameLossPercentage": None if audio else round(rng.random() * 5, 3),
        "postForwardErrorCorrectionPacketLossRate": round(rng.random() / 50, 6),
        "averageReceivedFrameRate": None,
        "isAudioForwardErrorCorrectionUsed": audio,
        "lowFrameRateRatio": None,
        "wasMediaBypassed": False,
    }


def _session(rng: random.Random, call: str, person: str, start: datetime) -> dict[str, Any]:
    begin, end = _time(start, rng.random() * 60), _time(start, 1800 + rng.random() * 600)
    address = f"10.{rng.randrange(4)}.{rng.randrange(20)}.{rng.randrange(1, 250)}"
    media = [
        {
            "label": label,
            "callerNetwork": _network(rng, address),
            "calleeNetwork": _network(rng, "52.112.0.10"),
            "callerDevice": {"captureDeviceName": "Headset", "renderDeviceName": "Headset", "micGlitchRate": 0.5},
            "calleeDevice": None,
            "streams": [_stream(rng, way, codec, begin, end) for way in ("callerToCallee", "calleeToCaller")],
        }
        for label, codec in DIALOGUES
    ]
    caller = {
        "@odata.type": "#microsoft.graph.callRecords.participantEndpoint",
        "name": "machine",
        "cpuCoresCount": 8,
        "userAgent": {
            "@odata.type": "#microsoft.graph.callRecords.clientUserAgent",
            "headerValue": "CallSignalingAgent (27/1.0.0.0//)",
            "platform": "windows",
            "productFamily": "teams",
            "applicationVersion": "27/1.0.0.2026",
        },
        "associatedIdentity": {
            "id": person,
            "displayName": "Megan Bowen",
            "tenantId": TENANT,
            "userPrincipalName": "megan@contoso.example",
        },
        "feedback": None,
    }
    callee = {
        "@odata.type": "#microsoft.graph.callRecords.serviceEndpoint",
        "userAgent": {
            "@odata.type": "#microsoft.graph.callRecords.serviceUserAgent",
            "role": "skypeForBusinessAudioVideoMcu",
            "headerValue": None,
            "applicationVersion": None,
        },
    }
    segment = {"id": call, "startDateTime": begin, "endDateTime": end, "failureInfo": None, "media": media}
    return {
        "id": f"{rng.getrandbits(32):08x}-0000-0000-0000-000000000000",
        "startDateTime": begin,
        "endDateTime": end,
        "modalities": ["audio", "video", "videoBasedScreenSharing"],
        "isTest": False,
        "failureInfo": None,
        "caller": caller,
        "callee": callee,
        "segments": [segment],
    }


def record(seed: int, people: int = 5) -> dict[str, Any]:
    """A synthetic meeting; another seed is another meeting."""
    rng = random.Random(seed)  # noqa: S311 - a benchmark's data, not a secret
    start = datetime(2026, 11, 2, 9, tzinfo=UTC) + timedelta(seconds=seed)
    ids = [f"{rng.getrandbits(32):08x}-1111-2222-3333-444455556666" for _ in range(people)]
    call = f"{rng.getrandbits(32):08x}-aaaa-bbbb-cccc-ddddeeeeffff"
    who = [{"id": each, "identity": {"user": {"id": each, "displayName": "A B", "tenantId": TENANT}}} for each in ids]
    return {
        "id": call,
        "version": 1,
        "type": "groupCall",
        "modalities": ["audio", "video", "videoBasedScreenSharing"],
        "lastModifiedDateTime": _time(start, 4000),
        "startDateTime": _time(start, 0),
        "endDateTime": _time(start, 2500),
        "joinWebUrl": "https://teams.example/l/meetup-join/19%3ameeting",
        "organizer_v2": who[0],
        "participants_v2": who,
        "sessions": [_session(rng, call, person, start) for person in ids],
    }


TABLES = RuleSet(CQD_2026_1, SiteMap([("10.1.0.0/16", "Berlin"), ("10.2.0.0/16", "Paris")]), RULES_NUMBER)
CONTEXT = RecordContext(TENANT, "5f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "2026-11-02T10:00:00Z", "2026-11-02T10:00:01Z")
TOKENS = Pseudonymizer(
    TokenKeys.model_validate({"active": "b1", "keys": {"b1": {"key": "A" * 64}}}),
    TokenPolicy.MONTHLY,
).for_parties_of


def _publish(derived: Any) -> Any:
    return publication(derived, TOKENS, replay=False, canary=False)


def _project(derived: Any) -> Any:
    return project(derived, TOKENS(derived))


STAGES: tuple[tuple[str, Callable[[Any], Any], str], ...] = (
    ("decode", orjson.loads, "encoded"),
    ("derive", lambda graph: derive(graph, CONTEXT, TABLES), "decode"),
    ("publish (all below)", _publish, "derive"),
    ("  project and tokens", _project, "derive"),
    ("  encode restricted", orjson.dumps, "derive"),
)
"""Name, work, and the stage whose result it works on."""


def measure(encoded: list[bytes]) -> dict[str, float]:
    """CPU milliseconds per record and stage."""
    spent = {name: 0.0 for name, _, _ in STAGES}
    for each in encoded:
        results: dict[str, Any] = {"encoded": each}
        for name, work, source in STAGES:
            began = time.process_time_ns()
            results[name] = work(results[source])
            spent[name] += time.process_time_ns() - began
    return {name: nanoseconds / len(encoded) / 1e6 for name, nanoseconds in spent.items()}


def main() -> None:
    """Warm up, measure, print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    encoded = [orjson.dumps(record(seed)) for seed in range(count)]
    gc.freeze()
    gc.set_threshold(100_000)
    measure(encoded[: count // 5])
    spent = measure(encoded)
    print(f"{count} records of {sum(map(len, encoded)) / count / 1000:.1f} kB, CPU ms per record")
    for name, milliseconds in spent.items():
        print(f"  {name:24}{milliseconds:8.3f}")
    print(f"  {'decode, derive, publish':24}{sum(spent[name] for name, _, _ in STAGES[:3]):8.3f}")


if __name__ == "__main__":
    main()
