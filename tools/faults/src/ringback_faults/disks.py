"""File systems of limited size for the servers' data, which can be filled and freed. Mounting needs root."""

import os
import shutil
import subprocess
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir

import psutil
from ringback_common.errors import ConfigError

__all__ = ["Disk", "Disks", "open_disks"]

_PREFIX = "ringback-disk-"
_BALLAST = "ballast"
_LARGE, _SMALL = bytes(1024 * 1024), bytes(512)


class Disk:
    """One file system in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def free(self) -> int:
        """Bytes that are left."""
        return shutil.disk_usage(self.folder).free

    def fill(self) -> None:
        """Take everything that is left, so that the next write of any process fails with ENOSPC."""
        with (self.folder / _BALLAST).open("ab", buffering=0) as ballast:
            for piece in (_LARGE, _SMALL):  # the server writes meanwhile: what is left is known only by being refused
                with suppress(OSError):
                    while ballast.write(piece) == len(piece):
                        pass

    def empty(self) -> None:
        """Give it back."""
        (self.folder / _BALLAST).unlink(missing_ok=True)


class Disks:
    """The limited disks of one world."""

    def __init__(self, disks: Mapping[str, Disk]) -> None:
        self._disks = disks

    def __getitem__(self, server: str) -> Disk:
        """That of `broker` or of `postgres`; raises ConfigError if it has none."""
        try:
            return self._disks[server]
        except KeyError:
            raise ConfigError(f"this world has no limited disk for {server}") from None

    def folder(self, server: str) -> Path | None:
        """Where a server is to keep its data, None if anywhere."""
        return self._disks[server].folder if server in self._disks else None

    def empty(self) -> None:
        """Free all of them."""
        for disk in self._disks.values():
            disk.empty()


@contextmanager
def open_disks(sizes: Mapping[str, int]) -> Generator[Disks]:
    """Yield disks of these sizes in MiB by server, gone after the block; those of dead runs are removed on the way.

    Raises:
        ConfigError: we may not mount.
    """
    _sweep()
    with ExitStack() as mounted:
        yield Disks({server: mounted.enter_context(_disk(server, size)) for server, size in sizes.items()})


@contextmanager
def _disk(server: str, size: int) -> Generator[Disk]:
    folder = Path(gettempdir()) / f"{_PREFIX}{os.getpid()}-{server}"
    folder.mkdir(exist_ok=True)
    try:
        _mount(folder, size)
        yield Disk(folder)
    finally:
        _remove(folder)


def _mount(folder: Path, size: int) -> None:
    options = f"size={size}m,mode=0755"
    command = ["mount", "-t", "tmpfs", "-o", options, "ringback", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if answer.returncode != 0:
        raise ConfigError("a world with a limited disk needs the right to mount a tmpfs, as root has it")


def _sweep() -> None:
    for folder in Path(gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Lazily: a server that is just dying may still hold a file of it."""
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=False)  # noqa: S603, S607 - our own command
    shutil.rmtree(folder, ignore_errors=True)
