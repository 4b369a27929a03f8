"""Graph's published types, and a check of any payload against them.

`metadata.json` is derived from the v1.0 metadata (microsoftgraph/msgraph-metadata, MIT): names, types, enum members.
Nullability is left out on purpose: in the metadata it is no promise on the wire (graph.md 3.6).
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, cast

import orjson

from ringback_graph_simulator.media import FUTURE_MEMBERS

__all__ = ["Table", "derive_table", "shipped_table", "violations"]

Table = dict[str, Any]
"""`{"types": {name: {"base", "open", "members": {member: type}}}, "enums": {name: [member, ...]}}`."""

_EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
_NUMBER = (float, int)
_PRIMITIVES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("Edm.String", "Edm.Guid", "Edm.DateTimeOffset", "Edm.Duration"), (str,)),
    **dict.fromkeys(("Edm.Int32", "Edm.Int64"), (int,)),
    **dict.fromkeys(("Edm.Single", "Edm.Double", "Edm.Decimal"), _NUMBER),
    "Edm.Boolean": (bool,),
}
_FORMS = {
    "Edm.DateTimeOffset": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)"),
    "Edm.Duration": re.compile(r"-?P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"),
    "Edm.Guid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}


def derive_table(csdl: str) -> Table:
    """Names and types of a CSDL document."""
    types: dict[str, Any] = {}
    enums: dict[str, list[str]] = {}
    for schema in ET.fromstring(csdl).iter(f"{_EDM}Schema"):  # noqa: S314 (a file of ours, not a stranger's)
        space = schema.attrib["Namespace"]
        for node in schema:
            name = f"{space}.{node.attrib.get('Name', '')}"
            if node.tag == f"{_EDM}EnumType":
                enums[name] = [member.attrib["Name"] for member in node.iter(f"{_EDM}Member")]
            elif node.tag in {f"{_EDM}ComplexType", f"{_EDM}EntityType"}:
                types[name] = _type(node)
    types.setdefault("microsoft.graph.entity", {"base": None, "open": False, "members": {"id": "Edm.String"}})
    return {"types": types, "enums": enums}


def _type(node: ET.Element) -> dict[str, Any]:
    members = {
        child.attrib["Name"]: _full(child.attrib["Type"])
        for child in node
        if child.tag in {f"{_EDM}Property", f"{_EDM}NavigationProperty"}
    }
    base = node.attrib.get("BaseType")
    return {"base": base and _full(base), "open": node.attrib.get("OpenType") == "true", "members": members}


def _full(name: str) -> str:
    return re.sub(r"(^|\()graph\.", r"\1microsoft.graph.", name)


@cache
def shipped_table() -> Table:
    """The table in the package."""
    return orjson.loads((files(__package__ or "ringback_graph_simulator") / "metadata.json").read_bytes())


def violations(value: Any, kind: str, table: Table, path: str = "$") -> Iterator[str]:
    """What is wrong with a JSON value of a declared type, as sentences; null is always right."""
    if value is None:
        return
    if kind.startswith("Collection("):
        yield from _collection(value, kind[11:-1], table, path)
    elif kind in _PRIMITIVES:
        yield from _primitive(value, kind, path)
    elif kind in table["enums"]:
        known = {*table["enums"][kind], *FUTURE_MEMBERS.get(path.rpartition(".")[2], ())}
        if value not in known:
            yield f"{path}: {value!r} is no member of {kind}"
    elif kind in table["types"]:
        yield from _object(value, kind, table, path)
    else:
        yield f"{path}: the metadata has no type {kind}"


def _collection(value: Any, kind: str, table: Table, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: a list was declared"
        return
    for index, item in enumerate(cast("list[Any]", value)):
        where = path if kind in table["enums"] else f"{path}[{index}]"
        yield from violations(item, kind, table, where)


def _primitive(value: Any, kind: str, path: str) -> Iterator[str]:
    wanted = _PRIMITIVES[kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        yield f"{path}: {value!r} is no {kind}"
    elif kind in _FORMS and not _FORMS[kind].fullmatch(str(value)):
        yield f"{path}: {value!r} is not written as {kind}"


def _object(value: Any, declared: str, table: Table, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: an object was declared"
        return
    body = cast("dict[str, Any]", value)
    kind = str(body.get("@odata.type", declared)).removeprefix("#")
    if declared not in _lineage(kind, table):
        yield f"{path}: {kind} is no {declared}"
        return
    members = {name: type_ for one in _lineage(kind, table) for name, type_ in table["types"][one]["members"].items()}
    is_open = any(table["types"][one]["open"] for one in _lineage(kind, table))
    for name, member in body.items():
        if "@odata." in name:
            continue
        if name in members:
            yield from violations(member, members[name], table, f"{path}.{name}")
        elif not is_open:
            yield f"{path}: {kind} has no member {name}"


def _lineage(kind: str, table: Table) -> list[str]:
    lineage: list[str] = []
    while kind in table["types"]:
        lineage.append(kind)
        kind = table["types"][kind]["base"] or ""
    return lineage
