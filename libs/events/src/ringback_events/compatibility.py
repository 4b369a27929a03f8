"""Whether a changed schema still keeps the promise of its version number.

Within `v1` a member may be added if it is optional, and texts may be reworded. Everything else breaks a reader or a
publisher: a member removed, required or no longer required, a type narrowed or widened (a reader that never saw null
meets one), another unit or another privacy class. Such a change is a new event version and a new topic.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["breaking_changes", "broken_releases"]

SchemaDocument = Mapping[str, Any]


def breaking_changes(old: SchemaDocument, new: SchemaDocument) -> list[str]:
    """One sentence per change that breaks a reader or a publisher of the old schema, with the path of the member."""
    return list(_Comparison(old, new).shapes("$", old, new))


def broken_releases(released: Path, schemas: Path) -> list[str]:
    """Compare every schema of the last release with its successor of the same file name; a missing one breaks too.

    Args:
        released: folder of the released schemas, `*.json`.
        schemas: folder of the present ones.

    Returns:
        One sentence per breaking change, beginning with the file's name; empty if the new schemas may be released.
    """
    broken: list[str] = []
    for old in sorted(released.glob("*.json")):
        new = schemas / old.name
        if not new.is_file():
            broken.append(f"{old.name}: the schema is gone")
            continue
        found = breaking_changes(json.loads(old.read_text("utf-8")), json.loads(new.read_text("utf-8")))
        broken += [f"{old.name}: {change}" for change in found]
    return broken


class _Comparison:
    """Walks both schemas in step; each pair of nodes is compared once, so a shared shape is reported once."""

    def __init__(self, old: SchemaDocument, new: SchemaDocument) -> None:
        self._old_definitions: SchemaDocument = old.get("$defs", {})
        self._new_definitions: SchemaDocument = new.get("$defs", {})
        self._compared: set[tuple[int, int]] = set()

    def shapes(self, path: str, old: SchemaDocument, new: SchemaDocument) -> Iterator[str]:
        old_kinds = _kinds(old, self._old_definitions)
        new_kinds = _kinds(new, self._new_definitions)
        if old_kinds.keys() != new_kinds.keys():
            yield f"{path}: type {_listed(old_kinds)} became {_listed(new_kinds)}"
        for kind in old_kinds.keys() & new_kinds.keys():
            pair = (id(old_kinds[kind]), id(new_kinds[kind]))
            if pair not in self._compared:
                self._compared.add(pair)
                yield from self._insides(path, old_kinds[kind], new_kinds[kind])

    def _insides(self, path: str, old: SchemaDocument, new: SchemaDocument) -> Iterator[str]:
        for keyword in ("format", "enum", "const", "pattern", "minimum", "maximum", "maxLength"):
            if old.get(keyword) != new.get(keyword):
                yield f"{path}: {keyword} {old.get(keyword)!r} became {new.get(keyword)!r}"
        yield from self._members(path, old, new)
        for keyword in ("items", "additionalProperties"):
            if isinstance(old.get(keyword), Mapping) and isinstance(new.get(keyword), Mapping):
                yield from self.shapes(f"{path}[]", old[keyword], new[keyword])

    def _members(self, path: str, old: SchemaDocument, new: SchemaDocument) -> Iterator[str]:
        old_members: SchemaDocument = old.get("properties", {})
        new_members: SchemaDocument = new.get("properties", {})
        was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(old_members.keys() - new_members.keys()):
            yield f"{path}.{name}: removed"
        for name in sorted(is_required - was_required):
            yield f"{path}.{name}: now required"
        for name in sorted((was_required - is_required) & new_members.keys()):
            yield f"{path}.{name}: no longer required"
        for name in sorted(old_members.keys() & new_members.keys()):
            yield from _marks(f"{path}.{name}", old_members[name], new_members[name])
            yield from self.shapes(f"{path}.{name}", old_members[name], new_members[name])


def _kinds(node: SchemaDocument, definitions: SchemaDocument) -> dict[str, SchemaDocument]:
    """The types a value may have, each with the schema that describes it."""
    if "$ref" in node:
        return _kinds(definitions[node["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in node:
        return {kind: each for one in node["anyOf"] for kind, each in _kinds(one, definitions).items()}
    return {str(node.get("type", "anything")): node}


def _marks(path: str, old: SchemaDocument, new: SchemaDocument) -> Iterator[str]:
    for mark in ("x-unit", "x-privacy"):
        if old.get(mark) != new.get(mark):
            yield f"{path}: {mark} {old.get(mark)!r} became {new.get(mark)!r}"


def _listed(kinds: Mapping[str, SchemaDocument]) -> str:
    return "|".join(sorted(kinds))
