"""How the webhook's process ends when something of its own does."""

import os
import subprocess
import sys
from pathlib import Path

from ringback_ingest.client_state import new_keys_file

PROGRAM = """
from ringback_common.process import run
from ringback_ingest.webhook.app import serve
from ringback_stream.publish.group_commit import GroupCommitProducer
async def bug(_producer):
    raise KeyError("abbie.wilkins@contoso.com")
GroupCommitProducer._connect = bug
run(serve)
"""


def test_a_bug_in_the_producers_background_ends_the_process(tmp_path: Path) -> None:
    """Live and ready it would answer 503 for ever; it ends with 1, to be started again, and quotes nothing."""
    (tmp_path / "keys.json").write_bytes(new_keys_file("k1", bytes(32)))
    env = os.environ | {
        "RINGBACK_INSTALLATION_ID": "test",
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "RINGBACK_KAFKA__ALLOW_PLAINTEXT": "true",
        "RINGBACK_ADMIN__HOST": "127.0.0.1",
        "RINGBACK_ADMIN__PORT": "0",
        "RINGBACK_WEBHOOK__HOST": "127.0.0.1",
        "RINGBACK_WEBHOOK__PORT": "0",
        "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(tmp_path / "keys.json"),
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False, timeout=20
    )
    assert ended.returncode == 1
    assert '"error_class": "KeyError"' in ended.stdout
    assert "abbie" not in ended.stdout + ended.stderr
