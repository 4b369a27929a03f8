"""The patched copy: whole packages in a folder of their own, which comes first on the path of the services."""

import shutil
from pathlib import Path

from ringback_common.errors import ConfigError

from ringback_faults.mutants.mutant import Mutant, Patch

__all__ = ["lay", "patched"]


def patched(mutant: Mutant, root: Path) -> dict[str, str]:
    """Each file of the product that a mutant touches, as the mutant has it; nothing is written.

    Raises:
        ConfigError: a patch does not fit the tree: its file is gone, or its text stands there never or repeatedly.
    """
    texts: dict[str, str] = {}
    for patch in mutant.patches:
        text = texts.get(patch.file)
        texts[patch.file] = _applied(
            mutant.mutant, patch, _read(mutant.mutant, root / patch.file) if text is None else text
        )
    return texts


def lay(mutant: Mutant, root: Path, folder: Path) -> Path:
    """Copy the packages that a mutant touches into `folder` and patch them there; returns the folder.

    Raises:
        ConfigError: as `patched`, or the result is no Python.
    """
    texts = patched(mutant, root)
    for package in sorted({patch.package for patch in mutant.patches}):
        shutil.copytree(root / package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for file, text in texts.items():
        _compiles(mutant.mutant, file, text)
        place = Path(*Path(file).parts[3:])
        (folder / place).write_text(text)
    return folder


def _read(name: str, file: Path) -> str:
    if not file.is_file():
        raise ConfigError(f"{name}: {file.name} is not where its patch expects it")
    return file.read_text()


def _applied(name: str, patch: Patch, text: str) -> str:
    found = text.count(patch.before)
    if found != 1:
        first = patch.before.splitlines()[0]
        raise ConfigError(
            f"{name}: its patch no longer fits: {patch.file} has {found} times the text that begins {first!r}"
        )
    return text.replace(patch.before, patch.after)


def _compiles(name: str, file: str, text: str) -> None:
    try:
        compile(text, file, "exec")
    except SyntaxError as problem:
        raise ConfigError(f"{name}: patched, {file} is no Python in line {problem.lineno}") from None
