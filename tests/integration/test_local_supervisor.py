"""The supervisor keeps real processes running, and none outlives it."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from ringback_common.errors import ConfigError
from ringback_local.child import Child
from ringback_local.ports import lease_ports
from ringback_local.servers import StartFailed
from ringback_local.specs import ProcessSpec
from ringback_local.supervised import State
from ringback_local.supervisor import Supervisor
from ringback_testing import eventually

pytestmark = pytest.mark.integration

ANSWERING = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
print("up", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


def _spec(name: str, port: int, code: str = ANSWERING, after: Sequence[str] = ()) -> ProcessSpec:
    command = (sys.executable, "-c", code, str(port))
    return ProcessSpec(name, command, f"http://127.0.0.1:{port}/readyz", admin_port=port, after=tuple(after))


@asynccontextmanager
async def _running(tmp_path: Path, count: int = 1) -> AsyncGenerator[Supervisor]:
    with lease_ports(count) as ports:
        names = [f"p{number}" for number in range(count)]
        specs = [
            _spec(name, port, after=names[:number])
            for number, (name, port) in enumerate(zip(names, ports, strict=True))
        ]
        async with Supervisor(specs, tmp_path) as supervisor:
            await supervisor.all_ready(20)
            yield supervisor


async def test_a_killed_process_is_started_again_and_becomes_ready(tmp_path: Path) -> None:
    """Kill -9 costs one restart: a new process id, the same address, and the death is on record."""
    async with _running(tmp_path) as supervisor:
        before = supervisor.processes["p0"].pid
        supervisor.kill("p0")
        await supervisor.ready("p0", 20)
        assert supervisor.processes["p0"].pid != before
        assert not psutil.pid_exists(before)
        assert supervisor.processes["p0"].restarts == 1
        died = [event for event in supervisor.events if event.what == "died"]
        assert [event.exit_code for event in died] == [-signal.SIGKILL]
        assert (tmp_path / "p0.log").read_text().count("up") == 2


async def test_a_process_asked_to_end_is_started_again_and_its_exit_code_is_known(tmp_path: Path) -> None:
    """An orderly stop costs one restart, too, and its exit code can be judged."""
    async with _running(tmp_path) as supervisor:
        supervisor.terminate("p0")
        await eventually(lambda: supervisor.processes["p0"].restarts == 1)
        assert [event.exit_code for event in supervisor.events if event.what == "died"] == [-signal.SIGTERM]
        await supervisor.ready("p0", 20)


async def test_a_process_killed_from_outside_is_started_again(tmp_path: Path) -> None:
    """The supervisor notices a death it did not cause."""
    async with _running(tmp_path) as supervisor:
        psutil.Process(supervisor.processes["p0"].pid).kill()
        await eventually(lambda: supervisor.processes["p0"].restarts == 1)
        await supervisor.ready("p0", 20)


async def test_a_frozen_process_is_not_ready_and_not_taken_for_dead(tmp_path: Path) -> None:
    """SIGSTOP shows in the health, causes no restart, and passes with SIGCONT."""
    async with _running(tmp_path) as supervisor:
        supervisor.pause("p0")
        await eventually(lambda: supervisor.health()[0].state is State.NOT_READY)
        assert supervisor.health()[0].reason == "It does not answer."
        supervisor.resume("p0")
        await supervisor.ready("p0", 20)
        assert supervisor.processes["p0"].restarts == 0


async def test_processes_start_after_those_they_need_and_stop_before_them(tmp_path: Path) -> None:
    """Three in a chain start first to last and stop last to first, all for good."""
    async with _running(tmp_path, count=3) as supervisor:
        pids = [process.pid for process in supervisor.processes.values()]
    reported = [(event.what, event.name) for event in supervisor.events]
    assert reported[:3] == [("started", "p0"), ("started", "p1"), ("started", "p2")]
    assert reported[3:] == [("stopped", "p2"), ("stopped", "p1"), ("stopped", "p0")]
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_stop_during_the_pause_before_a_restart_starts_nothing(tmp_path: Path) -> None:
    """Leaving while a process waits for its next start does not start it."""
    async with _running(tmp_path) as supervisor:
        supervisor.kill("p0")
        await eventually(lambda: any(event.what == "died" for event in supervisor.events))
    assert [event.what for event in supervisor.events].count("started") == 1


async def test_a_configuration_mistake_is_told_and_not_repeated(tmp_path: Path) -> None:
    """Exit code 2 ends in the process's own sentence; the process is not started again."""
    spec = _spec("p0", 1, "import sys; sys.exit(print('RINGBACK_X is not set.') or 2)")
    async with Supervisor([spec], tmp_path) as supervisor:
        with pytest.raises(ConfigError, match=r"^p0: RINGBACK_X is not set\.$"):
            await supervisor.all_ready(20)
    assert [event.what for event in supervisor.events] == ["started", "misconfigured"]


async def test_a_process_that_dies_at_once_is_tried_again_and_shown_with_its_last_lines(tmp_path: Path) -> None:
    """A process that cannot live is restarted with growing pauses, and the failure quotes its log."""
    spec = _spec("p0", 1, "raise RuntimeError('planted')")
    async with Supervisor([spec], tmp_path) as supervisor:
        with pytest.raises(StartFailed, match="RuntimeError: planted"):
            await supervisor.all_ready(5)
        assert 1 <= supervisor.processes["p0"].restarts <= 4


async def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """After kill -9 of the parent, which can tidy nothing up, its child is gone too."""
    parent = Path(tmp_path / "parent.py")
    parent.write_text(
        "import os, pathlib, time\n"
        "from ringback_local.child import Child\n"
        f"child = Child('child', ['sleep', '600'], os.environ, pathlib.Path({str(tmp_path / 'child.log')!r}))\n"
        "child.spawn(); print(child.pid, flush=True); time.sleep(600)\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, str(parent), stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(await process.stdout.readline())
    await eventually(lambda: psutil.Process(child).name() == "sleep")
    process.kill()
    await process.wait()
    await eventually(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_a_child_that_ignores_sigterm_is_killed_in_the_end(tmp_path: Path) -> None:
    """`stop` returns within its time and leaves nothing behind, children of the child included."""
    code = "trap '' TERM; sleep 600 & echo up; wait; wait"
    child = Child("stubborn", ["sh", "-c", code], {"PATH": "/usr/bin:/bin"}, tmp_path / "log")
    child.spawn()
    while "up" not in child.last_lines():
        assert child.running
    family = [psutil.Process(child.pid), *psutil.Process(child.pid).children()]
    assert child.stop(timeout=0.2) == -signal.SIGKILL
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)
