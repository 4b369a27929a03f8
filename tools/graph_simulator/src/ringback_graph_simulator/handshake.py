"""The validation handshake (graph.md 1.1): prove that the endpoint wants the notifications."""

import asyncio
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote_plus

import aiohttp
from yarl import URL

from ringback_graph_simulator.clock import GraphClock
from ringback_graph_simulator.ledger import Ledger
from ringback_graph_simulator.odata import GraphError

__all__ = ["Handshake"]

_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Handshake:
    """Validates endpoints; one request for each URL, also when both are the same."""

    session: aiohttp.ClientSession
    ledger: Ledger
    clock: GraphClock

    async def validate(self, notification_url: str, lifecycle_url: str | None) -> None:
        """Raise GraphError 400 with Graph's sentence unless every endpoint echoes its token within 10 s."""
        await self._one(notification_url, lifecycle=False)
        if lifecycle_url is not None:
            await self._one(lifecycle_url, lifecycle=True)

    async def _one(self, url: str, *, lifecycle: bool) -> None:
        token = f"Validation: Testing client application reachability for subscription Request-Id: {uuid.uuid4()} +ü&="
        begun, status, problem = self.clock.now(), None, None
        try:
            status, problem = await self._ask(url, token)
        except TimeoutError:
            problem = "Subscription validation request timed out."
        except aiohttp.ClientError:
            problem = "Subscription validation request failed. The endpoint could not be reached."
        at = {"at": begun, "end": self.clock.now()}
        self.ledger.write(
            "handshake", **at, url=url.partition("?")[0], lifecycle=lifecycle, status=status, ok=not problem
        )
        if problem is not None:
            raise GraphError(HTTPStatus.BAD_REQUEST, "InvalidRequest", problem)

    async def _ask(self, url: str, token: str) -> tuple[int, str | None]:
        separator = "&" if "?" in url else "?"
        # Graph writes a space as "+": who decodes percent signs only echoes the wrong token.
        target = URL(f"{url}{separator}validationToken={quote_plus(token)}", encoded=True)
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        asked = self.session.post(target, headers=headers, timeout=_TIMEOUT, allow_redirects=False)
        async with asyncio.timeout(10), asked as answer:
            body = (await answer.read()).decode(errors="replace")
            if answer.status != HTTPStatus.OK:
                name = _name(answer.status)
                return answer.status, f"Subscription validation request failed. HTTP status code is '{name}'."
            if answer.content_type != "text/plain" or body != token:
                return (
                    answer.status,
                    "Subscription validation request failed. The token was not returned as plain text.",
                )
            return answer.status, None


def _name(status: int) -> str:
    """The status in Graph's words, e.g. `Forbidden`; the number where there are none."""
    try:
        return HTTPStatus(status).phrase.replace(" ", "")
    except ValueError:
        return str(status)
