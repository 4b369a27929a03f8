"""Which planted bugs a change plants before it lands: a few of those it may have hidden. Pure but for the files."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ringback_common.errors import ConfigError

from ringback_faults.mutants.mutant import read_mutant
from ringback_faults.row import read_row

__all__ = ["JUDGE", "MOST", "Choice", "choose", "files_of"]

MOST = 4
"""Planted bugs of one landing."""

JUDGE = ("tools/faults/src/ringback_faults/oracle/", "tools/faults/src/ringback_faults/collect/")
"""What sees a bug: the oracle and what it is given. A change in there concerns every planted bug."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The planted bugs of a landing, by number, and a sentence that says why these."""

    names: tuple[str, ...]
    why: str


def choose(
    files: Mapping[str, Collection[str]], since: str | None, changed: Collection[str] | None, draw: str
) -> Choice:
    """Those whose files changed, at most four of them, drawn by a hash.

    Args:
        files: of each planted bug, in their order.
        since: the commit of the last run of all planted bugs, None if it is not known.
        changed: files that differ from that commit, None if the clone does not have it.
        draw: the first ten digits of a commit's hash.
    """
    concerned = [name for name in files if changed is None or _touched(files[name], changed)]
    if not concerned:
        return Choice((), f"No file of a planted bug changed since {since}, when all were planted: none is planted.")
    queue = sorted(concerned, key=lambda name: hashlib.sha256(f"{draw} {name}".encode()).digest())
    names = tuple(name for name in concerned if name in queue[:MOST])
    drawn = "" if len(names) == len(concerned) else f", {len(names)} of them drawn by {draw}"
    return Choice(names, f"{_ground(since, changed)}: {len(concerned)} of {len(files)} planted bugs{drawn}.")


def files_of(root: Path) -> dict[str, frozenset[str]]:
    """The files of each planted bug: those it patches, its own, those of its row and of the row's world.

    Raises:
        ConfigError: a file is wrong, or there is no such row.
    """
    folder = root / "tests" / "fault"
    rows = {row.row: (row, file) for file in (folder / "rows").glob("*.yaml") for row in [read_row(file)]}
    mutants = [(read_mutant(file), file) for file in (folder / "mutants").glob("*.yaml")]
    files: dict[str, frozenset[str]] = {}
    for mutant, file in sorted(mutants, key=lambda each: int(each[0].mutant[1:])):
        if mutant.row not in rows:
            raise ConfigError(f"{mutant.mutant}: there is no row {mutant.row}")
        row, at = rows[mutant.row]
        beside = (file, at, folder / "worlds" / f"{row.world}.yaml")
        files[mutant.mutant] = frozenset(patch.file for patch in mutant.patches) | {
            each.relative_to(root).as_posix() for each in beside
        }
    return files


def _touched(files: Collection[str], changed: Collection[str]) -> bool:
    return any(file in files or file.startswith(JUDGE) for file in changed)


def _ground(since: str | None, changed: Collection[str] | None) -> str:
    if since is None:
        return "docs/reliability.md names no commit at which all bugs were planted, so all count as changed"
    if changed is None:
        return f"This clone does not have {since}, at which all bugs were planted, so all count as changed"
    return f"Changed since {since}, when all bugs were planted"
