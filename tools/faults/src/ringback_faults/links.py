"""A proxy for every connection between two processes, which delays, slows, cuts or resets on order.

It runs in a thread of its own: a harness that waits for a server to start must not hold up any traffic.
"""

import asyncio
import threading
from collections.abc import Coroutine, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from ringback_common.errors import ConfigError

from ringback_faults.produce_errors import ProduceErrors
from ringback_faults.relay import Address, Counts, Relay, Toxic

__all__ = ["Link", "Links", "Route", "open_links"]

_Result = TypeVar("_Result")
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Route:
    """One link: who connects where, and what lies behind it.

    Attributes:
        name: `<client>-<server>`, e.g. enricher-graph.
        kafka: whether Kafka is spoken there, so that produce requests can be answered with errors.
    """

    name: str
    listen: Address
    target: Address
    kafka: bool = False


class Link:
    """The handle of one link; every method returns once it holds for all connections, those to come included."""

    def __init__(self, route: Route, loop: asyncio.AbstractEventLoop) -> None:
        self.route = route
        self.produce_errors = ProduceErrors()
        self._relay = Relay(route.listen, route.target, self.produce_errors.conversation if route.kafka else None)
        self._loop = loop

    @property
    def counts(self) -> Counts:
        """What went through and what was done to it, since the start."""
        return self._relay.counts

    def poison(self, up: Toxic | None = None, down: Toxic | None = None) -> None:
        """Do this to what clients send (`up`) and to what they are answered (`down`), until `heal`."""
        self._do(self._relay.poison(up or Toxic(), down or Toxic()))

    def refuse(self) -> None:
        """Reset every connection and refuse new ones."""
        self._do(self._relay.refuse())

    def reset(self) -> None:
        """Reset every connection; new ones are served."""
        self._do(self._relay.reset())

    def heal(self) -> None:
        """Serve faithfully again; connections that lost something stay as they are."""
        self.produce_errors.end()
        self._do(self._relay.heal())

    def lead_to(self, *targets: Address) -> None:
        """New connections lead to these in turn, as behind a load balancer; to none but its own without any."""
        self._do(self._relay.lead_to(targets or (self.route.target,)))

    def open(self) -> None:
        """Listen; raises OSError if the address is taken."""
        self._do(self._relay.open())

    def close(self) -> None:
        """Listen no more."""
        self._do(self._relay.close())

    def _do(self, work: Coroutine[object, object, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_SECONDS)


class Links(Mapping[str, Link]):
    """All links of a world by name."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._links = {link.route.name: link for link in links}

    def __getitem__(self, name: str) -> Link:
        try:
            return self._links[name]
        except KeyError:
            raise ConfigError(f"there is no link {name!r}; there are {', '.join(sorted(self._links))}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)

    def heal(self) -> None:
        """Heal all of them."""
        for link in self._links.values():
            link.heal()


@contextmanager
def open_links(routes: Iterable[Route]) -> Generator[Links]:
    """Yield running links.

    Raises:
        OSError: an address is taken.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="links", daemon=True)
    thread.start()
    links: list[Link] = []
    try:
        for route in routes:
            link = Link(route, loop)
            link.open()
            links.append(link)
        yield Links(links)
    finally:
        for link in links:
            link.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
