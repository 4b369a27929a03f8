"""What processes under test said in this session, searched for people and secrets as it comes in.

Whatever a suite does: the people of the simulator and of the fixtures, and every secret that a process was given, may
stand in no log, metric, span or dead-letter header. `tests/conftest.py` fails the session in which one does.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import yaml
from ringback_local.secrecy import SHORTEST, Leak, leaks_in

__all__ = ["PEOPLE", "TRANSCRIPT", "Transcript", "secrets_of"]

PEOPLE = {
    "UPN of the simulator": ".müller@",
    "UPN of the fixtures": "alice@contoso.example",
    "family name": "Παπαδόπουλος",
    "family name, two words": "García Márquez",
    "family name, Latin": "Wilkins",
    "name of the fixtures": "Alice Ampère",
    "visitor": "teamsvisitor:",
    "number of the fixtures": "+4930901820",
    "address, a building's": "10.150.16.",
    "address, home": "192.168.178.",
    "address, v6": "2001:db8:1:2",
    "headset": "Jabra Evolve2",
}
"""What every population the simulator makes has in common, and the people of `graph_records`."""


class Transcript:
    """Keeps findings and sizes, not what was said: a suite's output is too large to hold."""

    def __init__(self, canaries: Mapping[str, str]) -> None:
        self.canaries = dict(canaries)
        self.names = set(canaries)
        self.leaks: list[Leak] = []
        self.outputs = 0
        self.bytes = 0
        self.unsearched: list[str] = []

    @property
    def failed(self) -> bool:
        """Whether something was found, or a process of a parallel run ended without its report."""
        return bool(self.leaks or self.unsearched)

    def plant(self, canaries: Mapping[str, str]) -> None:
        """Look for these, too, from now on; by what they are."""
        planted = {what: text for what, text in canaries.items() if len(text) >= SHORTEST}
        self.canaries |= planted
        self.names |= set(planted)

    def said(self, place: str, output: bytes) -> None:
        """Search an output; the test that runs now is named with its place."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "between tests").rpartition(" (")[0]
        self.outputs += 1
        self.bytes += len(output)
        self.leaks += leaks_in({f"{place}, {test}": output}, self.canaries)

    def report(self) -> dict[str, Any]:
        """What one process of a parallel run found, in plain values; names of canaries, not the canaries."""
        leaks = [astuple(leak) for leak in self.leaks]
        return {"leaks": leaks, "outputs": self.outputs, "bytes": self.bytes, "names": sorted(self.names)}

    def add(self, process: str, report: Mapping[str, Any] | None) -> None:
        """Count another process's report in; without one, the content of its outputs is unknown."""
        if report is None:
            self.unsearched.append(process)
            return
        self.leaks += [Leak(*leak) for leak in report["leaks"]]
        self.outputs += report["outputs"]
        self.bytes += report["bytes"]
        self.names |= set(report["names"])

    def summary(self) -> str:
        """One line, and one for each leak; a leak is named and not repeated."""
        searched = f"{self.outputs} outputs ({self.bytes / 1e6:.1f} MB) searched for {len(self.names)} canaries"
        lost = [f"process {process} ended without its report" for process in self.unsearched]
        return "\n".join([f"{searched}: {len(self.leaks)} leaks", *map(repr, self.leaks), *lost])


TRANSCRIPT = Transcript(PEOPLE)
"""Of this session; fixtures and `RunningProcess` write it."""


def secrets_of(env: Mapping[str, str]) -> dict[str, str]:
    """Every secret a process is given by its environment, by what it is."""
    named: dict[str, Callable[[bytes], dict[str, str]]] = {
        "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": _signing_keys,
        "RINGBACK_PRIVACY__KEYS_FILE": _pseudonym_keys,
        "RINGBACK_TENANTS_FILE": _client_secrets,
        "RINGBACK_STORE__DSN_FILE": lambda content: _password(content.decode()),
        "RINGBACK_KAFKA__SASL_PASSWORD_FILE": lambda content: {"Kafka password": content.decode().strip()},
    }
    found = _password(env.get("RINGBACK_STORE__DSN", ""))
    for variable, read in named.items():
        if variable in env and Path(env[variable]).is_file():
            found |= read(Path(env[variable]).read_bytes())
    return found


def _signing_keys(content: bytes) -> dict[str, str]:
    return {f"clientState key {key['kid']}": key["secret"] for key in _json(content).get("keys", [])}


def _pseudonym_keys(content: bytes) -> dict[str, str]:
    return {f"pseudonym key {kid}": key["key"] for kid, key in _json(content).get("keys", {}).items()}


def _client_secrets(content: bytes) -> dict[str, str]:
    reported: dict[str, Any] = yaml.safe_load(content)
    return dict(_each_secret(reported.get("tenants", [])))


def _each_secret(tenants: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for tenant in tenants:
        file = Path(tenant.get("credential", {}).get("secret_file", "/nowhere"))
        if file.is_file():
            yield f"client secret of {tenant['tenant_id']}", file.read_text(encoding="utf-8").strip()


def _password(dsn: str) -> dict[str, str]:
    password = urlsplit(dsn.strip()).password
    return {"DSN password": unquote(password)} if password else {}


def _json(content: bytes) -> dict[str, Any]:
    """Tests also give files that are none."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
