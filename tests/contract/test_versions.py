"""Every program says which version it is, without any setting."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest


@pytest.mark.parametrize("service", ["ingest", "enricher", "sink"])
def test_a_service_says_its_version(service: str) -> None:
    """As `ringback` does: an operator asks the image that runs."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
    ended = subprocess.run(
        [sys.executable, "-m", f"ringback_{service}", "--version"],
        capture_output=True, text=True, check=False, env=settings,
    )  # fmt: skip
    said = f"ringback-{service} {version(f'ringback-{service}')}\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, said, "")
