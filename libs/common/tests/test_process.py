"""Process: exit codes and signals."""

import json
import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
from ringback_common import logs
from ringback_common.errors import ConfigError
from ringback_common.process import run
logs.configure("test")
async def main(stop):
    {body}
run(main)
"""


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("return None", 0, ""),
        ("raise ConfigError('RINGBACK_X is not set.')", 2, "RINGBACK_X is not set.\n"),
        ("raise ValueError('abbie.wilkins@contoso.com')", 1, ""),
    ],
)
def test_exit_codes(body: str, code: int, said: str) -> None:
    """0 is well, 1 is a bug that quotes nothing, 2 is a configuration mistake in one sentence."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (code, said)
    assert "abbie" not in ended.stdout


def test_a_process_that_has_to_begin_anew_is_no_error() -> None:
    """It ends with 1, so that it is started again; ERROR means that an operator must act."""
    body = "from ringback_common.errors import BeginAnew; raise BeginAnew('not_begun')"
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body)], capture_output=True, text=True, check=False
    )
    (line,) = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (ended.returncode, line["level"], line["reason"]) == (1, "WARNING", "not_begun")


LOST = """asyncio.get_running_loop().create_task(lose())
    await asyncio.sleep(0.05)
async def lose():
    raise ValueError("Abbie Wilkins")"""


def test_a_failure_nobody_waits_for_is_told_without_its_message() -> None:
    """The loop's own words would quote the message; class and place are enough."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=LOST)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0
    assert "ValueError" in ended.stdout
    assert "Abbie" not in ended.stdout + ended.stderr


BEGIN = """from ringback_common import metrics, process, settings
    process.begin("example", settings.load(settings.ProcessSettings))
    print(metrics.exposition().decode())"""


def test_a_beginning_tells_process_version_and_unread_variables() -> None:
    """A misspelt setting is logged by its name, never its value, and nothing of settings that are read."""
    env = os.environ | {
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": "k:9092",
        "RINGBACK_KAFKA__SECURITY_PROTOCOL": "SSL",
        "RINGBACK_INSTALLATION_ID": "test",
        "RINGBACK_STORE__DSN": "postgres://u:hush@h/d",
        "RINGBACK_TELEMETRI__OTLP_ENDPOINT": "https://u:hush@h",
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=BEGIN)], capture_output=True, text=True, check=False, env=env
    )
    said = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    assert [(line["level"], line["process"], line["setting"]) for line in said] == [
        ("WARNING", "example", "RINGBACK_TELEMETRI__OTLP_ENDPOINT")
    ]
    assert 'ringback_process_info{process="example",version="' in ended.stdout
    assert "hush" not in ended.stdout + ended.stderr


def test_sigterm_sets_the_stop_event_and_ends_with_zero() -> None:
    """A rolling deploy is not a crash."""
    body = "print('up', flush=True); await stop.wait()"
    with subprocess.Popen([sys.executable, "-c", PROGRAM.format(body=body)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
