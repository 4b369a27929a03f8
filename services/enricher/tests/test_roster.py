"""Who is named in a record: one party for each, however and wherever Graph writes it."""

from typing import Any

import pytest
from ringback_enricher.core.derive.party_index import PartyIndex
from ringback_testing.graph_records import ALICE, BOB, side

ANONYMOUS: dict[str, Any] = {"id": None, "displayName": "Anonymous"}
MASKED = {"id": "+4930123***"}


def named(*listed: dict[str, Any], sides: list[dict[str, Any]], organizer: dict[str, Any] | None = None) -> list[str]:
    """Kind and id of each party of these participants and sessions' sides, with the parties of the sides."""
    party_index = PartyIndex({"participants_v2": list(listed), "organizer_v2": organizer})
    found = [party_index.side(side(each)).party for each in sides]
    reported = [
        f"{party.identity.kind.value} {party.identity.phone or party.identity.id}" for party in party_index.parties
    ]
    return [*reported, *(str(party and party.index) for party in found)]


def entry(identity: dict[str, Any], member: str = "phone", key: str | None = None) -> dict[str, Any]:
    """An entry of `participants_v2`."""
    return {"id": key, "identity": {"user": None, member: identity}}


@pytest.mark.parametrize("spelled", ["+15205550177", "4:+15205550177", "tel:+15205550177", "TEL:+1 (520) 555-0177"])
@pytest.mark.parametrize("listed", ["+15205550177", "tel:+15205550177"])
def test_a_number_is_one_party_in_every_spelling(spelled: str, listed: str) -> None:
    """Listed one way, named another way by a session."""
    assert named(entry({"id": listed}), sides=[{"id": spelled}]) == ["phone +15205550177", "0"]


@pytest.mark.parametrize(
    "spelled", [ALICE, ALICE.upper(), f"8:{ALICE}", f"8:orgid:{ALICE}", f"8:OrgId:{ALICE.upper()}"]
)
def test_a_person_is_one_party_with_and_without_a_prefix(spelled: str) -> None:
    """The object id is who it is; a chat's prefix says nothing more, and the record tells the id without it."""
    reported = [f"user {ALICE}", "0"]
    assert named(entry({"id": ALICE}, "user"), sides=[{"id": spelled}]) == reported
    assert [each.lower() for each in named(entry({"id": spelled}, "user"), sides=[{"id": ALICE}])] == reported
    assert named(sides=[{"id": ALICE}, {"id": f"8:orgid:{BOB}"}]) == [f"user {ALICE}", f"user {BOB}", "0", "1"]


def test_a_visitor_and_an_application_have_one_spelling_too() -> None:
    """Prefixes of chats stand before their ids as well."""
    assert named(entry({"id": "teamsvisitor:ab"}, "user"), sides=[{"id": "8:teamsvisitor:ab"}])[1:] == ["0"]
    assert named(entry({"id": BOB}, "applicationInstance"), sides=[{"id": f"28:orgid:{BOB}"}])[1:] == ["0"]


@pytest.mark.parametrize("identity", [ANONYMOUS, MASKED, {"id": "4:anonymous"}, {"id": "Anonymous"}])
def test_a_withheld_number_is_one_party_wherever_it_is_named(identity: dict[str, Any]) -> None:
    """As the organizer, in the list and in two sessions, by a caller who was passed on."""
    whole = entry(identity)
    assert named(whole, sides=[identity, identity], organizer=whole)[1:] == ["0", "0"]
    assert named(sides=[identity, identity], organizer=whole)[1:] == ["0", "0"]
    assert named(sides=[identity, identity])[1:] == ["0", "0"]
    assert named(whole, sides=[{"id": ALICE}, identity])[2:] == ["1", "0"]


@pytest.mark.parametrize("named_so", [{}, {"displayName": "External caller"}])
@pytest.mark.parametrize("word", [None, "anonymous", "4:Anonymous"])
def test_a_withheld_number_is_one_party_whatever_name_stands_beside_it(
    word: str | None, named_so: dict[str, Any]
) -> None:
    """The list gives it a name, a session the word alone, or the name as well."""
    listed = entry({"id": word, "displayName": "External caller"})
    aside = {"id": "anonymous"} | named_so
    alone = word is None and not named_so
    assert named(listed, sides=[aside])[1:] == (["phone anonymous", "1"] if alone else ["0"])
    assert named(sides=[aside], organizer=listed)[1:] == (["phone anonymous", "1"] if alone else ["0"])


def test_each_session_is_that_of_the_withheld_number_of_its_name() -> None:
    """Where the list tells two of them apart by their names."""
    listed = [entry({"id": "anonymous", "displayName": name}) for name in ("A", "B")]
    sides = [{"id": "anonymous", "displayName": name} for name in ("B", "A", "b")]
    assert named(*listed, sides=sides)[2:] == ["1", "0", "1"]


@pytest.mark.parametrize("member", ["user", "guest", "somethingNew"])
def test_a_word_in_a_session_is_whoever_is_listed_by_it(member: str) -> None:
    """That it is a phone is a guess; a phone that is listed is more likely."""
    word = {"id": "anonymous"}
    assert named(entry(word, member), sides=[word])[1:] == ["0"]
    assert named(entry(word, member), entry(word), sides=[word])[2:] == ["1" if member == "guest" else "0"]


@pytest.mark.parametrize("spelled", ["tel:+49301234567;phone-context=x", "+49 (30) 1234-567", "49301234567"])
def test_a_number_is_one_party_with_parameters_separators_or_without_its_plus(spelled: str) -> None:
    """The record tells it as Graph wrote it with a country's code."""
    reported = ["phone +49301234567", "0"]
    assert named(entry({"id": "+49301234567"}), sides=[{"id": spelled}]) == reported
    assert named(entry({"id": spelled}), sides=[{"id": "+49301234567"}]) == reported


@pytest.mark.parametrize(("first", "second"), [("+112", "112"), ("+49301234567", "+49301234567;ext=5")])
def test_an_extension_is_another_party(first: str, second: str) -> None:
    """Short digits may be dialled in a private exchange; a line behind a number is told by its parameter."""
    assert named(entry({"id": first}), sides=[{"id": second}])[2:] == ["1"]


@pytest.mark.parametrize("identity", [ANONYMOUS, MASKED])
def test_two_withheld_numbers_are_two_parties(identity: dict[str, Any]) -> None:
    """Graph lists distinct participants; their sessions are theirs in turn, for nothing says whose they are."""
    keys = ("p-1", "p-2") if identity is ANONYMOUS else (None, None)
    listed = [entry(identity, key=key) for key in keys]
    assert named(*listed, sides=[identity, identity, identity])[2:] == ["0", "1", "0"]
    alone = [entry(identity), entry(identity)]
    assert named(*alone, sides=[identity, identity])[2:] == ["0", "1"]
    assert named(*alone, sides=[identity], organizer=alone[0])[2:] == ["0"]


def test_the_id_of_an_entry_tells_a_withheld_number_from_another() -> None:
    """Where a session names it, it is that entry; the organizer of another id is another party."""
    listed = [entry(ANONYMOUS, key="p-1"), entry(ANONYMOUS, key="p-2")]
    assert named(*listed, sides=[{"id": "p-2"}, ANONYMOUS])[2:] == ["1", "0"]
    assert len(named(*listed, sides=[], organizer=entry(ANONYMOUS, key="p-3"))) == 3
    assert len(named(*listed, sides=[], organizer=entry(ANONYMOUS, key="p-2"))) == 2


def test_a_name_joins_nobody_who_has_an_id() -> None:
    """Two people may have one name, and a person may have the name of a withheld number."""
    anna = {"id": None, "displayName": "Anna"}
    assert named(entry({"id": ALICE, "displayName": "Anna"}, "user"), sides=[anna])[1:] == ["unknown None", "1"]
    assert named(entry(anna, "user", ALICE), sides=[anna])[1:] == ["0"]
    assert named(entry(anna), entry(anna, "user"), sides=[])[1:] == ["user None"]
