"""One meaning a name: no two modules of the product define a class or a type alias of the same name."""

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.contract


def _product() -> Iterator[Path]:
    for room in ("libs", "services"):
        yield from sorted((ROOT / room).glob("*/src/**/*.py"))


def _types_of(path: Path) -> Iterator[str]:
    """Public classes, and aliases: a capitalised name that is assigned a type expression."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp | ast.Name):
            yield from (
                target.id
                for target in node.targets
                if isinstance(target, ast.Name) and target.id[0].isupper() and not target.id.isupper()
            )


def test_a_type_name_has_one_meaning() -> None:
    """A reader who searches for a name finds one definition; see docs/glossary.md for what the words mean."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in _product():
        for name in _types_of(path):
            places[name].append(path.relative_to(ROOT).as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_what_the_glossary_names_exists() -> None:
    """Code in its last column is a class, a module or an attribute of the product."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in _product())
    named = re.findall(r"\| `([A-Za-z_.]+)` \|$", text, re.MULTILINE)
    assert len(named) > 10
    words = {word for name in named for word in name.split(".")}
    modules = {path.stem for path in _product()} | {"ringback_common"}
    assert {word for word in words if word not in modules and not re.search(rf"\b{word}\b", sources)} == set()


PAGES = (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_file_that_is_named_in_prose_exists(page: Path) -> None:
    """By its name or the end of its path; links are checked elsewhere."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    named = re.findall(r"`([\w./-]+\.(?:py|yaml|yml|sh|sql))`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in tracked)] == []
