"""The Java on this machine."""

import os
import re
import subprocess
from pathlib import Path

__all__ = ["java_command", "java_version", "parse_java_version"]


def java_command() -> str:
    """`$JAVA_HOME/bin/java`, as Maven takes it, else the path's."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"


def java_version() -> int | None:
    """The major version of the Java found, None without one."""
    try:
        answer = subprocess.run([java_command(), "-version"], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return parse_java_version(answer.stderr)


def parse_java_version(banner: str) -> int | None:
    """The major version in what `java -version` prints; 8 for "1.8.0", None if there is none."""
    found = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(found.group(1)) if found else None
