"""A settings mistake ends the process with exit 2 and one sentence that names the setting."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ringback_common.errors import ConfigError
from ringback_enricher.app import serve

USABLE = {
    "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "RINGBACK_INSTALLATION_ID": "test",
    "RINGBACK_ADMIN__HOST": "127.0.0.1",
    "RINGBACK_ADMIN__PORT": "0",
    "RINGBACK_PROFILE": "dev",
}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"RINGBACK_KAFKA__BOOTSTRAP_SERVERS": None}, "RINGBACK_KAFKA__BOOTSTRAP_SERVERS"),
        ({"RINGBACK_TENANTS_FILE": None}, "RINGBACK_TENANTS_FILE"),
        ({"RINGBACK_TENANTS_FILE": "/nowhere/tenants.yaml"}, "/nowhere/tenants.yaml"),
        ({"RINGBACK_PRIVACY__KEYS_FILE": None}, "RINGBACK_PRIVACY__KEYS_FILE"),
        ({"RINGBACK_PRIVACY__KEYS_FILE": "/nowhere/keys.json"}, "RINGBACK_PRIVACY__KEYS_FILE"),
        ({"RINGBACK_PRIVACY__OPEN_TOKENS": "daily"}, "RINGBACK_PRIVACY__OPEN_TOKENS"),
        ({"RINGBACK_SITES_FILE": "/nowhere/sites.yaml"}, "RINGBACK_SITES_FILE"),
        ({"RINGBACK_RULES__REVISION_OFFSET": "-1"}, "RINGBACK_RULES__REVISION_OFFSET"),
        ({"RINGBACK_RULES__OFFSET": "1"}, "RINGBACK_RULES__OFFSET"),
        ({"RINGBACK_LIMITS__IN_HAND_BYTES": "1048575"}, "RINGBACK_LIMITS__IN_HAND_BYTES"),
        ({"RINGBACK_LIMITS__IN_HAND_BYTES": "300000000"}, "RINGBACK_LIMITS__RECORD_BYTES"),
        ({"RINGBACK_TIME_SCALE": "60", "RINGBACK_PROFILE": "production"}, "RINGBACK_TIME_SCALE"),
    ],
)
async def test_a_mistake_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], named: str
) -> None:
    """One sentence with the setting in it, before Kafka is spoken to."""
    for name, value in (_usable(tmp_path) | changes).items():
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=re.escape(named)) as raised:
        await serve(asyncio.Event())
    assert "\n" not in str(raised.value)


def test_a_mistake_ends_the_process_with_exit_2(tmp_path: Path) -> None:
    """One line on stderr, no traceback."""
    environment = _usable(tmp_path) | {"RINGBACK_TENANTS_FILE": "/nowhere/tenants.yaml", "PATH": os.environ["PATH"]}
    ended = subprocess.run(
        [sys.executable, "-m", "ringback_enricher", "fetch"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "/nowhere/tenants.yaml" in ended.stderr


def _usable(folder: Path) -> dict[str, str]:
    tenants, keys = folder / "tenants.yaml", folder / "keys.json"
    tenants.write_text("tenants: []\n")
    keys.write_text('{"active": "k1", "keys": {"k1": {"key": "' + "A" * 64 + '"}}}')
    return USABLE | {"RINGBACK_TENANTS_FILE": str(tenants), "RINGBACK_PRIVACY__KEYS_FILE": str(keys)}
