"""Whom the search for people looks for, and that it finds them; its forms are tested in tools/local."""

import pytest
from ringback_testing.graph_records import meeting
from ringback_testing.searching import found_in, personal_values

pytestmark = pytest.mark.e2e

NAME = "Alice Ampère"


def test_a_name_is_found_across_contents_and_one_that_is_not_there_is_not() -> None:
    """In any of the contents, in any form."""
    assert found_in({NAME, "Nobody at all"}, b"before", NAME[::-1].encode()) == {NAME}


def test_people_machines_and_addresses_are_looked_for_and_technical_ids_are_not() -> None:
    """Names, UPNs, numbers, addresses and identities are personal; a session's id is not."""
    people = personal_values(meeting())
    assert {NAME, "alice@contoso.example", "+4930901820", "10.20.30.40", "00-00-5E-00-53-01", "LAPTOP-7"} <= people
    assert {"teamsvisitor:0a1b", "corp.contoso.example", "Ich hörte nichts"} <= people
    assert not people & {"s-alice", "s-guest"}
