import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ringback_events.catalogue import EVENTS
from ringback_events.compatibility import broken_releases
from ringback_events.generate import generated_files, main

pytestmark = pytest.mark.contract

CONTRACTS = Path(__file__).parents[2] / "contracts"
# Positions and version numbers count nothing and measure nothing.
WITHOUT_DIMENSION = {
    "index",
    "mediaIndex",
    "minVersion",
    "ordinal",
    "party",
    "receiverParty",
    "revision",
    "segmentIndex",
    "streamIndex",
    "version",
}


def schema(event: str) -> dict[str, Any]:
    """The committed schema."""
    return json.loads((CONTRACTS / "schemas" / f"{event}.v1.json").read_text("utf-8"))


def members(event: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every member of an event's schema at any depth, as `Shape.member`."""
    whole = schema(event)
    for name, shape in {event: whole, **whole.get("$defs", {})}.items():
        for member, node in shape["properties"].items():
            yield f"{name}.{member}", node


def types(node: dict[str, Any]) -> set[str]:
    """The JSON types a member may have."""
    return {str(each.get("type")) for each in node.get("anyOf", [node])}


def test_generated_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """Drift: after a change of a model run `python -m ringback_events.generate`; nothing generated is left over."""
    assert main([str(CONTRACTS), "--check"]) == 0, capsys.readouterr().out
    generated = {path for path in generated_files(CONTRACTS) if CONTRACTS in path.parents}
    folders = {path.parent for path in generated}
    assert {path for folder in folders for path in folder.iterdir()} == generated


@pytest.mark.parametrize("event", EVENTS)
def test_schemas_are_draft_2020_12(event: str) -> None:
    """A validator of any language takes them; the id is the one in `ce_dataschema`."""
    Draft202012Validator.check_schema(schema(event))
    assert schema(event)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema(event)["$id"] == f"urn:ringback:schema:{event}:v1"


@pytest.mark.parametrize("event", EVENTS)
def test_every_field_has_a_class_and_a_meaning(event: str) -> None:
    """A field without a privacy class or a description cannot be published."""
    for name, node in members(event):
        assert node.get("x-privacy") in {"C0", "C1", "C2", "C3"}, name
        assert str(node.get("description", "")).endswith("."), name


@pytest.mark.parametrize("event", EVENTS)
def test_every_measure_has_a_unit(event: str) -> None:
    """A number is a position, a version, or has its unit in the schema."""
    for name, node in members(event):
        if types(node) & {"integer", "number"}:
            assert ("x-unit" in node) is not (name.rpartition(".")[2] in WITHOUT_DIMENSION), name


def test_nothing_released_is_broken() -> None:
    """Within v1 a schema of the last release, kept in contracts/released, may only gain optional members."""
    assert broken_releases(CONTRACTS / "released", CONTRACTS / "schemas") == []
