"""No secret of Graph's payload in the open tier: marked people, whole records, every leaf, every disguise."""

import base64
import re
import unicodedata
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from ringback_common.outcomes import Message, Reject
from ringback_enricher.core.derive.record import RecordContext, RuleSet, derive
from ringback_enricher.core.derive.rules import CQD_2026_1
from ringback_enricher.core.derive.sites import SiteMap
from ringback_enricher.core.publishing import publication
from ringback_events.tokens import MasterKey, Pseudonymizer, TokenKeys, TokenPolicy
from ringback_events.topics import RECORDS
from ringback_testing.graph_payloads import Json, records, spots
from ringback_testing.graph_records import CALL, TENANT
from ringback_testing.properties import examples

pytestmark = pytest.mark.timeout(400)  # a failure is shrunk for up to 5 min

TABLES = RuleSet(CQD_2026_1, SiteMap((("10.0.0.0/8", "Campus"),)), revision=1)
CONTEXT = RecordContext(TENANT, CALL, "2026-11-02T09:55:00Z", "2026-11-02T09:55:01Z")
KEYS = TokenKeys(active="k1", keys={"k1": MasterKey.model_validate({"key": base64.b64encode(b"k" * 32).decode()})})
TOKEN = re.compile(r"u1_k1_[a-z2-7]{26}")

# Members whose content is personal wherever they stand, and a form in which Graph writes them.
NAMES = frozenset({"displayName", "text", "reason", "cpuName", "captureDeviceName", "renderDeviceName", "undeclared"})
FORMS: dict[str, str] = {
    "userPrincipalName": "{word}.{number:06}@contoso.example",
    "email": "{word}.{number:06}@contoso.example",
    "name": "LAPTOP-{word}-{number:06}",
    "dnsSuffix": "{word}{number:06}.corp.example",
    "ipAddress": "{net}.{a}.{b}.{c}",
    "reflexiveIPAddress": "203.{a}.{b}.{c}",
    "relayIPAddress": "52.{a}.{b}.{c}",
    "subnet": "10.{a}.{b}.{c}",
    "macAddress": "AC-{a:02X}-{b:02X}-{c:02X}-5E-5F",
    "basicServiceSetIdentifier": "BC-{a:02X}-{b:02X}-{c:02X}-7E-7F",
    "headerValue": "UA/7 ({word} of person {number:06})",
    "joinWebUrl": "https://teams.example/l/meetup-join/19%3a{word}{number:06}",
    **dict.fromkeys(NAMES, "{word} Ångström-{number:06}"),
}
IDENTITIES = ("{a:08x}-{b:04x}-4000-8000-{number:012d}", "+4930{number:08d}", "teamsvisitor:{number:08x}{a:02x}")


def marked(graph: Json, seed: int) -> list[str]:
    """Put a person of their own into every personal member, in place; returns all that was put in."""
    secrets: list[str] = []

    def secret(form: str) -> str:
        number = 100_000 + (seed * 7919 + len(secrets) * 104_729) % 899_999
        word = "".join(chr(ord("g") + (number >> shift) % 20) for shift in (0, 3, 6, 9, 12))
        parts = {
            "net": (10, 81)[number % 2],
            "a": 101 + number % 150,
            "b": 102 + number // 150 % 150,
            "c": 103 + number // 7 % 150,
        }
        secrets.append(form.format(word=word.capitalize(), number=number, **parts))
        return secrets[-1]

    for spot in list(spots(graph)):
        name = spot.path[-1]
        if not isinstance(spot.value, str):
            continue
        if name in FORMS:
            spot.holder[spot.at] = secret(FORMS[name])
        elif name == "id" and _names_somebody(spot.path):
            spot.holder[spot.at] = secret(IDENTITIES[len(secrets) % len(IDENTITIES)])
        elif name == "tenantId":
            spot.holder[spot.at] = secret(IDENTITIES[0])
    return secrets


def _names_somebody(path: tuple[str, ...]) -> bool:
    above = {"organizer", "organizer_v2", "participants", "participants_v2", "associatedIdentity", "identity"}
    return bool(above & set(path)) and "administrativeUnitInfos" not in path


def disguises(secret: str) -> Iterator[str]:
    """The forms in which a value could slip through and still be read by whoever looks."""
    raw = secret.encode()
    for each in {secret, unicodedata.normalize("NFD", secret), secret.replace("-", ":"), re.sub(r"[-:.]", "", secret)}:
        yield each
        yield each[::-1]
    yield raw.hex()
    for shift in range(3):  # base64 of a text within another text has three forms; the edges depend on what is beside
        yield base64.b64encode(b"\0" * shift + raw)[shift + (shift > 0) : -4].decode()
        yield base64.urlsafe_b64encode(b"\0" * shift + raw)[shift + (shift > 0) : -4].decode()
    yield base64.b32encode(raw)[:-8].decode()


def texts(message: Message) -> Iterator[str]:
    """Everything readable of a message: every member's name and value, its key, its headers."""
    yield from (
        text for spot in spots(orjson.loads(message.value or b"null")) for text in (str(spot.at), str(spot.value))
    )
    yield message.key.decode()
    for name, value in message.headers:
        yield from (name, value.decode())


def opened(graph: Json, policy: TokenPolicy) -> tuple[Json, list[Message]]:
    """The restricted record and every message of the open tier."""
    stages = publication(
        derive(graph, CONTEXT, TABLES), Pseudonymizer(KEYS, policy).for_parties_of, replay=False, canary=False
    )
    assert not isinstance(stages, Reject)
    messages = [message for stage in stages for message in stage]
    assert [message.topic == RECORDS.name for message in messages] == [True] + [False] * (len(messages) - 1)
    return orjson.loads(messages[0].value or b""), messages[1:]


@examples(50)
@given(records(), st.integers(0, 2**20), st.sampled_from(TokenPolicy))
def test_no_marked_person_of_graph_s_payload_reaches_the_open_tier(drawn: Json, seed: int, policy: TokenPolicy) -> None:
    """Plain, reversed, in another case or Unicode form, in hex, base64 or base32: in no leaf, name, key or header."""
    graph = orjson.loads(orjson.dumps(drawn))
    secrets = marked(graph, seed)
    restricted, messages = opened(graph, policy)
    found = "\n".join(text for message in messages for text in texts(message)).casefold()
    for secret in secrets:
        leaks = [form for form in disguises(secret) if len(form) >= 6 and form.casefold() in found]
        assert not leaks, (secret, leaks)
    event(f"{len(secrets) // 20 * 20}+ secrets")
    kept = orjson.dumps(restricted).decode()
    assert all(orjson.dumps(secret).decode() in kept for secret in secrets)  # they did enter


@examples(30)
@given(records(), st.integers(0, 2**20), st.sampled_from(TokenPolicy))
def test_tokens_join_a_person_as_the_policy_says(drawn: Json, seed: int, policy: TokenPolicy) -> None:
    """No token under `none`; else equal tokens for equal people only, within a month or for ever."""
    graph = orjson.loads(orjson.dumps(drawn))
    marked(graph, seed)
    restricted, messages = opened(graph, policy)
    tokens = [party["token"] for party in orjson.loads(messages[-1].value or b"")["parties"]]
    people = [str(party["phoneNumber"] or party["id"]) for party in restricted["parties"]]
    named = {person: token for person, token in zip(people, tokens, strict=True) if token is not None}
    assert all(TOKEN.fullmatch(token) for token in named.values())
    assert len(set(named.values())) == len(named)
    if policy is TokenPolicy.NONE or (policy is TokenPolicy.MONTHLY and restricted["startDateTime"] is None):
        assert not named
    elif policy is TokenPolicy.STABLE:
        moved = graph | {"startDateTime": "2031-01-01T00:00:00Z"}
        assert [
            party["token"] for party in orjson.loads(opened(moved, policy)[1][-1].value or b"")["parties"]
        ] == tokens


FACTS = {
    "type", "version", "durationMs", "startDateTime", "counts", "sessionCount", "anomalies", "emergencySuspected",
    "lastModifiedDateTime", "receivedAt", "fetchedAt", "revision", "callId", "tenantId", "endDateTime", "sites",
}  # fmt: skip
OF_A_STREAM = {
    "averageJitterMs", "maxJitterMs", "averagePacketLossRate", "packetUtilization", "averageBandwidthBps", "streamId",
    "verdict", "verdictMetric", "wasMediaBypassed", "startDateTime", "receiverParty", "averageVideoFrameRate", "kind",
}  # fmt: skip


def prefix_of(address: str | None) -> str | None:
    """The /24 or /48 of a public address; the addresses drawn are of few kinds."""
    if address is None or not re.fullmatch(r"[0-9.]{7,}", address) or address.startswith(("10.", "999.")):
        return None
    return address.rpartition(".")[0] + ".0/24"


@examples(30)
@given(records())
def test_what_is_technical_survives(drawn: Json) -> None:
    """The open tier is no empty tier: facts, metrics, verdicts, prefixes and counts are those of the restricted one."""
    graph: Json = orjson.loads(orjson.dumps(drawn))
    marked(graph, 1)
    graph["type"] = "groupCall"
    restricted, messages = opened(graph, TokenPolicy.MONTHLY)
    *sessions, marker, call = (orjson.loads(message.value or b"") for message in messages)
    assert {name: call[name] for name in FACTS} == {name: restricted[name] for name in FACTS}
    assert (marker["completed"], marker["sessionCount"]) == (True, len(sessions))
    assert len(sessions) == len(restricted["sessions"])
    for open_session, session in zip(sessions, restricted["sessions"], strict=True):
        assert open_session["sessionId"] == session["sessionId"]
        for open_stream, stream in zip(open_session["streams"], session["streams"], strict=True):
            assert {name: open_stream[name] for name in OF_A_STREAM} == {name: stream[name] for name in OF_A_STREAM}
            for side in ("callerNetwork", "calleeNetwork"):
                reported: Json = stream[side] or {}
                cut: Json = open_stream[side] or {}
                assert cut.get("networkPrefix") == prefix_of(reported.get("ipAddress"))
                assert cut.get("reflexivePrefix") == prefix_of(reported.get("reflexiveIpAddress"))
                assert cut.get("linkSpeedBps") == reported.get("linkSpeedBps")
