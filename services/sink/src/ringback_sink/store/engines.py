"""Which engine a process writes to, by its settings. Only here the engines are known by name."""

from ringback_common.clock import Clock
from ringback_common.errors import ConfigError

from ringback_sink.settings import SinkStoreSettings
from ringback_sink.store.memory import MemoryStore
from ringback_sink.store.port import Store
from ringback_sink.store.postgres.store import PostgresStore

__all__ = ["open_store"]


def open_store(settings: SinkStoreSettings, profile: str, clock: Clock) -> Store:
    """The store that the settings name; nothing is connected yet.

    Raises:
        ConfigError: a setting that the engine needs is missing or wrong, or the engine is not for this profile.
    """
    match settings.engine:
        case "postgres":
            return PostgresStore(settings.connection_string(profile), clock)
        case "memory":
            if profile != "dev":
                raise ConfigError(
                    "RINGBACK_STORE__ENGINE=memory keeps nothing when the process ends: "
                    "remove it or set RINGBACK_PROFILE=dev."
                )
            return MemoryStore(clock)
