"""Kafka's jars are fetched once, whole or not at all. A script stands in for Maven, so nothing is fetched here."""

import subprocess
import sys
from pathlib import Path

import pytest
from ringback_common.errors import ConfigError
from ringback_local.folders import kafka_jars_folder
from ringback_local.kafka.jars import fetch_jars

WRITES_A_JAR = """#!/bin/sh
echo run >> "$RINGBACK_LOCAL_FOLDER/runs"
for argument; do case "$argument" in -DoutputDirectory=*) out=${argument#*=};; esac; done
mkdir -p "$out" && echo jar > "$out/kafka.jar"
"""
FAILS = """#!/bin/sh
echo run >> "$RINGBACK_LOCAL_FOLDER/runs"
echo "Could not transfer artifact"; exit 1
"""


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty local folder, and a folder for programs first on the path."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("RINGBACK_LOCAL_FOLDER", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path


def _maven(local: Path, script: str) -> None:
    (local / "bin" / "mvn").write_text(script)
    (local / "bin" / "mvn").chmod(0o755)


def test_parallel_starts_fetch_once(local: Path) -> None:
    """Four processes that start together share one fetch."""
    _maven(local, WRITES_A_JAR)
    code = "from ringback_local.kafka.jars import fetch_jars; fetch_jars()"
    together = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait(60) for process in together] == [0, 0, 0, 0]
    assert (local / "runs").read_text().splitlines() == ["run"]
    assert (kafka_jars_folder() / "kafka.jar").exists()


def test_a_fetch_that_fails_is_tried_three_times_and_leaves_nothing(local: Path) -> None:
    """The message quotes Maven, and the next start does not take the remains for the jars."""
    _maven(local, FAILS)
    with pytest.raises(ConfigError, match="Could not transfer artifact"):
        fetch_jars()
    assert (local / "runs").read_text().splitlines() == ["run"] * 3
    assert not kafka_jars_folder().exists()
