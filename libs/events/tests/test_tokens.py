import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from ringback_events.tokens import Pseudonymizer, TokenKeys, TokenKind, TokenPolicy, canonical_value
from ringback_events.wire import CallRecordWire, PartyWire
from ringback_testing.record_makers import MakeRecord

TENANT = "dc368399-474c-4d40-900c-6265431fd81f"
SECRET = base64.b64encode(b"s" * 32).decode()
KEYS = TokenKeys.model_validate(
    {
        "active": "k2",
        "keys": {
            "k1": {"key": base64.b64encode(b"o" * 32).decode(), "valid_until": "2026-12-01T00:00:00Z"},
            "k2": {"key": SECRET},
        },
    }
)
STABLE = Pseudonymizer(KEYS, TokenPolicy.STABLE)
MONTHLY = Pseudonymizer(KEYS, TokenPolicy.MONTHLY)
USER = "821809f5-0000-0000-0000-3b5136c0e777"


def test_form() -> None:
    """`u1_<kid>_<26 base32>`, with the active key."""
    token = STABLE.token(TENANT, TokenKind.USER, USER)
    assert token is not None
    prefix, kid, digest = token.split("_")
    assert (prefix, kid, len(digest)) == ("u1", "k2", 26)
    assert set(digest) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_domains_are_separate() -> None:
    """Neither tenants, nor kinds, nor keys, nor months can be joined."""
    tokens = {
        STABLE.token(TENANT, TokenKind.USER, "+4930901820"),
        STABLE.token(TENANT, TokenKind.PHONE, "+4930901820"),
        STABLE.token("other", TokenKind.USER, "+4930901820"),
        STABLE.token(TENANT, TokenKind.USER, "+4930901820", kid="k1"),
        MONTHLY.token(TENANT, TokenKind.USER, "+4930901820", start="2026-10-31T23:59:59Z"),
        MONTHLY.token(TENANT, TokenKind.USER, "+4930901820", start="2026-11-01T00:00:00Z"),
    }
    assert len(tokens) == 6
    assert None not in tokens


def test_policies() -> None:
    """None gives no token, monthly none without a start, stable ignores the start."""
    start = "2026-11-02T09:00:00Z"
    assert Pseudonymizer(KEYS, TokenPolicy.NONE).token(TENANT, TokenKind.USER, USER, start=start) is None
    assert MONTHLY.token(TENANT, TokenKind.USER, USER) is None
    assert STABLE.token(TENANT, TokenKind.USER, USER, start=start) == STABLE.token(TENANT, TokenKind.USER, USER)


@pytest.mark.parametrize("number", ["+4930***", "anonymous", "Restricted", "", "  ", "12"])
def test_a_number_of_nobody_gives_no_token(number: str) -> None:
    """Masked and withheld numbers would join strangers."""
    assert canonical_value(TokenKind.PHONE, number) is None
    assert STABLE.token(TENANT, TokenKind.PHONE, number) is None


def test_parties(make_record: MakeRecord) -> None:
    """A phone is known by its number, others by id, else by user principal name; who has neither has no token."""
    of = STABLE.for_parties_of(make_record())
    base = make_record()["parties"][0]
    phone: PartyWire = {**base, "kind": "phone", "id": None, "phoneNumber": "+49 30 901820"}
    assert of(phone) == STABLE.token(TENANT, TokenKind.PHONE, "+4930901820")
    user, upn = base.get("id"), base.get("userPrincipalName")
    assert user
    assert upn
    assert of(base) == STABLE.token(TENANT, TokenKind.USER, user)
    assert of({**base, "id": None}) == STABLE.token(TENANT, TokenKind.USER, upn.upper())
    assert of({**base, "id": None, "userPrincipalName": None}) is None
    assert of({**phone, "phoneNumber": None}) is None


def test_the_month_is_that_of_the_calls_start(make_record: MakeRecord) -> None:
    """A call that runs over midnight of a month's end belongs to the month it began in."""
    record: CallRecordWire = {**make_record(), "startDateTime": "2026-10-31T23:50:00Z"}
    party = record["parties"][0]
    user = party.get("id")
    assert user
    assert MONTHLY.for_parties_of(record)(party) == MONTHLY.token(
        TENANT, TokenKind.USER, user, start="2026-10-01T00:00:00Z"
    )


def test_rotation_overlaps() -> None:
    """An old key's tokens are recognised until it runs out; the active key never does."""
    assert KEYS.valid(datetime(2026, 11, 30, tzinfo=UTC)) == ("k2", "k1")
    assert KEYS.valid(datetime(2026, 12, 1, tzinfo=UTC)) == ("k2",)


def test_derived_keys_are_bounded() -> None:
    """A stream of made-up tenants must not fill the memory, and forgetting changes no token."""
    tokens = Pseudonymizer(KEYS, TokenPolicy.STABLE)
    before = tokens.token(TENANT, TokenKind.USER, USER)
    for number in range(5000):
        tokens.token(f"tenant-{number}", TokenKind.USER, USER)
    assert len(tokens._tenant_keys) <= 4096
    assert tokens.token(TENANT, TokenKind.USER, USER) == before


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("active kid", {"active": "k9", "keys": {"k1": {"key": SECRET}}}),
    ("run out", {"active": "k1", "keys": {"k1": {"key": SECRET, "valid_until": "2027-01-01T00:00:00Z"}}}),
    ("kid is", {"active": "K_1", "keys": {"K_1": {"key": SECRET}}}),
    ("fewer than 32", {"active": "k1", "keys": {"k1": {"key": SECRET[:20]}}}),
    ("not base64", {"active": "k1", "keys": {"k1": {"key": SECRET[:-2] + "!!"}}}),
    ("base64 string", {"active": "k1", "keys": {"k1": {"key": 7}}}),
    ("Extra inputs", {"active": "k1", "keys": {"k1": {"key": SECRET, "secret": SECRET}}}),
]


@pytest.mark.parametrize(("why", "parsed"), BROKEN, ids=[why for why, _ in BROKEN])
def test_a_broken_keys_file_says_why_and_not_what(why: str, parsed: dict[str, Any]) -> None:
    """The error names the rule; neither it nor a repr shows a key."""
    with pytest.raises(ValidationError, match=why) as raised:
        TokenKeys.model_validate(parsed)
    assert SECRET[:10] not in str(raised.value)
    assert "ssss" not in repr(KEYS)
    assert SECRET[:10] not in repr(KEYS)
