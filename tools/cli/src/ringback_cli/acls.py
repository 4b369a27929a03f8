"""`ringback acls`: the rights of each process in Kafka, least by least, as the contract has them."""

import shlex
import sys
from typing import Annotated

import typer
from ringback_common.errors import ConfigError
from ringback_events.topics import ALL_TOPICS

from ringback_cli.core.rights import Right, User, rights
from ringback_cli.strimzi import Cluster, Prefix, Strimzi, kafka_users, text

__all__ = ["commands"]

commands = typer.Typer(help="Rights in Kafka, by the contract.", no_args_is_help=True)

_FOR_THE_USER = "{user}"
_COMMAND = 'kafka-acls.sh --bootstrap-server "$BOOTSTRAP_SERVER" --command-config "$ADMIN_CONFIG" --add'

Principal = Annotated[
    str, typer.Option(help="Kafka's name of a user, e.g. User:CN=ringback-{user} for client certificates.")
]


@commands.callback()
def root() -> None:
    """Rights in Kafka, by the contract."""


@commands.command()
def render(
    *,
    strimzi: Strimzi = False,
    cluster: Cluster = "kafka",
    prefix: Prefix = "",
    principal: Principal = "User:ringback-{user}",
) -> None:
    """Print the rights of every process: commands of kafka-acls.sh, or Strimzi's KafkaUsers."""
    if _FOR_THE_USER not in principal:
        raise ConfigError("--principal holds {user}, the place of webhook, keeper and the others.")
    sys.stdout.write(text(kafka_users(cluster, prefix)) if strimzi else _script(prefix, principal))


def _script(prefix: str, principal: str) -> str:
    """A shell script: one command for each right, by user."""
    lines = ["#!/bin/sh", "set -eu"]
    for user in User:
        name = principal.replace(_FOR_THE_USER, user)
        lines += ["", f"# {user}", *(_command(right, prefix, name) for right in rights(user, ALL_TOPICS))]
    return "\n".join(lines) + "\n"


def _command(right: Right, prefix: str, principal: str) -> str:
    operations = (word for operation in right.operations for word in ("--operation", operation))
    resource = (f"--{right.kind}", prefix + right.name)
    return f"{_COMMAND} {shlex.join(('--allow-principal', principal, *operations, *resource))}"
