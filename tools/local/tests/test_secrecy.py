"""The search for canaries that suites trust: every form is found, the find is not repeated, inputs are proved."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from ringback_local.secrecy import Leak, files_under, leaks_in, missing_from

NAME = "Alice Ampère"
FORMS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "as it is": (str.encode, "plain"),
    "in capitals": (lambda text: text.upper().encode(), "plain"),
    "escaped": (lambda text: json.dumps(text).encode(), "escaped"),
    "quoted": (lambda text: quote(text).encode(), "quoted"),
    "reversed": (lambda text: text[::-1].encode(), "reversed"),
    "hex": (lambda text: text.encode().hex().upper().encode(), "hex"),
    "base64": (lambda text: base64.b64encode(text.encode()), "base64"),
    "base64, one in": (lambda text: base64.b64encode(b"{" + text.encode() + b"}"), "base64"),
    "base64, two in": (lambda text: base64.urlsafe_b64encode(b'{"' + text.encode() + b'"}'), "base64"),
}


@pytest.mark.parametrize(("form", "named"), FORMS.values(), ids=FORMS)
def test_a_canary_is_found_in_every_form_and_not_repeated(form: Callable[[str], bytes], named: str) -> None:
    """Whatever it was turned into; the finding says where and what, and does not say it again."""
    outputs = {"clean": b"nothing here", "log": b'{"x":"' + form(NAME) + b'"}'}
    found = leaks_in(outputs, {"a name": NAME, "nobody": "Nobody at all"})
    assert found == [Leak("log", "a name", named)]
    assert NAME not in repr(found)


def test_an_access_token_need_not_be_named() -> None:
    """Nobody knows a token beforehand; its length tells it from every id and hash of ours."""
    assert leaks_in({"log": b"Bearer " + b"aZ9-_" * 40, "ids": b"a" * 64}, {}) == [Leak("log", "access token", "plain")]


def test_canaries_that_did_not_enter_are_named() -> None:
    """Without this an empty search would prove nothing."""
    assert missing_from([b"hello Alice", b"secret-b"], {"one": "secret-a", "two": "secret-b"}) == {"one"}


def test_a_canary_too_short_to_mean_anything_is_refused() -> None:
    """It would be found by accident."""
    with pytest.raises(ValueError, match="at least"):
        leaks_in({}, {"short": "abc"})


def test_the_files_of_a_run_are_read_by_suffix(tmp_path: Path) -> None:
    """Folders recursively, files by name, and nothing else."""
    (tmp_path / "deep").mkdir()
    for name in ("a.log", "deep/b.log", "deep/keys.json"):
        (tmp_path / name).write_text(name)
    assert list(files_under(tmp_path)) == [str(tmp_path / "a.log"), str(tmp_path / "deep" / "b.log")]
    assert files_under(tmp_path / "a.log") == {str(tmp_path / "a.log"): b"a.log"}
