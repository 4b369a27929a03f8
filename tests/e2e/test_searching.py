"""The search for people that the other tests trust: what it must find wherever it hides, and whom it looks for."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from ringback_testing.graph_records import meeting
from ringback_testing.searching import found_in, personal_values

pytestmark = pytest.mark.e2e

NAME = "Alice Ampère"
FORMS: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "in capitals": lambda text: text.upper().encode(),
    "escaped": lambda text: json.dumps(text).encode(),
    "quoted": lambda text: quote(text).encode(),
    "reversed": lambda text: text[::-1].encode(),
    "hex": lambda text: text.encode().hex().upper().encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, one in": lambda text: base64.b64encode(b"{" + text.encode() + b"}"),
    "base64, two in": lambda text: base64.urlsafe_b64encode(b'{"' + text.encode() + b'"}'),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_name_is_found_in_every_form(form: Callable[[str], bytes]) -> None:
    """Whatever a name was turned into it is found, and one that is not there is not."""
    assert found_in({NAME, "Nobody at all"}, b"before", b'{"x":"' + form(NAME) + b'"}') == {NAME}


def test_people_machines_and_addresses_are_looked_for_and_technical_ids_are_not() -> None:
    """Names, UPNs, numbers, addresses and identities are personal; a session's id is not."""
    people = personal_values(meeting())
    assert {NAME, "alice@contoso.example", "+4930901820", "10.20.30.40", "00-00-5E-00-53-01", "LAPTOP-7"} <= people
    assert {"teamsvisitor:0a1b", "corp.contoso.example", "Ich hörte nichts"} <= people
    assert not people & {"s-alice", "s-guest"}
