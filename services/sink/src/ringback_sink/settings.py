"""What the sink's processes need to know."""

from ringback_common.settings import EnvironmentSettings, LimitsSettings, ProcessSettings, StoreSettings

__all__ = ["MigrateProcess", "StoreProcess"]


class StoreProcess(ProcessSettings):
    """Settings of `ringback-sink store`."""

    limits: LimitsSettings = LimitsSettings()
    store: StoreSettings = StoreSettings()


class MigrateProcess(EnvironmentSettings):
    """Settings of `ringback-sink migrate`, which speaks to PostgreSQL only."""

    store: StoreSettings = StoreSettings()
