"""The command as a process: its version, its mistakes, a Kafka that is away."""

import pytest
from ringback_testing.command import ringback

KAFKA = {"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
STORE = {"RINGBACK_STORE__DSN": "postgresql://u:hush@127.0.0.1:1/x"}
TENANT = "a91fa0d8-7d84-5317-a65a-8dda375cc0cd"
OLD = ("--from", "2020-01-01", "--to", "2020-01-02")


async def test_it_says_its_version() -> None:
    """Without any setting."""
    ended = await ringback({}, "--version")
    assert (ended.code, ended.out.startswith("ringback "), ended.out.count("."), ended.err) == (0, True, 2, "")


@pytest.mark.parametrize(
    ("settings", "arguments", "code", "sentence"),
    [
        (KAFKA, ["topics", "diff"], 1, "No Kafka answers"),
        (KAFKA, ["topics", "apply"], 1, "No Kafka answers"),
        (STORE, ["replay", "--tenant", TENANT, "--from", "2026-11-22", "--to", "2026-11-21"], 2, "--to must be later"),
        (STORE, ["replay", "--tenant", TENANT, *OLD], 2, "Graph has no calls of that time"),
        (STORE, ["replay", "--tenant", "contoso", "--from", "2026-11-21", "--to", "2026-11-22"], 2, "--tenant takes"),
        (STORE, ["store", "digest", "--from", "2026-11-22", "--to", "2026-11-21"], 2, "--to must be later"),
        (STORE, ["store", "digest", "--from", "2026-11-22T09:30"], 2, "--from takes a whole day"),
        (STORE, ["store", "digest"], 1, "The store does not answer"),
        (KAFKA, ["dlq", "release", "--since", "2026-11-22", "--until", "2026-11-21"], 2, "--until must be later"),
        (KAFKA, ["dlq", "discard", "--tenant", "contoso.com"], 2, "--tenant takes the id of a tenant"),
    ],
)
async def test_a_mistake_ends_with_2_and_what_is_away_with_1(
    settings: dict[str, str], arguments: list[str], code: int, sentence: str
) -> None:
    """As docs/operating.md says: in one sentence, and nothing secret in it."""
    ended = await ringback(settings, *arguments)
    assert (ended.code, ended.err.startswith(sentence), ended.err.count("\n")) == (code, True, 1), ended.err
    assert "hush" not in ended.err + ended.out


@pytest.mark.parametrize("command", [["dlq", "release"], ["dlq", "discard"], ["replay"], ["resume"]])
async def test_the_reason_for_the_audit_trail_is_why_everywhere(command: list[str]) -> None:
    """One name, whichever command changes something."""
    assert "--why" in (await ringback({}, *command, "--help")).out
