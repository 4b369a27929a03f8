"""`ringback topics`: make the cluster's topics what the contract says, or show where they differ."""

import asyncio
import sys
from typing import Annotated

import typer
from ringback_common.errors import ConfigError
from ringback_common.settings import load
from ringback_events.topics import ALL_TOPICS, topic

from ringback_cli.cluster import Cluster
from ringback_cli.output import Json, number, show, tell, track
from ringback_cli.settings import KafkaAccess
from ringback_cli.strimzi import Cluster as StrimziCluster
from ringback_cli.strimzi import Prefix, Strimzi, kafka_topics, text
from ringback_cli.topic_plan import Difference, compare

__all__ = ["commands"]

commands = typer.Typer(help="Kafka topics against the contract.", no_args_is_help=True)
VISIBLE_WITHIN = 30.0
COLUMNS = ("topic", "what", "wanted", "found")

Yes = Annotated[bool, typer.Option("--yes", help="Act; without it the plan is only shown.")]
Replication = Annotated[int, typer.Option(help="Replicas of each new topic; in production 3.", min=1, max=9)]


@commands.command()
def diff(*, as_json: Json = False) -> None:
    """Show every difference; exit 1 if there is one."""
    differences = asyncio.run(_differences())
    rows = [_row(one, as_json=as_json) for one in differences]
    show("Topics that differ from the contract", COLUMNS, rows, as_json=as_json)
    if differences:
        raise typer.Exit(1)


@commands.command()
def apply(*, yes: Yes = False, replication: Replication = 3, as_json: Json = False) -> None:
    """Make what is missing and set what differs; partition counts are never changed."""
    differences = asyncio.run(_differences())
    show("To do", COLUMNS, [_row(one, as_json=as_json) for one in differences], as_json=as_json)
    if not yes and differences:
        tell("Nothing was changed; add --yes to act.")
    if yes:
        asyncio.run(_apply(differences, replication))
    if any(not one.repairable for one in differences):
        tell("A partition count differs; changing it would move keys, so it is left to you.")
        raise typer.Exit(1)


@commands.command()
def render(
    *, strimzi: Strimzi = False, cluster: StrimziCluster = "kafka", prefix: Prefix = "", replication: Replication = 3
) -> None:
    """Print the topics as Strimzi's KafkaTopics; Strimzi or `topics apply` makes them, never both."""
    if not strimzi:
        raise ConfigError("`topics render` takes --strimzi; what makes topics without Strimzi is `topics apply`.")
    sys.stdout.write(text(kafka_topics(cluster, prefix, replication)))


async def _differences() -> list[Difference]:
    async with Cluster.connect(load(KafkaAccess).kafka) as cluster:
        return compare(ALL_TOPICS, await cluster.topics())


async def _apply(differences: list[Difference], replication: int) -> None:
    async with Cluster.connect(load(KafkaAccess).kafka) as cluster:
        existing = await cluster.topics()
        names = list(dict.fromkeys(one.topic for one in differences if one.repairable))
        for name in track(names, "Applying"):
            if name in existing:
                await cluster.configure(topic(name), existing[name].replication)
            else:
                await cluster.create(topic(name), replication)
        await _until_visible(cluster, names)


async def _until_visible(cluster: Cluster, names: list[str]) -> None:
    """A created topic is not in every broker's metadata at once; a service that starts next must find it."""
    async with asyncio.timeout(VISIBLE_WITHIN):
        while not set(names) <= (await cluster.topics()).keys():  # noqa: ASYNC110 - the broker tells by asking
            await asyncio.sleep(0.2)


def _row(one: Difference, *, as_json: bool) -> tuple[str | int, ...]:
    """Kafka gives every setting as text; a program gets numbers as numbers."""
    ends = (number(one.wanted), number(one.found)) if as_json else (one.wanted, one.found)
    return one.topic, one.what, *ends
