"""One operating-system process that we started, and may therefore stop, kill or freeze."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["Child", "OsUser", "clean_environment", "installed"]

_GONE_SECONDS = 5.0
"""Killed grandchildren are the kernel's to end; this is the longest that is waited for it."""
_TETHER = Path(__file__).with_name("tether.py")


@dataclass(frozen=True)
class OsUser:
    """Who a child runs as."""

    uid: int = field(default_factory=os.getuid)
    gid: int = field(default_factory=os.getgid)


class Child:
    """A process that dies with its parent and is only ever signalled by its own id.

    It may be spawned again after it ended. The kernel ties it to the *thread* that spawned it: spawn from a thread that
    lives as long as the child should, in practice the main thread.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log_file: Path,
        user: OsUser | None = None,
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._command = list(command)
        self._env = dict(env)
        self._user = user or OsUser()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the newest process; raises RuntimeError if none was spawned."""
        return self._spawned().pid

    @property
    def returncode(self) -> int | None:
        """None while it runs or was never spawned; negative when a signal ended it."""
        return None if self._process is None else self._process.poll()

    @property
    def running(self) -> bool:
        """Whether a process was spawned and has not ended; a frozen one runs."""
        return self._process is not None and self._process.poll() is None

    def spawn(self) -> None:
        """Start the command, appending what it prints to the log file. Does not wait for readiness."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        tether = [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), str(self._user.uid), str(self._user.gid)]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*tether, *self._command],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then stops children in order
            )

    def terminate(self) -> None:
        """Ask it to end (SIGTERM), also when it is frozen. Does not wait."""
        if self.running:
            self._spawned().terminate()
            self.resume()

    def wait(self, timeout: float) -> int:
        """Wait for its end and return the exit code; raises subprocess.TimeoutExpired."""
        return self._spawned().wait(timeout)

    def stop(self, timeout: float = 20.0) -> int | None:
        """SIGTERM, and SIGKILL after `timeout` seconds. Returns the exit code, None if it was never spawned."""
        if self._process is None:
            return None
        self.terminate()
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode

    def kill(self) -> None:
        """SIGKILL to it and to whatever it started, as a machine's sudden death would; waits until they are gone."""
        family = self._family()
        for process in family:
            _signal(process, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        deadline = time.monotonic() + _GONE_SECONDS
        while any(map(_alive, family)) and time.monotonic() < deadline:
            time.sleep(0.005)

    def pause(self) -> None:
        """SIGSTOP to it and to whatever it started."""
        for process in self._family():
            _signal(process, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to it and to whatever it started."""
        for process in self._family():
            _signal(process, signal.SIGCONT)

    def last_lines(self, count: int = 15) -> str:
        """The end of its log, for an error message about it."""
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-count:])

    def _spawned(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    def _family(self) -> list[psutil.Process]:
        """The process first, then its descendants; empty if it has ended."""
        if not self.running:
            return []
        try:
            leader = psutil.Process(self.pid)
            return [leader, *leader.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def installed(command: Sequence[str]) -> list[str]:
    """The command with its program looked up beside this Python, where the environment's scripts are."""
    script = Path(sys.executable).parent / command[0]
    return [str(script) if script.exists() else command[0], *command[1:]]


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our environment for a process of Ringback: no RINGBACK_ variable but `settings`, output at once."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
    return {**inherited, "PYTHONUNBUFFERED": "1", **settings}


def _alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie does not, its exit code has only not been read yet."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it ended by itself meanwhile
