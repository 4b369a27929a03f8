"""What a person reads: values of others stay values."""

import pytest
from ringback_cli.output import show


@pytest.mark.parametrize(
    ("value", "shown"), [("[/red] [bold]", "[/red] [bold]"), ("\x1b[31m\x07\x9b", "\\x1b[31m\\x07\\x9b"), (None, "")]
)
def test_a_value_is_neither_markup_nor_a_terminal_command(
    capsys: pytest.CaptureFixture[str], value: str | None, shown: str
) -> None:
    """A display name is chosen by a stranger: it must not break the table or steer the operator's terminal."""
    show("People", ("name",), [(value,)], as_json=False)
    written = capsys.readouterr().out
    assert shown in written
    assert "\x1b" not in written
