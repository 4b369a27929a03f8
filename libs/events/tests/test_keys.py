import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_events.keys import call_key, canonical_id, control_key, split_call_key, status_key, tenant_key, tenant_of

GUID = "DC368399-474C-4D40-900C-6265431FD81F"


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        (GUID, GUID.lower()),
        (GUID.lower(), GUID.lower()),
        ("teamsvisitor:ABC", "teamsvisitor:ABC"),
        (f"{{{GUID}}}", f"{{{GUID}}}"),
        (f"{GUID}\n", f"{GUID}\n"),
        ("", ""),
    ],
)
def test_only_a_guid_is_lowered(value: str, canonical: str) -> None:
    """Graph's other ids are opaque: to change their case would make two calls one."""
    assert canonical_id(value) == canonical


def test_one_call_has_one_key() -> None:
    """Upper and lower case of the same ids meet in one key."""
    assert call_key(GUID, GUID) == call_key(GUID.lower(), GUID.lower()) == f"{GUID}|{GUID}".lower().encode()


@given(st.uuids(), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_call_key_comes_apart_again(tenant: object, call: str) -> None:
    """Whatever Graph calls a call, even with `|` in it, its key gives tenant and call back."""
    key = call_key(str(tenant), call)
    assert split_call_key(key) == (str(tenant), canonical_id(call))
    assert tenant_of(key) == str(tenant)


@given(st.binary())
def test_reading_a_foreign_key_never_raises(key: bytes) -> None:
    """The key may come from any writer."""
    assert tenant_of(key) == split_call_key(key)[0]


def test_keys_of_state() -> None:
    """The other topics' keys are their parts, joined."""
    assert tenant_key(GUID, "cursor", "PSTN") == f"{GUID.lower()}|cursor|PSTN".encode()
    assert tenant_key(GUID) == GUID.lower().encode()
    assert status_key("fetch/lanes", None) == b"fetch/lanes|"
    assert status_key("keeper", GUID) == f"keeper|{GUID.lower()}".encode()
    assert control_key("pause", GUID) == f"pause|{GUID.lower()}".encode()
