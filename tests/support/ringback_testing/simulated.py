"""The session's simulator as one tenant of a test sees it."""

from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

__all__ = ["Simulated"]


@dataclass(frozen=True)
class Simulated:
    """The simulator's control, for one tenant."""

    tenant_id: str
    graph_url: str
    control: aiohttp.ClientSession

    async def __call__(self, method: str, path: str, body: object = None) -> Any:
        """Ask it."""
        async with self.control.request(method, f"/control/{path}", json=body) as answer:
            content = await answer.read()
            assert answer.status < 300, content
            return orjson.loads(content) if content else None

    async def requests(self) -> list[dict[str, Any]]:
        """What the ledger says this tenant's token was used for."""
        lines: list[dict[str, Any]] = []
        offset = 0
        while (page := await self("GET", f"ledger?kind=request&limit=1000&offset={offset}"))["lines"]:
            lines += [line for line in page["lines"] if line["tenantId"] == self.tenant_id]
            offset = page["nextOffset"]
        return lines
