"""The command: one line when ready, a graceful end, exit codes."""

import signal
import ssl
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import orjson
import pytest


def _start(*options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ringback_graph_simulator", "serve", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_it_says_where_it_is_and_ends_when_asked(tmp_path: Path) -> None:
    """The ready line names working URLs; SIGTERM ends it with 0 and a complete ledger."""
    tenant = {"tenantId": "t1", "clientId": "c1", "clientSecret": "s"}
    (tmp_path / "tenants.json").write_bytes(orjson.dumps({"tenants": [tenant]}))
    process = _start("--workdir", str(tmp_path / "sim"), "--tenants", str(tmp_path / "tenants.json"), "--seed", "9")
    with process:
        assert process.stdout is not None
        ready = orjson.loads(process.stdout.readline())
        context = ssl.create_default_context(cafile=ready["caFile"])
        discovery = f"{ready['authorityUrl']}/t1/v2.0/.well-known/openid-configuration"
        with urllib.request.urlopen(discovery, context=context) as answer:
            assert orjson.loads(answer.read())["token_endpoint"].startswith(ready["graphUrl"])
        process.send_signal(signal.SIGTERM)
        rest, problems = process.communicate(timeout=60)
    assert (process.returncode, rest, problems) == (0, b"", b"")
    assert (ready["seed"], ready["pid"]) == (9, process.pid)
    assert orjson.loads(Path(ready["ledgerFile"]).read_bytes().splitlines()[0])["kind"] == "started"
    assert stat.S_IMODE((tmp_path / "sim" / "server.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "options",
    [["--time-scale", "0"], ["--port", "70000"], ["--tenants", "/nowhere/tenants.json"]],
)
def test_a_mistake_in_the_options_ends_with_2(tmp_path: Path, options: list[str]) -> None:
    """Exit code 2, a sentence on stderr, no traceback."""
    with _start("--workdir", str(tmp_path), *options) as process:
        out, problems = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, b"")
    assert b"Traceback" not in problems
    assert problems
