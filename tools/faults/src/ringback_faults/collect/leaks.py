"""What must stand in no log, and a look whether it does."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import orjson
from ringback_local.secrecy import leaks_in

__all__ = ["leaks_since", "log_sizes", "secrets_of"]

_PATTERNS = ("client-secret-*", "client-state-keys*.json", "pseudonym-keys.json")
_SHORTEST_SECRET = 24
"""Characters; what is shorter in these files is a name."""


def secrets_of(run_folder: Path) -> dict[str, str]:
    """Every secret of a run's files, by the file it stands in."""
    files = [file for pattern in _PATTERNS for file in sorted(run_folder.glob(pattern))]
    return {f"{file.name} {number}": text for file in files for number, text in enumerate(_secrets_in(file))}


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


def log_sizes(run_folder: Path) -> dict[Path, int]:
    """How much each process has printed so far, in bytes."""
    return {file: file.stat().st_size for file in run_folder.glob("*.log")}


def leaks_since(sizes: Mapping[Path, int], run_folder: Path, canaries: Mapping[str, str]) -> tuple[str, ...]:
    """What the processes printed since their logs had these sizes, searched; each finding a sentence."""
    outputs = {file.name: _tail(file, sizes.get(file, 0)) for file in sorted(run_folder.glob("*.log"))}
    return tuple(f"{leak.what} stands in {leak.place} ({leak.form})" for leak in leaks_in(outputs, canaries))


def _tail(file: Path, offset: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read()
