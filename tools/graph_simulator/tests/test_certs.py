"""The simulator's certificates: kept over starts, made anew where they no longer serve."""

import datetime as dt
from pathlib import Path

import pytest
from ringback_graph_simulator import certs


def _content(files: certs.Certificates) -> list[bytes]:
    return [file.read_bytes() for file in (files.ca_file, files.certificate_file, files.key_file)]


def test_a_second_start_keeps_the_ca_and_the_key(tmp_path: Path) -> None:
    """Who trusts the CA already goes on without a restart."""
    first = _content(certs.make_certificates(tmp_path, ("localhost", "127.0.0.1")))
    assert _content(certs.make_certificates(tmp_path, ("127.0.0.1",))) == first


@pytest.mark.parametrize("lacks", ["ca.pem", "server.pem", "server.key"])
def test_a_missing_file_makes_all_three_anew(tmp_path: Path, lacks: str) -> None:
    """They belong together."""
    first = _content(certs.make_certificates(tmp_path, ("localhost",)))
    (tmp_path / lacks).unlink()
    second = _content(certs.make_certificates(tmp_path, ("localhost",)))
    assert all(old != new for old, new in zip(first, second, strict=True))


def test_another_name_makes_them_anew(tmp_path: Path) -> None:
    """A certificate without the name that the URLs have is refused by every client."""
    first = _content(certs.make_certificates(tmp_path, ("localhost",)))
    assert _content(certs.make_certificates(tmp_path, ("localhost", "graph-simulator"))) != first


def test_a_certificate_in_its_last_day_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that stays up for a day does not meet its end."""
    monkeypatch.setattr(certs, "_LIFE", dt.timedelta(hours=23))
    first = _content(certs.make_certificates(tmp_path, ("localhost",)))
    assert _content(certs.make_certificates(tmp_path, ("localhost",))) != first


def test_files_that_are_no_certificates_are_replaced(tmp_path: Path) -> None:
    """A write that was cut short does not keep the simulator from starting."""
    files = certs.make_certificates(tmp_path, ("localhost",))
    files.certificate_file.write_bytes(files.certificate_file.read_bytes()[:40])
    certs.server_context(certs.make_certificates(tmp_path, ("localhost",)))
