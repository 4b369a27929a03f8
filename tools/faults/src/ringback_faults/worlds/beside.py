"""A second installation on the servers of another one."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from ringback_local.kafka import Broker
from ringback_local.postgres import Postgres
from ringback_local.stack import Adapt, Stack, StackOptions

__all__ = ["open_beside"]


@asynccontextmanager
async def open_beside(first: Stack, options: StackOptions, adapt: Adapt) -> AsyncGenerator[Stack]:
    """Yield an installation of its own processes and tenants that uses the servers of the first.

    Its topics and its groups have its prefix, which the first has not, and its database is another one. The servers
    stay the first's: who breaks them does it there.
    """
    async with _Beside(first, options, adapt) as stack:
        yield stack


class _Beside(Stack):
    """As a stack that was given servers by name: what it makes on them gets a prefix."""

    def __init__(self, first: Stack, options: StackOptions, adapt: Adapt) -> None:
        super().__init__(options, adapt)
        self._first = first

    def _open_servers(self, opening: AsyncExitStack) -> None:  # noqa: ARG002 - nothing of it has to be closed
        self.broker = Broker(self._first.bootstrap_servers)
        self.postgres = Postgres(self._first.postgres.dsn)
