"""What several tests of the local stack need."""

from pathlib import Path

import pytest


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Java, no Maven, no Docker, nothing cached, nothing named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("RINGBACK_LOCAL_FOLDER", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    for name in ("JAVA_HOME", "RINGBACK_LOCAL_KAFKA", "RINGBACK_LOCAL_POSTGRES", "RINGBACK_LOCAL"):
        monkeypatch.delenv(name, raising=False)
