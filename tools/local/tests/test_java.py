"""The banner of `java -version` in the forms vendors print it."""

import pytest
from ringback_local.java import java_command, java_version, parse_java_version


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_the_major_version_is_read(banner: str, version: int | None) -> None:
    """Old and new numbering give the major version, a banner without one gives None."""
    assert parse_java_version(banner) == version


def test_java_home_comes_before_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Maven has it; a JAVA_HOME without a Java means that there is none."""
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert java_command() == "/nowhere/bin/java"
    assert java_version() is None
