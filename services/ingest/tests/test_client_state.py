"""clientState: vectors, rotation, the keys file, the URL's query."""

import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_common.errors import ConfigError
from ringback_ingest.client_state import (
    MAX_LENGTH,
    READERS_KNOW_AFTER,
    Key,
    KeyRing,
    KeyStatus,
    NotificationQuery,
    client_state,
    keys_of,
    matches,
    new_keys_file,
)

SETTING = "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE"
LEAVES = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("secret", "tenant", "slot", "expected"),
    [
        (
            bytes(32),
            "dc368399-474c-4d40-900c-6265431fd81f",
            "callrecords",
            "k1.ApIkJxPIe9Boj3h3VEQ8kxVAf7LZltoeYMlHPBUxA6w",
        ),
        (
            bytes(range(32)),
            "dc368399-474c-4d40-900c-6265431fd81f",
            "emergency:all",
            "k1.2GqJvADHtUSJTG98-lA4zx7XJpR1eJlXMovdfponrE8",
        ),
    ],
)
def test_golden_vectors(secret: bytes, tenant: str, slot: str, expected: str) -> None:
    """A changed formula would make every live subscription's notifications look forged."""
    assert client_state(Key("k1", secret), tenant, slot) == expected


def test_tenant_is_canonical() -> None:
    """Graph's casing of a tenant id does not change the proof."""
    key = Key("k1", bytes(32))
    assert client_state(key, "ABCDEF00-0000-0000-0000-000000000000", "s") == client_state(
        key, "abcdef00-0000-0000-0000-000000000000", "s"
    )


def test_longest_fits_graph() -> None:
    """The longest key id still gives a clientState that Graph takes."""
    assert len(client_state(Key("k" * 32, bytes(32)), "t", "s")) <= MAX_LENGTH


def test_old_key_is_valid_until_its_end(ring: KeyRing) -> None:
    """During a rotation both keys prove a notification, afterwards only the new one."""
    before, after = LEAVES - timedelta(seconds=1), LEAVES
    assert (len(ring.expected("t", "s", before)), len(ring.expected("t", "s", after))) == (2, 1)
    assert (ring.valid_kids(before), ring.valid_kids(after)) == ({"k1", "k2"}, {"k2"})


FROM = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def test_a_new_key_signs_from_its_moment_on(ring: KeyRing) -> None:
    """A webhook checks with the new key at once; until `active_from` the keeper goes on signing with the old one."""
    rotated = replace(ring, active_from=FROM)
    assert [rotated.signing(now).kid for now in (FROM - INSTANT, FROM)] == ["k1", "k2"]
    assert rotated.valid_kids(FROM - INSTANT) == {"k1", "k2"}


def test_a_key_that_has_just_come_does_not_sign_yet(ring: KeyRing) -> None:
    """Whatever the file says: who has just read a key signs with the old one until every other reader has read it."""
    known = {"k2": FROM}
    ready = FROM + READERS_KNOW_AFTER
    assert [ring.signing(now, known).kid for now in (FROM, ready - INSTANT, ready)] == ["k1", "k1", "k2"]
    late = replace(ring, active_from=ready + INSTANT)
    assert [late.signing(now, known).kid for now in (ready, ready + INSTANT)] == ["k1", "k2"]


def test_the_only_valid_key_signs_at_once(ring: KeyRing) -> None:
    """Where the old key has ended or left the file nothing else may sign, and no subscription would be worse."""
    alone = KeyRing(ring.active, (ring.active,), active_from=LEAVES + timedelta(days=1))
    assert alone.signing(FROM, {"k2": FROM}).kid == "k2"
    assert replace(ring, active_from=LEAVES + timedelta(days=1)).signing(LEAVES).kid == "k2"


def test_the_key_that_is_valid_longest_signs_meanwhile(ring: KeyRing) -> None:
    """Of several old keys the one without an end, else the one that ends last."""
    ends_later = Key("k0", b"c" * 32, LEAVES + timedelta(hours=1))
    lasting = Key("k3", b"d" * 32)
    of_three = KeyRing(ring.active, (*ring.keys, ends_later), active_from=LEAVES)
    assert of_three.signing(FROM).kid == "k0"
    assert replace(of_three, keys=(*of_three.keys, lasting)).signing(FROM).kid == "k3"


@pytest.mark.parametrize(
    ("kid", "now", "key_status"),
    [
        ("k2", LEAVES, KeyStatus.VALID),
        ("k1", LEAVES - INSTANT, KeyStatus.VALID),
        ("k1", LEAVES, KeyStatus.ENDED),
        ("k0", FROM, KeyStatus.WITHDRAWN),
        ("", FROM, KeyStatus.UNKNOWN),
        ("k9", FROM, KeyStatus.UNKNOWN),
    ],
)
def test_the_status_of_a_key_id(ring: KeyRing, kid: str, now: datetime, key_status: KeyStatus) -> None:
    """What the file says of a key id decides whether one waits for its key."""
    assert replace(ring, withdrawn=frozenset({"k0"})).key_status(kid, now) is key_status


def test_every_candidate_is_compared() -> None:
    """A match on the first key takes as long as one on the last: nothing tells which key is in use."""
    compared: list[bytes] = []

    def candidates() -> Iterator[bytes]:
        for candidate in (b"right", b"other", b"third"):
            compared.append(candidate)
            yield candidate

    assert matches(b"right", candidates())
    assert compared == [b"right", b"other", b"third"]


def test_comparison_is_constant_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every comparison is the standard library's constant-time one, on bytes."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert not matches(b"x", (b"a", b"b"))
    assert compared == [(b"x", b"a"), (b"x", b"b")]


@given(st.binary(max_size=200))
def test_only_the_exact_value_matches(presented: bytes) -> None:
    """Nothing but the whole value is accepted, whatever its length."""
    expected = client_state(Key("k1", bytes(32)), "t", "s").encode()
    assert matches(presented, (expected,)) == (presented == expected)


def test_keys_file_round_trip() -> None:
    """What is written for a first installation is read again as it was."""
    ring = keys_of(new_keys_file("k1", bytes(range(32))), SETTING)
    assert ring == KeyRing(Key("k1", bytes(range(32))), (Key("k1", bytes(range(32))),))


SECRET = "A" * 43
ENDS = "2026-11-23T00:00:00Z"


def test_a_whole_rotation_is_one_file() -> None:
    """The new key, when it takes over, the end of the old one and what was withdrawn stand in one file."""
    rotation = {
        "active": "k2",
        "active_from": "2026-11-22T19:00:00Z",
        "keys": [{"kid": "k1", "secret": SECRET, "valid_until": ENDS}, {"kid": "k2", "secret": SECRET}],
        "withdrawn": ["k0"],
    }
    ring = keys_of(json.dumps(rotation).encode(), SETTING)
    assert (ring.active.kid, ring.active_from, ring.withdrawn) == (
        "k2",
        datetime(2026, 11, 22, 19, 0, tzinfo=UTC),
        {"k0"},
    )


MISTAKES = {
    "old key ends too early": json.dumps(
        {
            "active": "k2",
            "active_from": "2026-11-22T19:00:01Z",
            "keys": [{"kid": "k1", "secret": SECRET, "valid_until": ENDS}, {"kid": "k2", "secret": SECRET}],
        }
    ).encode(),
    "active_from without zone": json.dumps(
        {"active": "k1", "active_from": "2026-11-22T19:00:00", "keys": [{"kid": "k1", "secret": SECRET}]}
    ).encode(),
    "withdrawn and listed": json.dumps(
        {"active": "k1", "keys": [{"kid": "k1", "secret": SECRET}], "withdrawn": ["k1"]}
    ).encode(),
    "withdrawn with a dot": json.dumps(
        {"active": "k1", "keys": [{"kid": "k1", "secret": SECRET}], "withdrawn": ["k.1"]}
    ).encode(),
    "not JSON": b"active: k1",
    "no key": b'{"active": "k1", "keys": []}',
    "active unknown": json.dumps({"active": "k2", "keys": [{"kid": "k1", "secret": SECRET}]}).encode(),
    "active ends": json.dumps(
        {
            "active": "k1",
            "keys": [{"kid": "k1", "secret": SECRET, "valid_until": "2026-11-23T00:00:00Z"}],
        }
    ).encode(),
    "short secret": json.dumps({"active": "k1", "keys": [{"kid": "k1", "secret": "QUJD"}]}).encode(),
    "not base64": json.dumps({"active": "k1", "keys": [{"kid": "k1", "secret": "A"}]}).encode(),
    "kid with a dot": json.dumps({"active": "k.1", "keys": [{"kid": "k.1", "secret": SECRET}]}).encode(),
    "kid twice": json.dumps({"active": "k1", "keys": [{"kid": "k1", "secret": SECRET}] * 2}).encode(),
    "misspelt member": json.dumps({"active": "k1", "keys": [{"kid": "k1", "secret": SECRET, "until": 1}]}).encode(),
}


@pytest.mark.parametrize("content", MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_in_the_keys_file_is_one_sentence(content: bytes) -> None:
    """A keys file that cannot be used names its setting and quotes no secret."""
    with pytest.raises(ConfigError) as mistake:
        keys_of(content, SETTING)
    sentence = str(mistake.value)
    assert sentence.startswith(SETTING)
    assert "\n" not in sentence
    assert SECRET not in sentence


def test_no_secret_in_the_representation(ring: KeyRing) -> None:
    """A key ring that ends up in a log or a traceback shows no secret."""
    assert "aaaa" not in repr(ring)


QUERY = NotificationQuery("callrecords", "k1", "prod-eu")


@pytest.mark.parametrize(
    "url", ["https://hooks.example/graph/notifications", "https://hooks.example/s3cret?tier=a%26b"]
)
def test_query_travels_in_the_url(url: str) -> None:
    """What is added to a URL is read from it again, and the URL's own query stays."""
    added = QUERY.added_to(url)
    assert added.startswith(url)
    assert NotificationQuery.of_url(added) == QUERY


@pytest.mark.parametrize("query", ["", "slot=&kid=", "slot=a&slot=b", "kid=k1", "x" * 10, "slot"])
def test_missing_or_repeated_slot_matches_nothing(query: str) -> None:
    """A query that leaves the slot open names none, and so no clientState can match."""
    assert NotificationQuery.of(query).slot == ""


@given(st.text(max_size=300))
def test_hostile_queries_and_urls(text: str) -> None:
    """A URL that Graph lists may be anybody's: reading it never raises."""
    assert NotificationQuery.of_url("https://h/?" + text) is not None
