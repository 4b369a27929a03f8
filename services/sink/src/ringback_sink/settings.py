"""What the sink's processes need to know."""

from typing import Literal

from ringback_common.settings import EnvironmentSettings, LimitsSettings, ProcessSettings, StoreSettings

__all__ = ["MigrateProcess", "SinkStoreSettings", "StoreProcess"]


class SinkStoreSettings(StoreSettings):
    """Which store is written to, and where it is."""

    engine: Literal["postgres", "memory"] = "postgres"
    """What stores: `postgres`, or `memory`, which keeps nothing when the process ends and is for `dev` only."""


class StoreProcess(ProcessSettings):
    """Settings of `ringback-sink store`."""

    limits: LimitsSettings = LimitsSettings()
    store: SinkStoreSettings = SinkStoreSettings()


class MigrateProcess(EnvironmentSettings):
    """Settings of `ringback-sink migrate`, which connects to the store only."""

    store: SinkStoreSettings = SinkStoreSettings()
