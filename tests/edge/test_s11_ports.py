"""S11: health and metrics are on a port of their own, which nothing from outside is led to."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from ringback_testing.kustomize import pods, render
from ringback_testing.public_port import QUERY, PublicPort, body, item
from ringback_testing.webhook import post

pytestmark = pytest.mark.edge

ROOT = Path(__file__).parents[2]
KUSTOMIZATIONS = [ROOT / "deploy" / "k8s" / "base", ROOT / "deploy" / "k8s" / "overlays" / "dev"]
ADMIN = ("/livez", "/readyz", "/metrics")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("path", ADMIN)
async def test_the_public_port_knows_nothing_of_health_and_metrics(unharmed: PublicPort, path: str) -> None:
    """404 by any method, with and without our query; the admin port answers the same path."""
    for method in (b"GET", b"POST", b"HEAD"):
        for target in (path, f"{path}?{QUERY}"):
            (answer,) = await unharmed.exchange(post(b"", path=target).replace(b"POST", method, 1))
            assert answer.status == 404
    admin = aiohttp.ClientSession(f"http://127.0.0.1:{unharmed.process.admin_port}")
    async with admin, admin.get(path) as reported:
        assert reported.status == 200


@pytest.mark.asyncio(loop_scope="session")
async def test_the_admin_port_takes_no_notification(unharmed: PublicPort) -> None:
    """A client that reaches it can read, and bring nothing in."""
    call = unharmed.call("admin")
    async with aiohttp.ClientSession(f"http://127.0.0.1:{unharmed.process.admin_port}") as admin:
        for path in ("/graph/notifications", "/graph/lifecycle", "/metrics", "/"):
            async with admin.post(f"{path}?{QUERY}", data=body(item(call))) as reported:
                assert reported.status in {404, 405}
    assert call not in await unharmed.produced()


def _services(folder: Path) -> list[dict[str, Any]]:
    return [made for made in render(folder) if made["kind"] == "Service"]


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
def test_the_one_service_leads_to_the_webhooks_public_port_alone(folder: Path) -> None:
    """No Service, node port or host port of any process leads to `admin`; no ingress is made at all."""
    objects = render(folder)
    assert {made["kind"] for made in objects}.isdisjoint({"Ingress", "HTTPRoute", "Gateway"})
    (service,) = _services(folder)
    assert service["spec"]["selector"]["app.kubernetes.io/component"] == "webhook"
    assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
    ports = [port for pod in pods(objects) for container in pod["containers"] for port in container.get("ports", [])]
    named = {port["name"]: port["containerPort"] for port in ports}
    assert named == {"http": 8080, "admin": 9090}
    assert [port for port in ports if "hostPort" in port] == []


def test_compose_publishes_the_public_port_on_loopback_and_no_admin_port_of_ours() -> None:
    """Of our own processes only the webhook's 8080 leaves the containers' network, at a port of its own for each."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published["webhook"] == ["127.0.0.1:8080-8087:8080"]
    assert set(published) == {"webhook", "prometheus", "alertmanager", "grafana", "jaeger"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
