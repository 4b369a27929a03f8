"""JSON Schemas (draft 2020-12) of the events, made from the models."""

import json
from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema

from ringback_events.catalogue import EVENTS
from ringback_events.header_names import schema_uri

__all__ = ["schema_file", "schema_of"]

Schema = dict[str, Any]


def schema_of(event: str) -> Schema:
    """Return the schema of an event by its name in the catalogue.

    The models are closed for the publisher; the schema is open, for a later minor version may add members and a
    reader must not break on one.

    Raises:
        KeyError: the catalogue has no such event.
    """
    model = EVENTS[event]
    schema = cast("Schema", _reader_view(model.model_json_schema(by_alias=True, mode="validation")))
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": schema_uri(event), **schema}


def schema_file(event: str) -> str:
    """Return the text of `contracts/schemas/<event>.v1.json`."""
    return json.dumps(schema_of(event), indent=2, ensure_ascii=False) + "\n"


def _reader_view(node: Any) -> Any:
    """Drop what binds the publisher alone (closed objects) and pydantic's titles, which repeat the names."""
    if isinstance(node, list):
        return [_reader_view(each) for each in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    members = cast("Schema", node)
    return {
        name: _reader_view(value)
        for name, value in members.items()
        if not (name == "additionalProperties" and value is False)
        and not (name == "title" and isinstance(value, str) and "properties" not in members)
    }
