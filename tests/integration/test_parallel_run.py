"""What a parallel run must not lose: a leak found in any of its processes, and the seed that repeats it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ringback_testing.parallel import unit_of
from ringback_testing.transcript import Transcript

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


def run(planted: list[str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run planted tests as `make test` runs the real ones; what they print is shown."""
    files = [f"tests/support/planted/{name}.py" for name in planted]
    command = [sys.executable, "-m", "pytest", *options, "-rP", "-p", "no:cacheprovider", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def canaries(ended: subprocess.CompletedProcess[str]) -> int:
    """How many the run's outputs were searched for."""
    found = re.search(r"searched for (\d+) canaries", ended.stdout)
    assert found is not None, ended.stdout
    return int(found[1])


def test_a_leak_in_one_process_fails_the_run_and_its_seed_repeats_it_in_one() -> None:
    """Every test passes, one process printed a person: the run is red and says where; without processes as well."""
    parallel = run(["leaks", "searched"], "-n2")
    seed = re.search(r"--hypothesis-seed=\d+", parallel.stdout)
    assert seed is not None, parallel.stdout + parallel.stderr
    serial = run(["leaks", "searched"], "-n0", seed[0])
    place = "place='planted log, tests/support/planted/leaks.py::test_a_person_is_printed'"
    for ended in (parallel, serial):
        assert ended.returncode == pytest.ExitCode.TESTS_FAILED
        for line in ("4 passed", "2 outputs", "1 leaks", place):
            assert line in ended.stdout
        assert "Ampère" not in ended.stdout
    drawn = [sorted(re.findall(r"drawn -?\d+", ended.stdout)) for ended in (parallel, serial)]
    assert len(drawn[0]) == 10
    assert drawn[0] == drawn[1]
    assert canaries(parallel) == canaries(serial)


def test_a_run_without_a_leak_passes_and_says_what_was_searched() -> None:
    """A process reports when it has found nothing, too."""
    ended = run(["searched"], "-n1")
    assert ended.returncode == pytest.ExitCode.OK
    assert "1 outputs" in ended.stdout
    assert "0 leaks" in ended.stdout
    assert canaries(ended) > 1


def test_a_failed_test_shows_the_ends_of_its_processes_logs() -> None:
    """Also in a parallel run, whose processes send their reports: a failure seen once is often all there is."""
    ended = run(["fails"], "-n1")
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert "end of fetch-1.log" in ended.stdout
    assert "the last line" in ended.stdout
    assert "the first line\n" not in ended.stdout.partition("end of fetch-1.log")[2]


def test_a_process_that_ended_without_its_report_fails_the_run() -> None:
    """What it started may have printed anything."""
    searched = Transcript({})
    searched.add("gw0", Transcript({}).report())
    assert not searched.failed
    searched.add("gw1", None)
    assert searched.failed
    assert "gw1" in searched.summary()


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/edge/test_s01_constant_time.py::test_one", "tests/edge/"),
        ("tests/e2e/test_leaks.py::test_one", "tests/e2e/"),
        ("tests/e2e/test_stack.py::test_one[a]", "tests/e2e/test_stack.py"),
        ("tests/integration/test_store.py::test_one[a::b]", "tests/integration/test_store.py::test_one[a::b]"),
        ("libs/graph/tests/test_budget.py::Model::runTest", "libs/graph/tests/test_budget.py"),
    ],
)
def test_what_shares_a_world_is_run_by_one_process(nodeid: str, unit: str) -> None:
    """A folder, a file or one test."""
    assert unit_of(nodeid) == unit
