"""Making topics on a cluster that is not whole yet."""

from typing import Any, cast

import pytest
from ringback_cli.cluster import Cluster
from ringback_common.errors import Transient
from ringback_common.settings import KafkaSettings
from ringback_events.topics import FETCH


class Headless:
    """A cluster whose nodes have not found a controller; asked for one, aiokafka's client ends with this error."""

    async def describe_cluster(self) -> dict[str, Any]:
        """As aiokafka gives it."""
        return {"controller_id": -1}

    async def create_topics(self, _: object) -> None:
        """As aiokafka fails."""
        raise AttributeError("'NoneType' object has no attribute 'nodeId'")

    alter_configs = create_topics


async def test_a_cluster_without_a_controller_is_one_clear_sentence() -> None:
    """An operator tries again; nothing was made."""
    cluster = Cluster(cast("Any", Headless()), KafkaSettings(bootstrap_servers="kafka:9092"))
    for act in (cluster.create, cluster.configure):
        with pytest.raises(Transient, match="Kafka has no controller now"):
            await act(FETCH, 3)
