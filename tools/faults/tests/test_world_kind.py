from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ringback_common.errors import ConfigError
from ringback_events.topics import FETCH_LANES
from ringback_faults.contract import call_key, partition_of
from ringback_faults.worlds import read_world
from ringback_faults.worlds.sharing import shared_seed
from ringback_local.run_folder import tenants_of


def test_a_world_is_its_file(tmp_path: Path) -> None:
    """What the file names is read, the rest is the demo's."""
    (tmp_path / "three.yaml").write_text("brokers: 3\nmemory_mib: {enricher: 256}\n")
    kind = read_world(tmp_path, "three")
    assert (kind.name, kind.brokers, kind.memory_mib, kind.tenants) == ("three", 3, {"enricher": 256}, 3)


def test_an_empty_file_is_the_plain_installation(tmp_path: Path) -> None:
    """A file of comments alone is a whole kind."""
    (tmp_path / "plain.yaml").write_text("# nothing\n")
    assert not read_world(tmp_path, "plain").proxied


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("borkers: 3", "odd.yaml: borkers: "),
        ("brokers: 2", "odd.yaml: brokers: "),
        ("memory_mib: {enrichr: 256}", "odd.yaml: memory_mib.enrichr"),
        ("- a list", "odd.yaml: no YAML mapping"),
        ("a: [", "odd.yaml: no YAML"),
        ("pairs: true\nproxied: true", "pairs cannot be proxied"),
    ],
)
def test_a_typo_is_one_sentence_that_names_it(tmp_path: Path, text: str, said: str) -> None:
    """Whoever writes a world reads what is wrong with it, not a stack of pydantic's."""
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        read_world(tmp_path, "odd")


def test_a_missing_world_is_named(tmp_path: Path) -> None:
    """A row that asks for a world nobody wrote says so."""
    with pytest.raises(ConfigError, match="no world 'gone'"):
        read_world(tmp_path, "gone")


@pytest.mark.parametrize("tenants", [1, 2, 3])
@given(begin=st.integers(0, 1_000_000))
@settings(max_examples=20)
def test_tenants_of_one_partition_lie_in_one_on_every_lane(tenants: int, begin: int) -> None:
    """Whatever the run's seed is, and the same for the same."""
    seed = shared_seed(begin, tenants)
    ids = [call_key(tenant.tenant_id, f"call {number}") for number, tenant in enumerate(tenants_of(seed, tenants))]
    for topic in FETCH_LANES:
        assert len({partition_of(topic.name, key) for key in ids}) == 1
    assert shared_seed(begin, tenants) == seed
