"""SQLSTATE 42501 names role, object and GRANT, and nothing of a row."""

import pytest
from ringback_common.grants import Duty, missing_right, role_of


@pytest.mark.parametrize(
    ("message", "duty", "expected"),
    [
        (
            "permission denied for table call_version",
            Duty.WRITE,
            "lacks a right on the table call_version (SQLSTATE 42501): GRANT SELECT, INSERT, UPDATE, DELETE ON "  # noqa: ISC004
            "callrecords.call_version TO writer.",
        ),
        ("permission denied for view freshness", Duty.READ, "GRANT SELECT ON callrecords.freshness TO writer."),
        ("permission denied for schema callrecords", Duty.READ, "GRANT USAGE ON SCHEMA callrecords TO writer."),
        ("permission denied for schema callrecords", Duty.OWN, "GRANT CREATE, USAGE ON SCHEMA callrecords TO writer."),
        ("permission denied for database Ringback", Duty.OWN, 'GRANT CREATE ON DATABASE "Ringback" TO writer.'),
        ("permission denied for function make_month", Duty.WRITE,
         "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA callrecords TO writer."),
        ('permission denied to create temporary tables in database "d"', Duty.WRITE,
         "GRANT TEMPORARY ON DATABASE d TO writer."),
        ('permission denied for database "ringback"', Duty.READ,
         "may not connect to the database ringback (SQLSTATE 42501): GRANT CONNECT ON DATABASE ringback TO writer."),
        ('permission denied for database "ring-back"', Duty.READ, 'GRANT CONNECT ON DATABASE "ring-back" TO writer.'),
        ("permission denied for database ring-back", Duty.OWN, 'GRANT CREATE ON DATABASE "ring-back" TO writer.'),
        ("permission denied for sequence call_seq", Duty.WRITE,
         "GRANT USAGE, SELECT ON SEQUENCE callrecords.call_seq TO writer."),
        ("must be owner of table call", Duty.OWN, "run it as its owner, or GRANT <owner> TO writer."),
    ],
)  # fmt: skip
def test_role_object_and_grant_are_named(message: str, duty: Duty, expected: str) -> None:
    """An operator can paste what is said."""
    sentence = missing_right(message, "writer", duty)
    assert sentence is not None
    assert sentence.endswith(expected)
    assert "The role writer of RINGBACK_STORE__DSN" in sentence
    assert "SQLSTATE 42501" in sentence


@pytest.mark.parametrize(
    "message",
    ["new row violates row-level security policy", "permission denied for table Abbie Wilkins", "Zugriff verweigert",
     'permission denied for database "Abbie Wilkins"', "permission denied for table x; DETAIL: (abbie@contoso.com)",
     ""],
)  # fmt: skip
def test_what_is_no_such_sentence_is_not_repeated(message: str) -> None:
    """A sentence of another kind may quote anything."""
    assert missing_right(message, "writer", Duty.READ) is None


@pytest.mark.parametrize(
    ("dsn", "role"),
    [
        ("postgresql://writer:hush@h/d", "writer"),
        ("postgresql://h/d?user=reader", "reader"),
        ("postgresql://a%40b:hush@h/d", "a@b"),
        ("postgresql://h/d", None),
        ("postgresql://[h/d", None),
    ],
)
def test_the_role_is_read_from_the_connection_string(dsn: str, role: str | None) -> None:
    """Never the password; an odd name is quoted as SQL wants it."""
    assert role_of(dsn) == role
    sentence = missing_right("permission denied for table call", role, Duty.READ)
    assert sentence is not None
    assert "hush" not in sentence
    assert sentence.endswith({None: "TO <role>.", "a@b": 'TO "a@b".'}.get(role, f"TO {role}."))
