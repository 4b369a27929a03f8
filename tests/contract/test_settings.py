"""What libs/common knows of the processes without importing them."""

from pathlib import Path

import pytest
from ringback_common.settings import HEADS, PREFIX
from ringback_local.settings_page import settings

pytestmark = pytest.mark.contract

SERVICES = Path(__file__).parents[2] / "services"


def test_every_head_is_read_by_some_process_and_none_is_missing() -> None:
    """A new section is not warned of, and what no process reads any more is."""
    assert {each.variable.removeprefix(PREFIX).partition("__")[0] for each in settings()} == HEADS


def test_every_process_begins_alike() -> None:
    """Whoever loads its settings also begins: logs, traces, `ringback_process_info`, unread variables."""
    sources = {path: path.read_text(encoding="utf-8") for path in SERVICES.glob("*/src/**/*.py")}
    loading = {path for path, text in sources.items() if " load(" in text and "settings import" in text}
    assert len(loading) >= 5
    assert [path for path in loading if "    begin(" not in sources[path]] == []
