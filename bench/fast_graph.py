"""The Graph stand-in as a process that runs while a block lasts."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ringback_local.child import Child, clean_environment

from bench.graph_server import HOST
from bench.programs import ROOT, begin, free_ports, listens, script

__all__ = ["Graph", "open_graph"]


@dataclass(frozen=True, slots=True)
class Graph:
    """The stand-in that is running."""

    url: str
    ca_file: Path


@asynccontextmanager
async def open_graph(folder: Path, delay_ms: int) -> AsyncGenerator[Graph]:
    """Run the stand-in; its certificates lie in a folder of its own."""
    [port] = free_ports(1)
    home = folder / f"graph-{port}"
    home.mkdir()
    command = script("bench.graph_server", str(home), str(port), str(delay_ms))
    child = Child("graph", command, clean_environment({"PYTHONPATH": str(ROOT)}), folder / "graph.log")
    await begin(child, lambda: listens(port))
    try:
        yield Graph(f"https://{HOST}:{port}", home / "ca.pem")
    finally:
        await asyncio.to_thread(child.stop)
