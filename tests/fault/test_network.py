"""A cut network really loses packets, silently, in the direction that was asked for; nothing of it is left."""

import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from socket import create_server, socket

import pytest
from ringback_common.errors import ConfigError
from ringback_faults.network import Network, open_network
from ringback_local.specs import ProcessSpec

CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2) as peer:
    print('connected', flush=True)
    peer.settimeout(1.5)
    for line in sys.stdin:
        try:
            peer.sendall(b'ping')
            print(peer.recv(4).decode(), flush=True)
        except TimeoutError:
            print('silence', flush=True)
"""


class Echo:
    """A server for one client that counts what reaches it."""

    def __init__(self, server: socket) -> None:
        self.port: int = server.getsockname()[1]
        self.received = 0
        threading.Thread(target=self._serve, args=(server,), daemon=True).start()

    def _serve(self, server: socket) -> None:
        peer, _ = server.accept()
        with server, peer, suppress(ConnectionResetError):  # a client that leaves answers unread resets
            while chunk := peer.recv(4):
                self.received += 1
                peer.sendall(chunk)


def echo_at(host: str) -> Echo:
    """A running one, which ends with its client."""
    return Echo(create_server((host, 0)))


@pytest.fixture
def network() -> Generator[Network]:
    """Networks of a world."""
    with open_network() as opened:
        yield opened


def _asked(client: subprocess.Popen[str], times: int) -> Iterator[str]:
    """What the client says to each ping: TCP doubles its pauses, so a healed connection may be silent once more."""
    assert client.stdin is not None
    assert client.stdout is not None
    for _ in range(times):
        client.stdin.write("\n")
        yield client.stdout.readline()


@pytest.mark.parametrize("direction", ["out", "in", "both"])
def test_a_cut_is_silent_and_heals(network: Network, direction: str) -> None:
    """The connection stands and nothing comes through; what was sent into an open direction has arrived."""
    echo = echo_at(network.host("broker"))
    spec = ProcessSpec("store", (sys.executable, "-c", CLIENT, network.host("broker"), str(echo.port)), "")
    command = network.adapted(spec).command
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == "connected\n"
        client.stdin.write("\n")
        assert client.stdout.readline() == "ping\n"
        network.cut("store", "broker", direction)  # pyright: ignore[reportArgumentType] - the parameters above are
        client.stdin.write("\n")
        assert client.stdout.readline() == "silence\n"
        assert echo.received == (2 if direction == "in" else 1)
        network.heal()
        assert "ping\n" in _asked(client, times=5)


def test_another_peer_is_not_cut(network: Network) -> None:
    """Cutting off the database leaves the broker within reach."""
    network.cut("store", "database")
    echo = echo_at(network.host("broker"))
    spec = ProcessSpec("store", (sys.executable, "-c", CLIENT, network.host("broker"), str(echo.port)), "")
    said = subprocess.run(network.adapted(spec).command, input="\n", capture_output=True, text=True, check=False)
    assert said.stdout == "connected\nping\n"


def test_nothing_is_left_and_two_worlds_do_not_meet() -> None:
    """Each has a number of its own; what they made is gone with them."""
    with open_network() as one, open_network() as other:
        assert one.host("broker") != other.host("broker")
        names = {space.name for space in Path("/run/netns").iterdir()}
        number = one.host("broker").split(".")[2]
        assert f"rbf{number}-store" in names
    assert not (Path("/run/netns") / f"rbf{number}-store").exists()
    assert not (Path("/sys/class/net") / f"rbf{number}").exists()


def test_what_a_killed_run_left_is_removed_by_the_next() -> None:
    """A run that ends by SIGKILL cannot tidy up: its successor does, and not while the first still lives."""
    program = """
import sys, time
from ringback_faults.network import open_network
with open_network() as network:
    print(network.host("broker"), flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as left:
        assert left.stdout is not None
        number = left.stdout.readline().split(".")[2]
        bridge = Path("/sys/class/net") / f"rbf{number}"
        with open_network():
            assert bridge.exists()
        left.kill()
        left.wait()
        assert bridge.exists()
        with open_network() as again:
            assert again.host("broker").split(".")[2] == number or not bridge.exists()
    assert not bridge.exists()


def test_a_link_that_there_is_not_is_named(network: Network) -> None:
    """A row that cuts the harness off, or a link that does not exist, is refused with a sentence."""
    with pytest.raises(ConfigError, match="no link from store to admin"):
        network.cut("store", "admin")
