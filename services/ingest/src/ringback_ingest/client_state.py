"""clientState: the only proof that a notification comes from a subscription of ours.

Graph signs nothing on basic notifications; it echoes the clientState a subscription was created with. Ours is
`<kid>.` + base64url(HMAC-SHA256(key[kid], tenant | slot)), so the webhook recomputes it and needs no store. Slot and
kid travel in the notification URL's query, which Graph keeps on every POST. Several keys are valid at once while one
replaces another, because Graph retries a delivery for four hours with the clientState of the old subscription.

A key proves a notification as soon as a webhook has read it, and signs a subscription only when every webhook can have
read it (docs/adr/0032-keys-are-known-before-they-sign.md).
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ringback_common.errors import ConfigError

__all__ = [
    "CALL_RECORDS",
    "READERS_KNOW_AFTER",
    "RETRIED_FOR",
    "Key",
    "KeyRing",
    "KeyStatus",
    "NotificationQuery",
    "client_state",
    "is_kid",
    "keys_of",
    "new_keys_file",
]

CALL_RECORDS = "callrecords"
"""The slot of a tenant's call record subscription."""

MAX_LENGTH = 128
"""Characters of a clientState that every version of Graph's documentation allows."""

READERS_KNOW_AFTER = timedelta(minutes=5)
"""Between a change of the keys file and the moment by which every process has read it: a mounted Kubernetes secret
follows within two minutes, and each process reads its file every 10 s."""

RETRIED_FOR = timedelta(hours=5)
"""How long an old key stays valid behind the activation of a new one: Graph repeats a delivery for 4 h."""

_KID = r"[A-Za-z0-9_-]{1,32}"
_MIN_SECRET = 32
"""Bytes; HMAC-SHA-256 gains nothing from more and is weaker with less."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Key:
    """One signing key. `valid_until` None: in force until the file says otherwise."""

    kid: str
    secret: bytes = field(repr=False)
    valid_until: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Whether a notification signed with it is still accepted."""
        return self.valid_until is None or now < self.valid_until


def is_kid(text: str) -> bool:
    """Whether a key may have this id."""
    return re.fullmatch(_KID, text) is not None


def client_state(key: Key, tenant_id: str, slot: str) -> str:
    """The clientState of a tenant's subscription in a slot; at most 76 characters."""
    digest = hmac.digest(key.secret, f"{tenant_id.lower()}|{slot}".encode(), "sha256")
    return f"{key.kid}.{urlsafe_b64encode(digest).rstrip(b'=').decode()}"


class KeyStatus(StrEnum):
    """What the keys file says about a key id."""

    VALID = "valid"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """What a keys file holds.

    Attributes:
        active: the key that signs new subscriptions, once it may: see `signing`.
        keys: all keys that prove a notification, `active` among them.
        active_from: before this moment `active` signs nothing; None: no such moment.
        withdrawn: ids of keys that are gone for good; what still carries one is not waited for.
    """

    active: Key
    keys: tuple[Key, ...]
    active_from: datetime | None = None
    withdrawn: frozenset[str] = frozenset()

    def signing(self, now: datetime, known_since: Mapping[str, datetime] | None = None) -> Key:
        """The key that signs what is created at `now`.

        It is `active`, unless `active_from` is still to come or this process has known the key for less than
        `READERS_KNOW_AFTER`: then it is the other valid key that is valid longest, if there is one.

        Args:
            now: the wall clock.
            known_since: key id -> when this process first read it, of keys that a change of the file brought.
        """
        known = (known_since or {}).get(self.active.kid, _LONG_AGO)
        if now >= max(self.active_from or _LONG_AGO, known + READERS_KNOW_AFTER):
            return self.active
        others = (key for key in self.keys if key.kid != self.active.kid and key.valid(now))
        return max(others, key=lambda key: key.valid_until or _FOR_EVER, default=self.active)

    def key_status(self, kid: str, now: datetime) -> KeyStatus:
        """What is to be thought of something that carries a key id."""
        if kid in self.withdrawn:
            return KeyStatus.WITHDRAWN
        key = next((key for key in self.keys if key.kid == kid), None)
        if key is None:
            return KeyStatus.UNKNOWN
        return KeyStatus.VALID if key.valid(now) else KeyStatus.ENDED

    def valid_kids(self, now: datetime) -> frozenset[str]:
        """The key ids a live subscription of ours may carry."""
        return frozenset(key.kid for key in self.keys if key.valid(now))

    def expected(self, tenant_id: str, slot: str, now: datetime) -> tuple[bytes, ...]:
        """Every clientState a genuine notification of this tenant may echo now."""
        return tuple(client_state(key, tenant_id, slot).encode() for key in self.keys if key.valid(now))


def matches(presented: bytes, expected: Iterable[bytes]) -> bool:
    """Whether one of `expected` was presented, in a time that reveals neither which nor how nearly."""
    found = False
    for candidate in expected:
        found |= hmac.compare_digest(presented, candidate)
    return found


@dataclass(frozen=True, slots=True)
class NotificationQuery:
    """What a notification URL's query says about the subscription behind it; none of it is a secret."""

    slot: str = ""
    kid: str = ""
    installation: str = ""

    @classmethod
    def of(cls, query: str) -> "NotificationQuery":
        """Read a query; what is missing or repeated stays empty, so that nothing can match it."""
        found: dict[str, str] = {}
        for name, value in parse_qsl(query, max_num_fields=16):
            found[name] = "" if name in found else value
        return cls(found.get("slot", ""), found.get("kid", ""), found.get("installation", ""))

    @classmethod
    def of_url(cls, url: str) -> "NotificationQuery":
        """Read the query of a whole notification URL, as Graph shows it on a subscription."""
        try:
            return cls.of(urlsplit(url).query)
        except ValueError:
            return cls()

    def added_to(self, url: str) -> str:
        """The URL with this query; what its own query held is kept, so a secret path or gateway key may stand there."""
        parts = urlsplit(url)
        ours = urlencode({"slot": self.slot, "kid": self.kid, "installation": self.installation})
        return urlunsplit(parts._replace(query=f"{parts.query}&{ours}" if parts.query else ours))


class _KeyEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kid: str = Field(pattern=f"^{_KID}$")
    secret: str
    valid_until: AwareDatetime | None = None

    def key(self) -> Key:
        padded = self.secret + "=" * (-len(self.secret) % 4)
        return Key(self.kid, urlsafe_b64decode(padded), self.valid_until)


class _KeysFile(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    active: str
    active_from: AwareDatetime | None = None
    keys: list[_KeyEntry] = Field(min_length=1, max_length=8)
    withdrawn: list[Annotated[str, Field(pattern=f"^{_KID}$")]] = Field(default=[], max_length=64)

    @model_validator(mode="after")
    def _active_is_lasting(self) -> "_KeysFile":
        kids = [entry.kid for entry in self.keys]
        if len(set(kids)) != len(kids):
            raise ValueError("a kid is listed twice")
        if not any(entry.kid == self.active and entry.valid_until is None for entry in self.keys):
            raise ValueError("the active kid must be one of the keys and have no valid_until")
        if any(len(entry.key().secret) < _MIN_SECRET for entry in self.keys):
            raise ValueError(f"a secret has fewer than {_MIN_SECRET} bytes")
        if not set(kids).isdisjoint(self.withdrawn):
            raise ValueError("a withdrawn kid is among the keys")
        return self

    @model_validator(mode="after")
    def _old_keys_outlive_the_change(self) -> "_KeysFile":
        ends = [entry.valid_until for entry in self.keys if entry.valid_until is not None]
        if self.active_from is not None and any(end - self.active_from < RETRIED_FOR for end in ends):
            raise ValueError(
                "a valid_until is less than 5 h after active_from; a key that may not wait leaves the keys"
            )
        return self


def keys_of(content: bytes, setting: str) -> KeyRing:
    """Read a keys file.

    Args:
        content: JSON: `{"active": kid, "active_from"?, "keys": [{"kid", "secret": base64url, "valid_until"?}],
            "withdrawn"?: [kid]}`; times are RFC 3339 with an offset.
        setting: the variable that named the file, for the error's sentence.

    Raises:
        ConfigError: the file is not usable; the sentence says why and quotes nothing of it.
    """
    try:
        read = _KeysFile.model_validate_json(content)
    except ValidationError as invalid:
        first = invalid.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(
            f"{setting} is not a keys file: {place}: {first['msg'].removeprefix('Value error, ').rstrip('.')}."
        ) from None
    keys = tuple(entry.key() for entry in read.keys)
    active = next(key for key in keys if key.kid == read.active)
    return KeyRing(active, keys, read.active_from, frozenset(read.withdrawn))


def new_keys_file(kid: str, secret: bytes) -> bytes:
    """The content of a keys file with one key, for a first installation."""
    if not is_kid(kid) or len(secret) < _MIN_SECRET:
        raise ValueError("a kid has 1 to 32 letters, digits, _ or -; a secret at least 32 bytes")
    encoded = urlsafe_b64encode(secret).rstrip(b"=").decode()
    entry = _KeyEntry(kid=kid, secret=encoded)
    return _KeysFile(active=kid, keys=[entry]).model_dump_json(exclude_defaults=True, indent=2).encode()
