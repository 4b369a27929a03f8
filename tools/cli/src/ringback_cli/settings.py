"""What the operator holds: the way to Kafka, the way to the store, each asked for only by the commands that need it."""

from ringback_common.settings import EnvironmentSettings, KafkaSettings, StoreSettings

__all__ = ["KafkaAccess", "StoreAccess"]


class KafkaAccess(EnvironmentSettings):
    """For commands that speak to Kafka."""

    kafka: KafkaSettings


class StoreAccess(EnvironmentSettings):
    """For commands that read the store."""

    store: StoreSettings = StoreSettings()
