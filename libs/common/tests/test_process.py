"""Process: exit codes and signals."""

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


def test_sigterm_sets_the_stop_event_and_ends_with_zero() -> None:
    """A rolling deploy is not a crash."""
    body = "print('up', flush=True); await stop.wait()"
    with subprocess.Popen([sys.executable, "-c", PROGRAM.format(body=body)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
