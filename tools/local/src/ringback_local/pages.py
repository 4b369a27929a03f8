"""Writes the generated pages docs/metrics.md and docs/settings.md: `python -m ringback_local.pages docs`.

It lives here because metrics and settings are declared by packages that must not import each other.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from ringback_common.metrics import catalogue
from ringback_common.metrics_page import metrics_page

from ringback_local.settings_page import settings_page

__all__ = ["pages"]

_DECLARING = ("ringback_stream.telemetry", "ringback_sink.store.telemetry")
"""Modules that add metrics to the catalogue when they are imported."""


def pages() -> Mapping[str, str]:
    """The content of each page by its file's name."""
    for module in _DECLARING:
        import_module(module)
    return {"metrics.md": metrics_page(catalogue), "settings.md": settings_page()}


if __name__ == "__main__":
    for name, content in pages().items():
        (Path(sys.argv[1]) / name).write_text(content, encoding="utf-8")
