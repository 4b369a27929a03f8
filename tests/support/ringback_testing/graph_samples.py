"""The samples of Graph's documentation: twins that belong to the repository, and the originals where they lie.

A twin has the members, nulls and links of its original, and values of our own. The originals and the published metadata
are not the repository's to ship; they are read where `GRAPH_DATA` says, else in `../shared/data/graph` beside it.
"""

import os
import re
from pathlib import Path
from typing import Any

import orjson

from ringback_testing.json_values import is_list, is_object

__all__ = ["SAMPLES", "documents", "form", "metadata_documents", "twin"]

_TWINS = Path(__file__).parent / "samples"
_BESIDE = Path(__file__).parents[4] / "shared" / "data" / "graph"
SAMPLES = ("callrecord-expanded", "list-callrecords", "notification", "pstn-calls", "direct-routing-calls")
_MASKED = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "{id}"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "{date}"),
)


def twin(name: str) -> dict[str, Any]:
    """The repository's own document of this name, read anew."""
    return orjson.loads((_TWINS / f"{name}.json").read_bytes())


def documents(name: str) -> list[dict[str, Any]]:
    """The twin, and behind it the original if it is at hand: what holds of the one has to hold of the other."""
    original = _data() / "samples" / f"{name}.json"
    return [twin(name), *(orjson.loads(file.read_bytes()) for file in (original,) if file.is_file())]


def metadata_documents() -> list[str]:
    """The slice of Graph's published metadata, if it is at hand."""
    return [file.read_text(encoding="utf-8") for file in (_data() / "callrecords.csdl.xml",) if file.is_file()]


def form(value: Any, name: str = "") -> Any:
    """What a twin has in common with its original: members, kinds of values, nulls; links with ids and dates masked."""
    if is_object(value):
        return {member: form(inner, member) for member, inner in value.items()}
    if is_list(value):
        return [form(inner, name) for inner in value]
    if isinstance(value, str) and ("@odata." in name or name == "resource"):
        return _masked(value)
    return type(value).__name__


def _masked(link: str) -> str:
    for pattern, word in _MASKED:
        link = pattern.sub(word, link)
    return link


def _data() -> Path:
    return Path(os.environ.get("GRAPH_DATA") or _BESIDE)
