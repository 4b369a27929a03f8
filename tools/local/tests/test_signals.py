"""Ctrl-C and SIGTERM: at once while a command starts, in order once it is up."""

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

PROGRAM = """
import asyncio, sys, time
from contextlib import asynccontextmanager
from ringback_local.signals import interruptible, until_signal

@asynccontextmanager
async def opened():
    try:
        {start}
        yield
    finally:
        print("stopped", flush=True)

async def show():
    print("up", flush=True)
    await asyncio.sleep(600)

async def main():
    async with opened():
        await until_signal(show())
    return 0

try:
    sys.exit(interruptible(main))
except KeyboardInterrupt:
    sys.exit(1)
"""
BLOCKED = "print('starting', flush=True); time.sleep(600)"
WAITING = "print('starting', flush=True); await asyncio.sleep(600)"


@contextmanager
def _running(start: str) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM.format(start=start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as program:
        try:
            yield program
        finally:
            program.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("start", "code"), [(BLOCKED, 1), (WAITING, 1), ("pass", 0)], ids=["blocked", "waiting", "up"])
def test_a_signal_ends_a_command_whatever_it_does(start: str, code: int, number: signal.Signals) -> None:
    """A server's start that blocks, one that is waited for, and a stack that is up; what was opened is closed."""
    with _running(start) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.send_signal(number)
        said, _ = program.communicate(timeout=20)
    assert program.returncode == code
    assert said.endswith("stopped\n")
