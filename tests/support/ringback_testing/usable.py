"""Every process and command with settings that are right, for tests that make one of them wrong."""

from pathlib import Path

from ringback_ingest.client_state import new_keys_file

from ringback_testing.command import PLAINTEXT

__all__ = ["COMMANDS", "DSN", "KAFKA", "STATE_KEYS", "TOKEN_KEYS", "usable"]

NOWHERE = "127.0.0.1:1"
COMMANDS = {
    "webhook": ("ringback-ingest", "webhook"),
    "keeper": ("ringback-ingest", "keeper"),
    "fetch": ("ringback-enricher", "fetch"),
    "store": ("ringback-sink", "store"),
    "migrate": ("ringback-sink", "migrate"),
    "topics diff": ("ringback", "topics", "diff"),
    "dlq ls": ("ringback", "dlq", "ls"),
    "status": ("ringback", "status"),
    "lookup": ("ringback", "lookup", "5f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"),
}
KAFKA, DSN = "RINGBACK_KAFKA__BOOTSTRAP_SERVERS", "RINGBACK_STORE__DSN"
STATE_KEYS, TOKEN_KEYS = "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE", "RINGBACK_PRIVACY__KEYS_FILE"


def usable(folder: Path) -> dict[str, str]:
    """Settings with which every process starts, in the dev profile and with dev secrets, while no server answers."""
    files = {
        "tenants.yaml": b"tenants: []\n",
        "pseudonyms.json": b'{"active": "dev1", "keys": {"dev1": {"key": "' + b"A" * 64 + b'"}}}',
        "client-state.json": new_keys_file("dev1", bytes(32)),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {
        "RINGBACK_PROFILE": "dev",
        "RINGBACK_INSTALLATION_ID": "test",
        "RINGBACK_ADMIN__HOST": "127.0.0.1",
        "RINGBACK_ADMIN__PORT": "0",
        "RINGBACK_WEBHOOK__HOST": "127.0.0.1",
        "RINGBACK_WEBHOOK__PORT": "0",
        "RINGBACK_TENANTS_FILE": str(folder / "tenants.yaml"),
        KAFKA: NOWHERE,
        **PLAINTEXT,
        DSN: f"postgresql://postgres@{NOWHERE}/ringback",
        STATE_KEYS: str(folder / "client-state.json"),
        TOKEN_KEYS: str(folder / "pseudonyms.json"),
    }
