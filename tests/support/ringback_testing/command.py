"""The operator's command as a test runs it: a process, these settings and no others."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PLAINTEXT", "Ended", "ringback", "start_ringback"]

PLAINTEXT = {"RINGBACK_KAFKA__ALLOW_PLAINTEXT": "true"}
"""The tests' Kafka listens on loopback without TLS, which the production profile, the default, refuses."""

RINGBACK = Path(sys.executable).parent / "ringback"


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed with `--json`."""
        return json.loads(self.out)


async def start_ringback(environment: Mapping[str, str], *arguments: str) -> asyncio.subprocess.Process:
    """Start the command; its output may be read."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
    return await asyncio.create_subprocess_exec(
        RINGBACK,
        *arguments,
        env={**clean, **PLAINTEXT, "COLUMNS": "200", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ringback(environment: Mapping[str, str], *arguments: str) -> Ended:
    """Run the command to its end."""
    child = await start_ringback(environment, *arguments)
    out, err = await child.communicate()
    return Ended(child.returncode or 0, out.decode(), err.decode())
