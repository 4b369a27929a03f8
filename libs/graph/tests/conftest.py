"""A Graph of a test's own making, its tenant, and https servers on this machine."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from ringback_graph.tenants import Tenant
from ringback_testing.https_server import Certificates, StartHttps, make_certificates, starting_https
from ringback_testing.scripted_graph import ScriptedGraph, graph_tenant

TENANT = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def graph() -> ScriptedGraph:
    """A Graph that knows nothing yet."""
    return ScriptedGraph()


@pytest.fixture
def tenant(tmp_path: Path) -> Tenant:
    """A tenant of graph.test."""
    return graph_tenant(tmp_path, TENANT)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of a CA that signs for localhost only."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def https(certificates: Certificates) -> AsyncGenerator[StartHttps]:
    """Starts https servers on ports of their own; they end with the test."""
    async with starting_https(certificates) as start:
        yield start
