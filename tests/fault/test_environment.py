"""Disks are really full, memory really capped, clocks really shifted: a fault that does not happen is noticed."""

import errno
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
from ringback_faults.clocks import REREAD_SECONDS, open_clocks
from ringback_faults.disks import open_disks
from ringback_faults.memory import open_memory
from ringback_local.child import clean_environment
from ringback_local.specs import ProcessSpec

LONG_ENOUGH = REREAD_SECONDS + 1.5
"""Seconds; libfaketime counts the age of what it has read in whole ones."""


def spec(name: str, program: str) -> ProcessSpec:
    """A process that runs a piece of Python."""
    return ProcessSpec(name, (sys.executable, "-c", program), "")


@dataclass
class Ended:
    """How a process ended and what it printed."""

    code: int
    said: str


def run(one: ProcessSpec) -> Ended:
    """Run a process to its end."""
    env = clean_environment(one.env)
    ended = subprocess.run(one.command, env=env, capture_output=True, text=True, timeout=20, check=False)
    return Ended(ended.returncode, ended.stdout + ended.stderr)


def test_a_full_disk_refuses_and_a_freed_one_takes() -> None:
    """The write of another process fails with ENOSPC, and works again once it is freed; afterwards nothing is left."""
    with open_disks({"broker": 64}) as disks:
        disk = disks["broker"]
        (disk.folder / "data").write_bytes(b"x" * 100_000)
        disk.fill()
        with pytest.raises(OSError, match="No space") as refused:
            (disk.folder / "more").write_bytes(b"x" * 100_000)
        assert refused.value.errno == errno.ENOSPC
        disk.empty()
        (disk.folder / "more").write_bytes(b"x" * 100_000)
    assert not disk.folder.exists()


def test_the_kernel_ends_what_needs_more_memory_than_its_cap() -> None:
    """A process that touches 200 MiB under a cap of 64 does not come to its end; under 400 it does."""
    touch = spec("enricher", "b = bytearray(200 * 2**20); print('done')")
    with open_memory({"enricher": 64}) as memory:
        assert run(memory.adapted(touch)).code != 0
        assert not memory.by_group or memory.squeezed("enricher") > 0
    with open_memory({"enricher": 400}) as memory:
        ended = run(memory.adapted(touch))
        assert (ended.code, ended.said) == (0, "done\n")


def test_a_process_without_a_cap_is_left_alone() -> None:
    """Only what the world names is capped."""
    one = spec("store", "")
    with open_memory({"enricher": 64}) as memory:
        assert memory.adapted(one) is one


def test_the_wall_clock_jumps_and_the_monotonic_one_does_not() -> None:
    """Three hours ahead at the start, an hour back while it runs; sleeps and timeouts last as long as they say."""
    program = f"""
import time
print(time.time(), time.monotonic(), flush=True)
input()
time.sleep({LONG_ENOUGH})
print(time.time(), time.monotonic(), flush=True)
"""
    with open_clocks() as clocks:
        one = clocks.adapted(spec("keeper", program))
        clocks.shift("keeper", 3 * 3600)
        command, env = one.command, clean_environment(one.env)
        with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            wall, monotonic = map(float, process.stdout.readline().split())
            assert wall - time.time() == pytest.approx(3 * 3600, abs=2)
            assert monotonic == pytest.approx(time.monotonic(), abs=2)
            clocks.shift("keeper", -3600)
            process.stdin.write("\n")
            process.stdin.flush()
            later, ticked = map(float, process.stdout.readline().split())
        assert later - time.time() == pytest.approx(-3600, abs=2)
        assert ticked - monotonic == pytest.approx(LONG_ENOUGH, abs=1)
