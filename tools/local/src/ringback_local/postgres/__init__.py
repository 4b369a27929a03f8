"""A real PostgreSQL on this machine."""

from ringback_local.postgres.provider import open_postgres
from ringback_local.postgres.server import Postgres

__all__ = ["Postgres", "open_postgres"]
