"""Leased ports are free, different, and nobody else's for as long as they are held."""

import socket

import pytest
from ringback_local import ports
from ringback_local.ports import lease_ports


def test_leases_never_share_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two leases of five from a range of ten have all ten; a third finds none until one ends."""
    with lease_ports(1) as [base]:
        monkeypatch.setattr(ports, "_RANGE", _free_run(base))
        with lease_ports(5) as first, lease_ports(5) as second:
            assert len({*first, *second}) == 10
            with pytest.raises(OSError, match="no 1 free ports"), lease_ports(1):
                pass
        with lease_ports(1) as third:
            assert third


def test_a_port_somebody_listens_on_is_not_leased(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock alone is not enough: others do not know of our locks."""
    with lease_ports(1) as [port], socket.create_server(("127.0.0.1", port)):
        monkeypatch.setattr(ports, "_RANGE", range(port, port + 1))
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="no 1 free"), lease_ports(1):
        pass


def _free_run(base: int) -> range:
    """Ten ports in a row that can be bound now, beginning after `base`."""
    start = base + 1
    bindable = ports._bindable  # pyright: ignore[reportPrivateUsage]
    while not all(bindable(port) for port in range(start, start + 10)):
        start += 10
    return range(start, start + 10)
