"""Tokens: keyed pseudonyms that join a person's calls in the open tier without naming the person.

    u1_<kid>_<26 base32> = first 128 bits of HMAC-SHA-256(key, "v1" NUL kind NUL period NUL canonical value)
    key                  = HMAC-SHA-256(master[kid], tenant)

The tenant and the kind separate domains: tokens of two tenants, two kinds or two months cannot be joined. `kid` makes a
rotation visible. Period is the UTC month of the call's start (`2026-11`) or empty for stable tokens; base32 is RFC 4648
in lower case without padding. Golden vectors: `contracts/token-vectors.json`.
"""

import base64
import binascii
import hmac
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from ringback_events.keys import canonical_id
from ringback_events.wire import CallRecordWire, PartyWire

__all__ = ["MasterKey", "Pseudonymizer", "TokenKeys", "TokenKind", "TokenPolicy", "canonical_value"]

_LEAST_KEY_BYTES = 32
_TOKEN_BYTES = 16
_NOT_DIALLED = str.maketrans("", "", " \t\u00a0()-./")
_PHONE = re.compile(r"\+?[0-9]{3,20}")
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:.-]?){5}[0-9A-Fa-f]{2}")


class TokenPolicy(StrEnum):
    """Setting `RINGBACK_PRIVACY__OPEN_TOKENS`: how long a token joins a person's calls."""

    NONE = "none"
    MONTHLY = "monthly"
    """Within one UTC month, that of the call's start."""
    STABLE = "stable"


class TokenKind(StrEnum):
    """What a token stands for."""

    USER = "user"
    """A directory object id, user principal name or visitor id."""
    PHONE = "phone"
    IP = "ip"
    DEVICE = "device"


class MasterKey(BaseModel):
    """One master key.

    Attributes:
        key: at least 32 random bytes, base64; decoded after validation.
        valid_until: when tokens made with it need no longer be recognised; None while it is active or overlaps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key: bytes = Field(repr=False)
    valid_until: AwareDatetime | None = None

    @field_validator("key", mode="before")
    @classmethod
    def _decode(cls, value: object) -> bytes:
        if not isinstance(value, str):
            raise ValueError("a master key is a base64 string")  # noqa: TRY004 - pydantic turns ValueError into its own
        try:
            key = base64.b64decode(value, validate=True)
        except binascii.Error:
            raise ValueError("a master key is not base64") from None
        if len(key) < _LEAST_KEY_BYTES:
            raise ValueError(f"a master key has fewer than {_LEAST_KEY_BYTES} bytes")
        return key


class TokenKeys(BaseModel):
    """The keys file (`RINGBACK_PRIVACY__KEYS_FILE`), once YAML or JSON has become a dict.

    Attributes:
        active: the kid new tokens are made with.
        keys: all keys by kid; a kid is 1 to 8 of a-z and 0-9.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    active: str
    keys: dict[str, MasterKey]

    @model_validator(mode="after")
    def _complete(self) -> "TokenKeys":
        if any(not re.fullmatch(r"[a-z0-9]{1,8}", kid) for kid in self.keys):
            raise ValueError("a kid is 1 to 8 characters of a-z and 0-9")
        if self.active not in self.keys:
            raise ValueError("the active kid has no key")
        if self.keys[self.active].valid_until is not None:
            raise ValueError("the active key may not run out")
        return self

    def valid(self, at: datetime) -> tuple[str, ...]:
        """The kids whose tokens must be recognised at this time, the active one first."""
        others = (kid for kid, key in sorted(self.keys.items()) if key.valid_until is None or at < key.valid_until)
        return (self.active, *(kid for kid in others if kid != self.active))


def canonical_value(kind: TokenKind, value: str) -> str | None:
    """The one spelling of a value, or None if it identifies no single user, number or device.

    A GUID in lower case; a user principal name NFKC and case-folded; any other user id as it is. A phone number without
    separators; a masked (`+49123***`) or withheld one gives None, for it would join strangers. An IP address in its
    compressed form. A hardware address as twelve hex digits; another device name NFKC and case-folded.
    """
    stripped = value.strip()
    return _CANONICAL[kind](stripped) if stripped else None


def _canonical_user(value: str) -> str:
    return _folded(value) if "@" in value else canonical_id(value)


def _canonical_phone(value: str) -> str | None:
    dialled = unicodedata.normalize("NFKC", value).translate(_NOT_DIALLED)
    return dialled if _PHONE.fullmatch(dialled) else None


def _canonical_ip(value: str) -> str | None:
    try:
        return ipaddress.ip_address(value).compressed
    except ValueError:
        return None


def _canonical_device(value: str) -> str:
    return re.sub(r"[:.-]", "", value).lower() if _MAC.fullmatch(value) else _folded(value)


def _folded(value: str) -> str:
    return unicodedata.normalize("NFKC", value).casefold()


_CANONICAL: dict[TokenKind, Callable[[str], str | None]] = {
    TokenKind.USER: _canonical_user,
    TokenKind.PHONE: _canonical_phone,
    TokenKind.IP: _canonical_ip,
    TokenKind.DEVICE: _canonical_device,
}


class Pseudonymizer:
    """Makes the tokens of one installation. Deterministic; keeps the tenants' derived keys in memory."""

    _MOST_TENANT_KEYS = 4096

    def __init__(self, keys: TokenKeys, policy: TokenPolicy) -> None:
        self._keys = keys
        self._policy = policy
        self._tenant_keys: dict[tuple[str, str], bytes] = {}

    def token(
        self, tenant_id: str, kind: TokenKind, value: str, *, start: str | None = None, kid: str | None = None
    ) -> str | None:
        """The token of a value, or None under the policy none or for a value without a canonical form.

        Args:
            tenant_id: the tenant whose data it is, canonical or not.
            kind: what the value is.
            value: in any spelling.
            start: the call's start as on the wire, UTC; under the policy monthly there is no token without it.
            kid: another key than the active one, to recognise older tokens.

        Raises:
            KeyError: no such kid.
        """
        period = self._period(start)
        canonical = canonical_value(kind, value) if period is not None else None
        if period is None or canonical is None:
            return None
        chosen = kid or self._keys.active
        message = f"v1\0{kind}\0{period}\0{canonical}".encode()
        digest = hmac.digest(self._tenant_key(chosen, canonical_id(tenant_id)), message, "sha256")
        return f"u1_{chosen}_{base64.b32encode(digest[:_TOKEN_BYTES]).decode().rstrip('=').lower()}"

    def for_parties_of(self, record: CallRecordWire) -> Callable[[PartyWire], str | None]:
        """The callback `ringback_events.project.project` wants: tokens of this record's tenant and month.

        Of a phone its number is used, of any other party Graph's id, or the user principal name if it has no id.
        """
        tenant_id, start = record["tenantId"], record.get("startDateTime")

        def of(party: PartyWire) -> str | None:
            if party["kind"] == "phone":
                number = party.get("phoneNumber")
                return self.token(tenant_id, TokenKind.PHONE, number, start=start) if number else None
            identity = party.get("id") or party.get("userPrincipalName")
            return self.token(tenant_id, TokenKind.USER, identity, start=start) if identity else None

        return of

    def _period(self, start: str | None) -> str | None:
        if self._policy is TokenPolicy.STABLE:
            return ""
        return start[:7] if self._policy is TokenPolicy.MONTHLY and start else None

    def _tenant_key(self, kid: str, tenant_id: str) -> bytes:
        known = self._tenant_keys.get((kid, tenant_id))
        if known is None:
            if len(self._tenant_keys) >= self._MOST_TENANT_KEYS:
                self._tenant_keys.clear()
            known = hmac.digest(self._keys.keys[kid].key, tenant_id.encode(), "sha256")
            self._tenant_keys[kid, tenant_id] = known
        return known
