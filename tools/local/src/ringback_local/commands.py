"""The commands in a run's folder: `ringback`, `psql` and `topic` speak to that run, whatever the shell exports."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from ringback_local.specs import Addresses

__all__ = ["write_commands"]

_SCRIPT = """#!/bin/sh
# {what} of this run alone: none of the caller's RINGBACK_ variables counts.
for name in $(env | sed -n 's/^\\(RINGBACK_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
    unset "$name"
done
{settings}exec {command} "$@"
"""


def write_commands(folder: Path, addresses: Addresses, ringback: Path, psql: Path) -> None:
    """Write all into the folder of a run, beside the file with its connection string, for its owner alone.

    `topic` prints the newest events of a topic of the contract with the Kafka client of this environment: a machine
    need not have another.

    Args:
        folder: of the run; `store-dsn` is in it.
        addresses: of the run.
        ringback: the operator's command.
        psql: PostgreSQL's client.
    """
    dsn = folder / "store-dsn"
    settings = {
        "RINGBACK_PROFILE": "dev",
        "RINGBACK_KAFKA__BOOTSTRAP_SERVERS": addresses.bootstrap_servers,
        "RINGBACK_KAFKA__TOPIC_PREFIX": addresses.topic_prefix,
        "RINGBACK_STORE__DSN_FILE": str(dsn),
    }
    _write(folder / "ringback", shlex.quote(str(ringback)), settings)
    _write(folder / "psql", f'{shlex.quote(str(psql))} "$(cat {shlex.quote(str(dsn))})"', {})
    tail = (sys.executable, "-m", "ringback_local.last", addresses.bootstrap_servers, addresses.topic_prefix)
    _write(folder / "topic", shlex.join(tail), {})


def _write(path: Path, command: str, settings: Mapping[str, str]) -> None:
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700), "w") as script:
        script.write(_SCRIPT.format(what=path.name, settings=lines, command=command))
