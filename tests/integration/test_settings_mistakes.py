"""What an operator gets wrong in the settings: every process ends with 2 and one sentence."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from ringback_local.child import clean_environment, installed
from ringback_testing.command import PLAINTEXT
from ringback_testing.usable import COMMANDS, DSN, KAFKA, STATE_KEYS, TOKEN_KEYS, usable

pytestmark = pytest.mark.integration

SERVICES = ("webhook", "keeper", "fetch", "store")
PROTOCOL = "RINGBACK_KAFKA__SECURITY_PROTOCOL"
NEEDS_KAFKA, NEEDS_STORE = (*SERVICES, "topics diff"), ("store", "migrate", "status", "lookup", "dlq ls")

Mistake = tuple[str, Mapping[str, str | None], str]
"""A process, what is set (None: left out) over what would be right, and the setting its sentence names."""

DEV_SECRETS = {"RINGBACK_PROFILE": None}
"""In production, the default, what `usable` gives is for development."""
PLACEHOLDER = {"RINGBACK_INSTALLATION_ID": "change-me"} | DEV_SECRETS
MISTAKES: list[Mistake] = [
    *((name, {KAFKA: None}, KAFKA) for name in NEEDS_KAFKA),
    *((name, {f"{KAFKA[:-1]}": "x:1"}, KAFKA[:-1]) for name in NEEDS_KAFKA),
    *((name, {PROTOCOL: "SASL_SSL"}, "RINGBACK_KAFKA__SASL_MECHANISM") for name in NEEDS_KAFKA),
    ("topics diff", {PROTOCOL: "TLS"}, PROTOCOL),
    *((name, dict.fromkeys(PLAINTEXT) | DEV_SECRETS, PROTOCOL) for name in NEEDS_KAFKA),
    *((name, {"RINGBACK_INSTALLATION_ID": None}, "RINGBACK_INSTALLATION_ID") for name in SERVICES),
    *((name, PLACEHOLDER, "RINGBACK_INSTALLATION_ID") for name in SERVICES),
    *((name, {"RINGBACK_TIME_SCALE": "60"} | DEV_SECRETS, "RINGBACK_TIME_SCALE") for name in COMMANDS),
    ("migrate", {"RINGBACK_PROFILE": "test"}, "RINGBACK_PROFILE"),
    *((name, {DSN: None}, DSN) for name in ("status", "lookup", "dlq ls")),
    *((name, {DSN: "mysql://u:hush@h/d"}, DSN) for name in ("store", "status")),
    *((name, {DSN: None, f"{DSN}_FILE": "/nowhere/dsn"}, f"{DSN}_FILE") for name in ("store", "lookup")),
    *((name, {"RINGBACK_STORE__DNS": "postgres://u:hush@h/d"}, "RINGBACK_STORE__DNS") for name in NEEDS_STORE),
    *((name, DEV_SECRETS, STATE_KEYS) for name in ("webhook", "keeper")),
    ("fetch", DEV_SECRETS, TOKEN_KEYS),
    *((name, {"RINGBACK_TENANTS_FILE": "/nowhere/tenants"}, "RINGBACK_TENANTS_FILE") for name in ("keeper", "fetch")),
    *((name, {"RINGBACK_GRAPH__CAFILE": "/nowhere/ca"}, "RINGBACK_GRAPH__CAFILE") for name in ("keeper", "fetch")),
    ("webhook", {"RINGBACK_WEBHOOK__PORT": "http"}, "RINGBACK_WEBHOOK__PORT"),
]
"""What the members' own tests of their settings do not have; each starts a real process."""


def _id(case: Mistake) -> str:
    return " ".join((case[0], *(f"{name}={value}" for name, value in case[1].items())))


@pytest.mark.parametrize(("name", "changes", "setting"), [pytest.param(*case, id=_id(case)) for case in MISTAKES])
def test_a_settings_mistake_ends_with_2_and_one_sentence(
    tmp_path: Path, name: str, changes: Mapping[str, str | None], setting: str
) -> None:
    """The sentence on stderr names the setting and quotes no secret; nothing else is said, and nothing waited for."""
    given = {variable: value for variable, value in {**usable(tmp_path), **changes}.items() if value is not None}
    ended = subprocess.run(
        installed(COMMANDS[name]), env=clean_environment(given), capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    (sentence,) = ended.stderr.splitlines()
    assert setting in sentence
    assert "hush" not in sentence
