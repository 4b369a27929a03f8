"""What a supervised process shows, and how long it waits between its lives."""

import io
from pathlib import Path

from rich.console import Console
from ringback_local.health_table import health_table
from ringback_local.simulator import read_announcement
from ringback_local.supervised import ProcessHealth, State, pause_before_restart

ANNOUNCED = (
    '{"ready":true,"graphUrl":"https://localhost:%d","authorityUrl":"https://localhost:%d",'
    '"controlUrl":"http://127.0.0.1:2","caFile":"/x/ca.pem","ledgerFile":"/x/ledger.jsonl","pid":%d}\n'
)


def test_pauses_double_and_are_bounded() -> None:
    """A process that cannot live costs little, and one that can is soon back."""
    assert [pause_before_restart(deaths) for deaths in (1, 2, 3, 4, 7, 60)] == [0.25, 0.5, 1.0, 2.0, 10.0, 10.0]


def test_the_newest_announcement_of_a_restarted_simulator_counts(tmp_path: Path) -> None:
    """Its log holds one of every life, with other lines between."""
    log = tmp_path / "simulator.log"
    assert read_announcement(log) is None
    log.write_text("a warning\n")
    assert read_announcement(log) is None
    log.write_text(ANNOUNCED % (1, 1, 10) + "a warning\n" + ANNOUNCED % (3, 3, 30) + "another\n")
    running = read_announcement(log)
    assert running is not None
    assert (running.graph_url, running.pid, running.ca_file) == ("https://localhost:3", 30, Path("/x/ca.pem"))


def test_every_state_has_a_row_and_a_reason() -> None:
    """The table shows name, state, restarts, memory and why, for each state there is."""
    processes = [
        ProcessHealth(f"p{n}", None if n == 0 else n, state, state is State.READY, f"why {n}", n, n * 1024 * 1024)
        for n, state in enumerate(State)
    ]
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(health_table(processes))
    lines = console.export_text().splitlines()
    for n, state in enumerate(State):
        assert all(part in lines[n + 1] for part in (f"p{n}", state.value, f"{n} MiB", f"why {n}"))
