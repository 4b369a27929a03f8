import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ringback_events.catalogue import EVENTS
from ringback_events.compatibility import breaking_changes, broken_releases
from ringback_events.schemas import schema_of

OLD: dict[str, Any] = {
    "type": "object",
    "required": ["id", "jitter"],
    "properties": {
        "id": {"type": "string", "x-privacy": "C1"},
        "jitter": {"type": "number", "x-unit": "ms", "x-privacy": "C0"},
        "site": {"anyOf": [{"type": "string"}, {"type": "null"}], "x-privacy": "C1"},
        "start": {"type": "string", "format": "date-time", "x-privacy": "C0"},
        "streams": {"type": "array", "items": {"$ref": "#/$defs/Stream"}, "x-privacy": "C1"},
        "detail": {"type": "object", "additionalProperties": {"type": "number"}, "x-privacy": "C0"},
    },
    "$defs": {
        "Stream": {
            "type": "object",
            "required": ["codec"],
            "properties": {
                "codec": {"type": "string", "x-privacy": "C0"},
                "parent": {"anyOf": [{"$ref": "#/$defs/Stream"}, {"type": "null"}], "x-privacy": "C0"},
            },
        }
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The old schema with one node replaced, or removed if the value is None."""
    new = copy.deepcopy(OLD)
    *way, last = path.split("/")
    node: Any = new
    for step in way:
        node = node[step]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return new


BREAKING = [
    ("properties/site", None, "$.site: removed"),
    ("properties/jitter/type", "integer", "$.jitter: type number became integer"),
    ("properties/id/type", "integer", "$.id: type string became integer"),
    ("properties/id/anyOf", [{"type": "string"}, {"type": "null"}], "$.id: type string became null|string"),
    ("properties/site/anyOf", [{"type": "string"}], "$.site: type null|string became string"),
    ("required", ["id", "jitter", "site"], "$.site: now required"),
    ("required", ["id"], "$.jitter: no longer required"),
    ("properties/jitter/x-unit", "s", "$.jitter: x-unit 'ms' became 's'"),
    ("properties/site/x-privacy", "C2", "$.site: x-privacy 'C1' became 'C2'"),
    ("properties/start/format", None, "$.start: format 'date-time' became None"),
    ("properties/id/pattern", "^a", "$.id: pattern None became '^a'"),
    ("properties/id/maxLength", 3, "$.id: maxLength None became 3"),
    ("$defs/Stream/properties/codec", None, "$.streams[].codec: removed"),
    ("properties/detail/additionalProperties", {"type": "string"}, "$.detail[]: type number became string"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), BREAKING, ids=[sentence for *_, sentence in BREAKING])
def test_what_breaks_is_named(path: str, value: Any, sentence: str) -> None:
    """Each breaking change is reported once, with the member's path."""
    assert breaking_changes(OLD, changed(path, value)) == [sentence]


HARMLESS = [
    ("properties/added", {"type": "string", "x-privacy": "C0"}),
    ("properties/id/description", "Better words."),
    ("$defs/Stream/properties/added", {"type": "number", "x-privacy": "C0"}),
    ("description", "Reworded."),
]


@pytest.mark.parametrize(("path", "value"), HARMLESS)
def test_additions_and_words_are_free(path: str, value: Any) -> None:
    """An optional member may be added anywhere, texts may change; a recursive shape ends."""
    assert breaking_changes(OLD, changed(path, value)) == []
    assert breaking_changes(OLD, OLD) == []


def test_inlining_a_definition_changes_nothing() -> None:
    """Names of definitions are not part of the contract."""
    inlined = changed("properties/streams/items", OLD["$defs"]["Stream"])
    assert breaking_changes(OLD, inlined) == []


@pytest.mark.parametrize("event", EVENTS)
def test_each_schema_is_compatible_with_itself_and_with_nothing_less(event: str) -> None:
    """The checker sees a removed member in every real schema."""
    schema = schema_of(event)
    assert breaking_changes(schema, schema) == []
    without = copy.deepcopy(schema)
    name, _ = without["properties"].popitem()
    assert f"$.{name}: removed" in breaking_changes(schema, without)


def test_a_release_is_compared_file_by_file(tmp_path: Path) -> None:
    """A changed member and a vanished schema are both reported, with the file's name."""
    released, schemas = tmp_path / "released", tmp_path / "schemas"
    released.mkdir()
    schemas.mkdir()
    for name in ("call.v1.json", "session.v1.json"):
        (released / name).write_text(json.dumps(OLD))
    (schemas / "call.v1.json").write_text(json.dumps(changed("properties/site", None)))
    assert broken_releases(released, schemas) == [
        "call.v1.json: $.site: removed",
        "session.v1.json: the schema is gone",
    ]
