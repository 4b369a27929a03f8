"""Graph with meetings of any size, in pages as Graph cuts them. A process of its own.

    python -m bench.paged_graph <folder> <port> <meetings.json>   writes its CA to <folder>/ca.pem, then listens

The file maps call ids to numbers of sessions. The budget is the client's own to keep: nothing is refused here.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from ringback_graph_simulator.certs import make_certificates, server_context

from bench.enricher_core import record
from bench.graph_server import HOST

__all__ = ["json_bytes"]

_PAGES = {"sessions": 60, "participants_v2": 130}


class Meeting:
    """One size of meeting: everything but its call id is encoded once."""

    def __init__(self, sessions: int) -> None:
        whole = record(sessions, sessions)
        self._parts = {name: [orjson.dumps(each) for each in whole.pop(name)] for name in _PAGES}
        self._head = orjson.dumps({name: value for name, value in whole.items() if name != "id"})[1:-1]

    def first(self, root: str, call: str, name: str) -> bytes:
        """The record with the first page of one of its lists."""
        size, parts = _PAGES[name], self._parts[name]
        members = [b'{"id":"%s",%s' % (call.encode(), self._head), b'"%s":%s' % (name.encode(), _array(parts[:size]))]
        if len(parts) > size:
            members.append(
                b'"%s@odata.nextLink":"%s/%s?$skip=%d"' % (name.encode(), root.encode(), name.encode(), size)
            )
        return b",".join(members) + b"}"

    def version(self, call: str) -> bytes:
        """The record without its parts."""
        return b'{"id":"%s",%s}' % (call.encode(), self._head)

    def page(self, root: str, name: str, skip: int) -> bytes:
        """A further page."""
        after, parts = skip + _PAGES[name], self._parts[name]
        link = (
            b',"@odata.nextLink":"%s/%s?$skip=%d"' % (root.encode(), name.encode(), after)
            if after < len(parts)
            else b""
        )
        return b'{"value":%s%s}' % (_array(parts[skip:after]), link)


def _array(values: Sequence[bytes]) -> bytes:
    return b"[%s]" % b",".join(values)


_meeting = cache(Meeting)


def json_bytes(sessions: int) -> int:
    """Bytes of Graph's JSON of a meeting, as a reader counts them: every page, and the check of its version."""
    meeting, call = _meeting(sessions), "0" * 36
    root = f"https://{HOST}:65535/v1.0/communications/callRecords/{call}"
    pages = [meeting.page(root, name, skip) for name, size in _PAGES.items() for skip in range(size, sessions, size)]
    checks = [meeting.version(call)] if sessions > _PAGES["participants_v2"] else []
    return sum(map(len, (*(meeting.first(root, call, name) for name in _PAGES), *pages, *checks)))


def _app(root: str, meetings: Mapping[str, int]) -> web.Application:
    records = f"{root}/v1.0/communications/callRecords"

    async def first(request: web.Request) -> web.Response:
        call = request.match_info["call"]
        meeting = _meeting(meetings[call])
        name = request.query.get("$expand", "").partition("(")[0]
        return _json(meeting.first(f"{records}/{call}", call, name) if name else meeting.version(call))

    async def page(request: web.Request) -> web.Response:
        call, name = request.match_info["call"], request.match_info["name"]
        return _json(_meeting(meetings[call]).page(f"{records}/{call}", name, int(request.query["$skip"])))

    async def token(_: web.Request) -> web.Response:
        return _json(orjson.dumps({"token_type": "Bearer", "expires_in": 3599, "access_token": "a" * 1200}))

    async def authority(request: web.Request) -> web.Response:
        base = f"{root}/{request.path.split('/')[1]}"
        names = {"authorization_endpoint": "oauth2/v2.0/authorize", "token_endpoint": "oauth2/v2.0/token"}
        return _json(orjson.dumps({name: f"{base}/{place}" for name, place in (names | {"issuer": "v2.0"}).items()}))

    app = web.Application()
    app.router.add_get("/v1.0/communications/callRecords/{call}", first)
    app.router.add_get("/v1.0/communications/callRecords/{call}/{name}", page)
    app.router.add_post("/{tail:.*}/token", token)
    app.router.add_get("/{tail:.*}", authority)
    return app


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


async def _serve(folder: Path, port: int, meetings: dict[str, Any]) -> None:
    for sessions in set(meetings.values()):
        _meeting(sessions)
    context = server_context(make_certificates(folder, (HOST, "127.0.0.1")))
    runner = web.AppRunner(_app(f"https://{HOST}:{port}", meetings), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), orjson.loads(Path(sys.argv[3]).read_bytes())))
