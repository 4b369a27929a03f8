"""What must stand in no log, and a look whether it does."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import orjson
from ringback_local.secrecy import leaks_in

__all__ = ["leaks_since", "log_sizes", "secrets_ever", "secrets_of"]

_PATTERNS = ("client-secret-*", "client-state-keys*.json", "pseudonym-keys.json")
_SHORTEST_SECRET = 24
"""Characters; what is shorter in these files is a name."""


def secrets_of(run_folders: Sequence[Path]) -> dict[str, str]:
    """Every secret of the files of these runs, by the folder and the file it stands in."""
    files = [file for folder in run_folders for pattern in _PATTERNS for file in sorted(folder.glob(pattern))]
    return {f"{_named(file)} {number}": text for file in files for number, text in enumerate(_secrets_in(file))}


def secrets_ever(before: Mapping[str, str], run_folders: Sequence[Path]) -> dict[str, str]:
    """The secrets of now, and those of `before` that are in no file any more: a process may print what it had read."""
    now = secrets_of(run_folders)
    still = frozenset(now.values())
    return now | {f"{name}, replaced since": text for name, text in before.items() if text not in still}


def _secrets_in(file: Path) -> Iterator[str]:
    content = file.read_text()
    held: Any = orjson.loads(content) if file.suffix == ".json" else content.strip()
    return (text for text in _texts(held) if len(text) >= _SHORTEST_SECRET)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in cast("dict[str, Any]", value).values():
            yield from _texts(member)
    elif isinstance(value, list):
        for member in cast("list[Any]", value):
            yield from _texts(member)


def log_sizes(run_folders: Sequence[Path]) -> dict[Path, int]:
    """How much each process has printed so far, in bytes."""
    return {file: file.stat().st_size for folder in run_folders for file in folder.glob("*.log")}


def leaks_since(sizes: Mapping[Path, int], run_folders: Sequence[Path], canaries: Mapping[str, str]) -> tuple[str, ...]:
    """What the processes printed since their logs had these sizes, searched; each finding a sentence."""
    files = [file for folder in run_folders for file in sorted(folder.glob("*.log"))]
    outputs = {_named(file): _tail(file, sizes.get(file, 0)) for file in files}
    return tuple(f"{leak.what} stands in {leak.place} ({leak.form})" for leak in leaks_in(outputs, canaries))


def _named(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def _tail(file: Path, offset: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read()
