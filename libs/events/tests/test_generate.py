import shutil
from pathlib import Path

import orjson
import pytest
from ringback_events import wire
from ringback_events.catalogue import EVENTS
from ringback_events.fields import Event
from ringback_events.generate import main
from ringback_events.record import CallRecord
from ringback_events.wire_source import _rendered, wire_source
from ringback_testing.record_makers import MakeRecord

CONTRACTS = Path(__file__).parents[3] / "contracts"
DATA = Path(str(wire.__file__)).with_name("topics.json")


def test_a_folder_without_topics_leaves_the_package_as_it_is(tmp_path: Path) -> None:
    """A mistyped folder of the contract must not empty the topics that every program reads."""
    before = DATA.read_bytes()
    with pytest.raises(ValueError, match="holds no file of a topic"):
        main([str(tmp_path)])
    assert DATA.read_bytes() == before


def test_the_wire_module_is_up_to_date() -> None:
    """Drift: after a change of a model run `python -m ringback_events.generate`."""
    assert Path(str(wire.__file__)).read_text("utf-8") == wire_source()


def test_every_model_has_a_wire_form() -> None:
    """Each event's TypedDict has the members of the model, and requires what the model requires."""
    for model in EVENTS.values():
        typed = getattr(wire, f"{model.__name__}Wire")
        infos = model.model_fields.values()
        assert set(typed.__annotations__) == {info.alias for info in infos}
        assert typed.__required_keys__ == {info.alias for info in infos if info.is_required()}


def test_a_shape_without_wire_form_is_refused() -> None:
    """A type without a wire form stops the generator instead of becoming `Any`."""
    with pytest.raises(TypeError, match="no wire form"):
        _rendered(set[int])
    assert _rendered(list[CallRecord] | None) == "list[CallRecordWire] | None"


def test_check_tells_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` writes nothing and fails while a file is missing; a run writes it; then the check is content."""
    shutil.copytree(CONTRACTS / "topics", tmp_path / "topics")
    assert main([str(tmp_path), "--check"]) == 1
    assert not (tmp_path / "schemas").exists()
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--check"]) == 0
    (tmp_path / "schemas" / "call.v1.json").write_text("{}")
    capsys.readouterr()
    assert main([str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().out == f"differs: {tmp_path / 'schemas' / 'call.v1.json'}\n"


def test_the_record_of_the_tests_is_valid(make_record: MakeRecord) -> None:
    """The wire form round-trips through the model, members and all."""
    wire_form = make_record()
    model: Event = CallRecord.model_validate_json(orjson.dumps(wire_form))
    assert orjson.loads(model.model_dump_json()) == wire_form
