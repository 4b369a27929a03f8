"""What a command that changes something says at its end, and with which exit code."""

import pytest
import typer
from ringback_cli.acting import Order, report
from ringback_cli.carrying import Carried
from ringback_cli.core.plans import Plan

ORDER = Order("dead_letter.release", "released", "OPS-1", "run", 3, 50)


@pytest.mark.parametrize(
    ("carried", "sentence"),
    [
        (Carried(2), "1 were not found any more"),
        (Carried(2, stopped=True), "Stopped as asked"),
        (Carried(2, too_large=["a letter"]), "Kafka refuses 1 for their size: a letter"),
    ],
)
def test_what_is_not_all_is_said_and_no_success(
    carried: Carried, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script must not take part of a plan for the plan."""
    with pytest.raises(typer.Exit) as end:
        report(ORDER, Plan(), carried, as_json=False)
    assert end.value.exit_code == 1
    assert sentence in capsys.readouterr().err.replace("\n", " ")


def test_all_of_it_is_success() -> None:
    """Though a signal came behind the last one; and so is a dry run."""
    report(ORDER, Plan(), Carried(3), as_json=False)
    report(ORDER, Plan(), Carried(3, stopped=True), as_json=False)
    report(ORDER, Plan(), None, as_json=False)
