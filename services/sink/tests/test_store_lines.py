import csv
import io
import re
from typing import TypeAlias

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ringback_sink.store.postgres.lines import array, document, line

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
Json: TypeAlias = "str | list[Json] | None"
VALUES = st.lists(st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), TEXT), min_size=1, max_size=8)


FIELD = re.compile(r'(?:"((?:\\["\\]|[^"])*+)"|([^,"]*))(?:,|$)', re.DOTALL)


def as_postgresql_reads(written: bytes) -> list[str]:
    r"""COPY's csv with ESCAPE '\': an escape counts before a quote or an escape only, else it is text."""
    text = written.decode().removesuffix("\n")
    return [field[2] if field[1] is None else re.sub(r'\\(["\\])', r"\1", field[1]) for field in FIELD.finditer(text)]


@given(VALUES)
def test_a_line_says_what_its_values_say(values: list[object]) -> None:
    """A reader of the csv dialect gets every value back, U+0000 apart."""
    written, replaced = line(values)
    texts = [value for value in values if isinstance(value, str)]
    assert replaced == sum(text.count("\0") for text in texts)
    expected = [
        value.replace("\0", "\ufffd") if isinstance(value, str) else orjson.dumps(value).decode() for value in values
    ]
    assert as_postgresql_reads(written)[: len(values)] == expected


@given(st.lists(TEXT, max_size=5))
def test_nul_never_reaches_the_store(values: list[str]) -> None:
    """No line contains U+0000, written out or escaped."""
    written, _ = line(values)
    assert b"\0" not in written
    assert b"\\u0000" not in written.replace(b"\\\\", b"")


@given(st.recursive(st.one_of(st.none(), TEXT), lambda inner: st.lists(inner, max_size=4), max_leaves=8))
def test_a_document_keeps_every_value(graph: Json) -> None:
    """Graph's JSON comes out as it went in, U+0000 apart, and every U+0000 is counted."""
    told = orjson.dumps({"graph": graph})
    field, replaced = document(told)
    [[read]] = csv.reader(io.StringIO(field.decode(), newline=""), doublequote=False, escapechar="\\")
    assert orjson.loads(read) == orjson.loads(orjson.dumps({"graph": _without_nul(graph)}))
    assert replaced == _nuls(graph)


def _without_nul(graph: Json) -> Json:
    if isinstance(graph, list):
        return [_without_nul(value) for value in graph]
    return graph.replace("\0", "\ufffd") if isinstance(graph, str) else graph


def _nuls(graph: Json) -> int:
    if isinstance(graph, list):
        return sum(map(_nuls, graph))
    return graph.count("\0") if isinstance(graph, str) else 0


@pytest.mark.parametrize(
    ("values", "literal"),
    [
        ([], "{}"),
        (["audio", "video"], "{audio,video}"),
        (["null", "NULL", ""], '{"null","NULL",""}'),
        (['a"b', "c\\d", "e,f", "{g}"], '{"a\\"b","c\\\\d","e,f","{g}"}'),
    ],
)
def test_a_list_is_an_array_literal(values: list[str], literal: str) -> None:
    """Words stay bare; what PostgreSQL would take for null, a separator or a brace is quoted."""
    assert array(values) == literal
