"""Kafka's own jars, fetched once by Maven and kept under `.local/`."""

import shutil
import subprocess
from pathlib import Path

from ringback_common.errors import ConfigError

from ringback_local.folders import KAFKA_POM, exclusive, kafka_jars_folder, local_folder

__all__ = ["fetch_jars"]

_ATTEMPTS = 3
"""A registry that stumbles once should not fail a build."""


def fetch_jars() -> Path:
    """The folder with the jars, fetched now if they are missing; safe to call from many processes at once.

    Raises:
        ConfigError: Maven could not fetch them.
    """
    folder = kafka_jars_folder()
    with exclusive(local_folder() / "kafka-jars.lock"):
        if not folder.is_dir():
            _fetch_into(folder)
    return folder


def _fetch_into(folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for attempt in range(1, _ATTEMPTS + 1):
        answer = subprocess.run(_maven(partial), capture_output=True, text=True, check=False)  # noqa: S603
        if answer.returncode == 0:
            partial.rename(folder)  # only now: a fetch that was cut short is never taken for the whole
            return
        if attempt == _ATTEMPTS:
            raise ConfigError(f"Maven could not fetch Kafka's jars:\n{answer.stdout[-2000:]}")


def _maven(output: Path) -> list[str]:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={output}", "-DincludeScope=runtime"]
    return ["mvn", "-q", "-B", "-f", str(KAFKA_POM), *goal]
