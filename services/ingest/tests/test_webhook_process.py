"""How the webhook's process ends: at SIGTERM, and when a part of it fails."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

from ringback_ingest.client_state import new_keys_file
from ringback_local.ports import lease_ports
from ringback_testing.webhook import PATH

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
    env = environment(tmp_path, 0, 0)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False, timeout=20
    )
    assert ended.returncode == 1
    assert '"error_class": "KeyError"' in ended.stdout
    assert "abbie" not in ended.stdout + ended.stderr


def test_a_stop_is_announced_before_it_cuts(tmp_path: Path) -> None:
    """SIGTERM: unready at once, and for the grace whatever comes is answered, kept or new, each time as the last."""
    command = [str(Path(sys.executable).with_name("ringback-ingest")), "webhook"]
    with (
        lease_ports(2) as (port, admin),
        subprocess.Popen(command, env=environment(tmp_path, port, admin), stdout=subprocess.DEVNULL) as process,
        ExitStack() as ending,
    ):
        ending.callback(process.kill)
        wait_until(lambda: asked(admin) == 200)
        kept, last = (HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(2))
        assert [posted(each) for each in (kept, last)] == [(202, None)] * 2
        stopped = time.monotonic()
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: asked(admin) == 503)
        assert time.monotonic() - stopped < 8
        assert posted(kept) == (202, "close")
        assert posted(HTTPConnection("127.0.0.1", port, timeout=5)) == (202, "close")
        assert last.sock.recv(1) == b""
        assert time.monotonic() - stopped > 4.5  # it has sent nothing genuine: 5 s; it is not cut at once
        last.close()
        assert process.wait(10) == 0


def environment(folder: Path, port: int, admin_port: int) -> dict[str, str]:
    """Settings of a webhook in the dev profile, which waits like every other; without Kafka."""
    (folder / "keys.json").write_bytes(new_keys_file("k1", bytes(32)))
    return dict(os.environ) | {
        "RINGBACK_PROFILE": "dev",
        "RINGBACK_INSTALLATION_ID": "test",
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "RINGBACK_ADMIN__HOST": "127.0.0.1",
        "RINGBACK_ADMIN__PORT": str(admin_port),
        "RINGBACK_WEBHOOK__HOST": "127.0.0.1",
        "RINGBACK_WEBHOOK__PORT": str(port),
        "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": str(folder / "keys.json"),
        "RINGBACK_WEBHOOK__DRAIN_SECONDS": "10",
    }


def posted(client: HTTPConnection) -> tuple[int, str | None]:
    """Status and Connection header of the answer to a POST without items."""
    client.request("POST", PATH, b'{"value":[]}', {"Content-Type": "application/json"})
    with client.getresponse() as answer:
        answer.read()
        return answer.status, answer.getheader("connection")


def asked(admin_port: int) -> int:
    """Status of /readyz; 0 while nothing listens."""
    client = HTTPConnection("127.0.0.1", admin_port, timeout=5)
    try:
        client.request("GET", "/readyz")
        return client.getresponse().status
    except ConnectionError:
        return 0
    finally:
        client.close()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait; raises AssertionError after 60 s."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
