"""Where things are kept on one machine: everything under `.local/` of the repository, nothing in HOME."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["KAFKA_POM", "exclusive", "kafka_jars_folder", "local_folder", "scratch_folder"]

_MEMBER = Path(__file__).resolve().parents[2]
KAFKA_POM = _MEMBER / "pom.xml"


def local_folder() -> Path:
    """`RINGBACK_LOCAL_FOLDER`, else `.local` at the root of the repository; made if missing."""
    folder = Path(os.environ.get("RINGBACK_LOCAL_FOLDER", _MEMBER.parents[1] / ".local"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kafka_jars_folder() -> Path:
    """Where the jars of the present pom.xml are kept; another pom.xml, another folder."""
    return local_folder() / f"kafka-{hashlib.sha256(KAFKA_POM.read_bytes()).hexdigest()[:12]}"


@contextmanager
def exclusive(lock_file: Path) -> Generator[None]:
    """Hold a file's lock over the block; waits while another process holds it."""
    with lock_file.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def scratch_folder(kind: str, parent: Path | None = None) -> Generator[Path]:
    """Yield an empty folder for a server's data, removed after the block.

    Folders of the same kind whose owner was killed before it could tidy up are removed on the way.
    """
    parent = parent or local_folder() / "data"
    parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(parent, kind)
    with tempfile.TemporaryDirectory(prefix=f"{kind}-", dir=parent, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with exclusive(folder / "owner.lock"):
            yield folder


def _remove_abandoned(parent: Path, kind: str) -> None:
    for lock_file in parent.glob(f"{kind}-*/owner.lock"):
        if _abandoned(lock_file):
            shutil.rmtree(lock_file.parent, ignore_errors=True)


def _abandoned(lock_file: Path) -> bool:
    """Whether the lock is free; the kernel lets go of a dead process's locks."""
    try:
        with lock_file.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
