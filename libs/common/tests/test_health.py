"""Health: live and ready are different questions; metrics beside them."""

import json
import urllib.error
import urllib.request
from asyncio import to_thread

import pytest
from ringback_common.errors import ConfigError
from ringback_common.health import AdminServer, Health
from ringback_common.settings import AdminSettings


def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of an answer, refused or not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


async def test_the_admin_port_tells_live_ready_and_metrics() -> None:
    """Each check decides its own question, and a failing one is named."""
    health = Health()
    server = AdminServer(health, AdminSettings(host="127.0.0.1", port=0))
    await server.start()
    try:
        assert (await to_thread(get, server.port, "/livez"))[0] == 200
        assert (await to_thread(get, server.port, "/readyz"))[0] == 503
        health.ready("assignment", lambda: None)
        assert (await to_thread(get, server.port, "/readyz"))[0] == 200
        health.live("progress", lambda: "No progress for 30 s.")
        status, body = await to_thread(get, server.port, "/livez")
        assert (status, json.loads(body)) == (503, {"progress": "No progress for 30 s."})
        assert b"ringback_log_lines" in (await to_thread(get, server.port, "/metrics"))[1]
        assert (await to_thread(get, server.port, "/"))[0] == 404
    finally:
        await server.stop()


async def test_a_taken_port_is_an_error() -> None:
    """Two processes on one port do not start in silence."""
    first = AdminServer(Health(), AdminSettings(host="127.0.0.1", port=0))
    await first.start()
    try:
        with pytest.raises(ConfigError, match="RINGBACK_ADMIN__HOST"):
            await AdminServer(Health(), AdminSettings(host="127.0.0.1", port=first.port)).start()
    finally:
        await first.stop()
