"""The proxy applies to a connection the fault that is ordered, and nothing else."""

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from ringback_faults.links import Link, Route, open_links
from ringback_faults.relay import Toxic
from ringback_local.ports import lease_ports

PAYLOAD = bytes(range(256)) * 64
HOST = "127.0.0.1"


@contextmanager
def echo() -> Generator[int]:
    """A server that sends back whatever it is sent; yields its port."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(client,), daemon=True).start()

        def answer(client: socket.socket) -> None:
            with client:
                try:
                    while chunk := client.recv(65536):
                        client.sendall(chunk)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def link() -> Generator[Link]:
    """A link to an echo."""
    with (
        echo() as port,
        lease_ports(1) as [door],
        open_links([Route("client-echo", (HOST, door), (HOST, port))]) as links,
    ):
        yield links["client-echo"]


def connect(link: Link) -> socket.socket:
    """A client's connection through the link."""
    return socket.create_connection(link.route.listen, timeout=5)


def everything(client: socket.socket, size: int) -> bytes:
    """What arrives until that many bytes or the end."""
    got = b""
    while len(got) < size and (chunk := client.recv(65536)):
        got += chunk
    return got


def test_bytes_pass_unchanged(link: Link) -> None:
    """Without an order a link is a wire."""
    with connect(link) as client:
        client.sendall(PAYLOAD)
        assert everything(client, len(PAYLOAD)) == PAYLOAD
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert (link.counts.connections, link.counts.bytes) == (1, 2 * len(PAYLOAD))


def test_connections_lead_to_several_servers_in_turn(link: Link) -> None:
    """Each other one leads to the second, those that stand stay where they are; then all lead back to the first."""
    with socket.create_server((HOST, 0)) as second:
        second.settimeout(5)
        link.lead_to(link.route.target, second.getsockname())
        with connect(link) as one, connect(link) as other:
            second.accept()[0].close()
            assert [client.recv(1) if client is other else b"-" for client in (one, other)] == [b"-", b""]
            link.lead_to()
            one.sendall(PAYLOAD)
            assert everything(one, len(PAYLOAD)) == PAYLOAD
    with connect(link) as client:
        client.sendall(PAYLOAD)
        assert everything(client, len(PAYLOAD)) == PAYLOAD


def test_latency_delays_each_way_and_cuts_nothing(link: Link) -> None:
    """A delay up and a delay down add up, also for a connection that stood before."""
    with connect(link) as client:
        link.poison(up=Toxic(latency=0.2), down=Toxic(latency=0.1))
        began = time.monotonic()
        client.sendall(PAYLOAD)
        assert everything(client, len(PAYLOAD)) == PAYLOAD
        assert 0.3 <= time.monotonic() - began < 1.5
    assert link.counts.delayed >= 2


def test_bandwidth_is_a_rate(link: Link) -> None:
    """16 KiB at 32 KiB a second take half a second."""
    link.poison(down=Toxic(bandwidth=32 * 1024))
    with connect(link) as client:
        began = time.monotonic()
        client.sendall(PAYLOAD)
        assert everything(client, len(PAYLOAD)) == PAYLOAD
        assert 0.45 <= time.monotonic() - began < 2


def test_a_reset_comes_after_exactly_that_many_bytes(link: Link) -> None:
    """The client has the first bytes and then an error, not an end."""
    link.poison(down=Toxic(reset_after=1000))
    with connect(link) as client:
        client.sendall(PAYLOAD)
        with pytest.raises(ConnectionResetError):
            everything(client, len(PAYLOAD))
    assert link.counts.resets == 1
    assert link.counts.bytes == len(PAYLOAD) + 1000


def test_a_half_close_ends_one_direction_only(link: Link) -> None:
    """The client reads an orderly end in the middle, and may still send."""
    link.poison(down=Toxic(close_after=1000))
    with connect(link) as client:
        client.sendall(PAYLOAD)
        assert everything(client, len(PAYLOAD)) == PAYLOAD[:1000]
        assert client.recv(1) == b""
        client.sendall(b"more")
    assert (link.counts.half_closes, link.counts.resets) == (1, 0)


def test_slices_arrive_whole(link: Link) -> None:
    """Many small packets are still the same bytes."""
    link.poison(up=Toxic(slice_bytes=500))
    with connect(link) as client:
        client.sendall(PAYLOAD)
        assert everything(client, len(PAYLOAD)) == PAYLOAD


def test_what_is_held_follows_when_the_link_heals(link: Link) -> None:
    """A black hole answers nothing and closes nothing; healed, it has lost nothing."""
    link.poison(up=Toxic(hold=True))
    with connect(link) as client:
        client.sendall(PAYLOAD)
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(5)
        link.heal()
        assert everything(client, len(PAYLOAD)) == PAYLOAD
    assert link.counts.held > 0


def test_a_refusing_link_resets_and_refuses_until_it_heals(link: Link) -> None:
    """Those connected are reset, those who come are refused, those who come later are served."""
    with connect(link) as client:
        client.sendall(b"x")
        assert everything(client, 1) == b"x"
        link.refuse()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            connect(link)
        link.heal()
    with connect(link) as client:
        client.sendall(b"y")
        assert everything(client, 1) == b"y"
