"""`dlq release` and `dlq discard` where there is nothing to decide about."""

from collections.abc import AsyncGenerator

import pytest
from ringback_cli import reading, selecting
from ringback_cli.__main__ import app
from ringback_common.outcomes import Received
from typer.testing import CliRunner


async def _nothing(*_: object) -> AsyncGenerator[Received]:
    """A topic without a record."""
    for record in list[Received]():
        yield record


@pytest.mark.parametrize("command", ["release", "discard"])
def test_a_tenant_without_letters_has_nothing_to_do(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """A healthy tenant is no mistake: a script over all tenants goes on to the next."""
    monkeypatch.setenv("RINGBACK_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("RINGBACK_PROFILE", "dev")
    for module in (selecting, reading):
        monkeypatch.setattr(module, "scan", _nothing)
    ended = CliRunner().invoke(app, ["dlq", command, "--tenant", "a91fa0d8-7d84-5317-a65a-8dda375cc0cd", "--json"])
    assert (ended.exit_code, ended.exception) == (0, None)
    assert '"count": 0' in ended.stdout
