"""Making a topic on a cluster that has no controller yet."""

from typing import Any, cast

import pytest
from ringback_cli.cluster import Cluster
from ringback_common.errors import Transient
from ringback_common.settings import KafkaSettings
from ringback_events.topics import FETCH


class Headless:
    """An admin client of aiokafka, connected to a cluster without a controller."""

    async def describe_cluster(self) -> dict[str, Any]:
        """The metadata of the cluster, as far as it is used."""
        return {"controller_id": -1}

    async def create_topics(self, _: object) -> None:
        """Fails as aiokafka 0.14 does."""
        raise AttributeError("'NoneType' object has no attribute 'nodeId'")


async def test_a_cluster_without_a_controller_is_one_clear_sentence() -> None:
    """The operator reads what to do, not an AttributeError of the client."""
    cluster = Cluster(cast("Any", Headless()), KafkaSettings(bootstrap_servers="kafka:9092"))
    with pytest.raises(Transient, match="Kafka has no controller yet"):
        await cluster.create(FETCH, 3)
