import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_events.fields import OpenAs
from ringback_events.labels import UNKNOWN, as_label, as_prefix, as_version, gate

IDENTITIES = [
    "Abbie Wilkins",
    "abbie.wilkins@contoso.com",
    "+4930901820",
    "4930901820",
    "call4930901820",
    "821809f5-0000-0000-0000-3b5136c0e777",
    "a21809f5-0000-0000-0000-3b5136c0e777",
    "10.150.0.2",
    "2001:db8::1",
    "00-1A-2B-3C-4D-5E",
    "A0-1A-2B-3C-4D-5E",
    "a01a.2b3c.4d5e",
    "a01a2b3c4d5e",
    "https://teams.example/l/meetup-join/1",
    "teamsvisitor:abc",
    "Åsa",
    "audio\n",
    "",
    "a" * 65,
]


@pytest.mark.parametrize("value", IDENTITIES)
def test_what_could_identify_becomes_unknown(value: str) -> None:
    """Names, addresses, numbers and ids have no form of a label, nor of a version."""
    assert as_label(value) == UNKNOWN
    assert as_version(value) == UNKNOWN


@pytest.mark.parametrize(
    "value",
    [
        "windows",
        "iOS",
        "main-audio",
        "applicationsharing-video",
        "wifi80211ac",
        "frequency24GHz",
        "g7221c",
        "cqd-2026.1",
        "unknownFutureValue",
        "skypeForBusinessUnifiedCommunicationApplicationPlatform",
        "someMemberOfNextYear",
    ],
)
def test_members_of_open_enumerations_pass(value: str) -> None:
    """Known members and those Graph will add pass unchanged."""
    assert as_label(value) == value


@pytest.mark.parametrize(
    "value", ["16.0.12527.20194", "1.4.0.12", "7.0", "27.1.0.2020111010", "6.25.0.27-beta2", "1416.0", "main"]
)
def test_versions_pass(value: str) -> None:
    """Product versions pass, those with a date in them too."""
    assert as_version(value) == value


@pytest.mark.parametrize("value", ["10.0.0.1", "192.168.1.20", "172.16.0.9", "203.0.113.9", "10.0.0.1/8", "16"])
def test_an_address_is_no_version(value: str) -> None:
    """Four numbers below 256 are an address unless they begin as only versions do."""
    assert as_version(value) == UNKNOWN


@pytest.mark.parametrize(
    ("value", "opened"),
    [
        ("198.51.100.0/24", "198.51.100.0/24"),
        ("2001:db8:1::/48", "2001:db8:1::/48"),
        ("198.51.100.17/24", None),
        ("198.51.100.17/32", None),
        ("198.51.100.17", None),
        ("198.51.0.0/16", None),
        ("2001:db8:1:2::/64", None),
        ("2002:cb00:714d::/48", None),
        ("2003:cb00:714d::/48", "2003:cb00:714d::/48"),
        ("Abbie", None),
    ],
)
def test_only_a_cut_network_passes(value: str, opened: str | None) -> None:
    """The open tier holds /24 and /48 only, and no bit beyond."""
    assert as_prefix(value) == opened


@given(st.text())
def test_the_gate_says_what_the_rule_says(value: str) -> None:
    """Remembering changes no answer."""
    remembered = gate(OpenAs.LABEL)
    assert remembered[value] == remembered[value] == as_label(value)


def test_the_gate_forgets_before_it_grows() -> None:
    """A new value each time must not fill the memory."""
    remembered = gate(OpenAs.VERSION)
    for number in range(10_000):
        assert remembered[f"1.{number}"] == f"1.{number}"
    assert len(remembered) <= 4096
