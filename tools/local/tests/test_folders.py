"""Scratch folders go with their owner, also when it could not tidy up."""

from pathlib import Path

from ringback_local.folders import scratch_folder


def test_a_scratch_folder_lasts_as_long_as_its_block(tmp_path: Path) -> None:
    """It is empty but for its lock while in use, and gone afterwards."""
    with scratch_folder("kafka", tmp_path) as folder:
        (folder / "data").write_text("x")
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_owner_left_is_removed_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    """A folder whose lock nobody holds goes; one that is held, or of another kind, stays."""
    for name in ("kafka-left", "postgres-left"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "owner.lock").touch()
    with scratch_folder("kafka", tmp_path) as used, scratch_folder("kafka", tmp_path) as second:
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([used.name, second.name, "postgres-left"])
