"""S1: what is secret is compared in constant time, against every value in force, and nowhere with `==`."""

import ast
import hmac
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ringback_ingest.client_state import CALL_RECORDS, NotificationQuery, client_state, keys_of
from ringback_ingest.webhook.core.genuine import Proof
from ringback_ingest.webhook.core.notifications import Arrival, RefusalReason, take
from ringback_testing.public_port import KEYS, QUERY, TENANT, body, item

pytestmark = pytest.mark.edge

ROOT = Path(__file__).parents[2]
SECRET = re.compile(
    r"client_?state|secret|password|passphrase|presented|signature|digest|hmac|access_token", re.IGNORECASE
)
"""Names that hold what an attacker must not find out by measuring."""
BY_VALUE = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
HARMLESS = {"len", "isinstance", "type"}
"""What is asked of a secret through these is not the secret."""


def _sources() -> list[Path]:
    """Everything that runs in an installation; the simulator holds no secret."""
    return sorted(path for room in ("libs", "services", "tools/cli") for path in (ROOT / room).rglob("src/**/*.py"))


def comparisons(source: str) -> Iterator[int]:
    """Lines on which something named like a secret is compared by value: `==`, `!=`, `in`, `not in`, a `match`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(
            isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops
        ):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            sides = [node.subject]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            sides = [node.func.value]
        else:
            continue
        if any(_is_secret(side) for side in sides):
            yield node.lineno


def _is_secret(side: ast.expr) -> bool:
    if isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id in HARMLESS:
        return False
    if isinstance(side, ast.Constant | ast.Compare):
        return False
    named = side.attr if isinstance(side, ast.Attribute) else side.id if isinstance(side, ast.Name) else ""
    inner = [each for each in ast.iter_child_nodes(side) if isinstance(each, ast.expr)]
    return SECRET.search(named) is not None or any(_is_secret(each) for each in inner)


def test_no_secret_is_compared_by_value_anywhere() -> None:
    """`==` returns at the first byte that differs, and so tells how many were right."""
    sources = _sources()
    assert len(sources) > 100
    found = {f"{path.relative_to(ROOT)}:{line}" for path in sources for line in comparisons(path.read_text("utf-8"))}
    assert found == set()


@pytest.mark.parametrize(
    "line",
    [
        "ok = presented == expected",
        "ok = item['x'] != client_state(key)",
        "ok = self._secret in known",
        "ok = digest[:4] == other[:4]",
        "ok = key.secret.startswith(guess)",
        "match presented:\n    case b'a': pass",
    ],
)
def test_the_search_sees_a_comparison_in_every_form(line: str) -> None:
    """A search that can find nothing would pass for ever."""
    assert list(comparisons(line)) == [1]


def test_nothing_but_compare_digest_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made to say no it refuses what is genuine, made to say yes it takes what is forged: nothing else is asked."""
    seen: list[tuple[int, int]] = []

    def patched(*, verdict: bool) -> None:
        def compare(presented: bytes, candidate: bytes) -> bool:
            seen.append((len(presented), len(candidate)))
            return verdict

        monkeypatch.setattr(hmac, "compare_digest", compare)

    assert _taken(item("call")) == (1, [])
    patched(verdict=False)
    assert _taken(item("call")) == (0, [RefusalReason.FORGED])
    patched(verdict=True)
    assert _taken(item("call", clientState="k2.forged")) == (1, [])
    assert seen == [(len(_state()), len(_state())), (len("k2.forged"), len(_state()))]


def _state() -> str:
    return client_state(keys_of(KEYS, "KEYS").active, TENANT, CALL_RECORDS)


def _taken(notification: object) -> tuple[int, list[RefusalReason]]:
    proof = Proof(keys_of(KEYS, "KEYS"), datetime.now(UTC), "test")
    taken = take(body(notification), Arrival(NotificationQuery.of(QUERY), "2026-11-22T12:00:00Z"), proof)
    return len(taken.messages), taken.refused
