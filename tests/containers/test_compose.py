"""docker-compose.yml on a real engine: calls flow, outlive kills and `down`, and a mistake does not run for ever.

Run by `make compose-test`. The tests are one story and stand in its order; the stack has a project name of its own, so
that one which runs already is left alone.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from ringback_testing.composed import ROOT, Composed, lost_or_stale, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PROJECT = "ringback-test"
CALLS, SECONDS = 300, 60
ALL = ("--profile", "demo", "--profile", "observability")
FIRST_CALL_GOAL_S = 60
KILLS = ("webhook", "enricher", "store", "postgres", "webhook", "kafka", "enricher", "store", "keeper", "enricher")
MONITORING = ROOT / "deploy" / "monitoring"
BOARDS = sorted((MONITORING / "grafana" / "boards").glob("*.json"))
SERVICES = {"kafka", "postgres", "graph-simulator", "webhook", "keeper", "enricher", "store"}


@dataclass(frozen=True)
class Up:
    """The stack, and after how many seconds the first call was stored."""

    stack: Composed
    first_call_s: float


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """Built, then started from nothing with the profile `demo`; everything of it is removed in the end."""
    stack = Composed(PROJECT, {"WORKDAY_CALLS": str(CALLS), "WORKDAY_SECONDS": str(SECONDS)})
    stack.compose(*ALL, "down", "--volumes", "--remove-orphans")
    stack.compose("--profile", "demo", "build", "--quiet", timeout=600)
    try:
        begin = time.monotonic()
        stack.compose("--profile", "demo", "up", "--detach", "--wait", "--no-build")
        until(stack.stored, 120, "a call is stored")
        yield Up(stack, time.monotonic() - begin)
    except BaseException:
        print(stack.compose("logs", "--tail", "20", "--no-color"))  # noqa: T201 - what a failure needs
        raise
    finally:
        stack.compose(*ALL, "down", "--volumes", "--remove-orphans")


def test_calls_flow_by_themselves(up: Up) -> None:
    """From `up` to the first stored call; three times the goal is where it fails."""
    print(f"first stored call after {up.first_call_s:.0f} s")  # noqa: T201 - the figure for docs/deploy.md
    assert up.first_call_s < 3 * FIRST_CALL_GOAL_S


def test_a_workday_with_ten_kills_loses_nothing(up: Up) -> None:
    """SIGKILL of every part but the simulator, which holds the calls; nothing is lost, nothing older is left."""
    for number, service in enumerate(KILLS):
        due = CALLS * (number + 1) // (len(KILLS) + 2)
        until(lambda: up.stack.workday()["startedCalls"] >= due, 120, f"{due} calls have ended")  # noqa: B023
        up.stack.kill(service)
    until(lambda: up.stack.workday()["done"], 300, "everything is announced")
    expected = up.stack.expected()
    assert len(expected) >= CALLS
    until(lambda: not lost_or_stale(expected, up.stack.stored()), 180, "every announced version is stored")


def test_the_operator_s_command_says_that_all_is_well(up: Up) -> None:
    """`docker compose run --rm ringback status`, which sees every part, none of them failing."""
    until(lambda: _states(up.stack) == {"ok"}, 90, "every process reports ok")


def _states(stack: Composed) -> set[str]:
    """The states of all processes; those that were killed and have no successor yet are `unknown`."""
    said = json.loads(stack.compose("run", "--rm", "ringback", "status", "--json"))
    assert {one["process"].partition("/")[0] for one in said} >= {"keeper", "fetch", "store"}
    return {one["state"] for one in said}


def test_down_and_up_keep_everything(up: Up) -> None:
    """Rows, topics and what consumers have read; then new calls flow, by the same certificate authority."""
    before, ends, read = up.stack.stored(), _log_ends(up.stack), _read(up.stack)
    assert sum(ends.values()) > CALLS
    up.stack.compose("--profile", "demo", "down")
    up.stack.compose("--profile", "demo", "up", "--detach", "--wait", "--no-build")
    after = _log_ends(up.stack)
    assert {topic: after.get(topic, 0) >= end for topic, end in ends.items()} == dict.fromkeys(ends, True)
    assert all(_read(up.stack)[group] >= offset for group, offset in read.items())
    until(lambda: len(up.stack.stored()) > len(before), 120, "a call of the second day is stored")
    assert not lost_or_stale(before, up.stack.stored())


def _log_ends(stack: Composed) -> dict[str, int]:
    """Records ever appended, by topic and partition."""
    asked = [
        "/opt/kafka/bin/kafka-get-offsets.sh",
        "--bootstrap-server",
        "kafka:9092",
        "--topic-partitions",
        "callrecords.*",
    ]
    lines = stack.docker("exec", stack.container("kafka"), *asked).split()
    return {
        line.rpartition(":")[0]: int(line.rpartition(":")[2] or 0) for line in lines if line.startswith("callrecords.")
    }


def _read(stack: Composed) -> dict[str, int]:
    """The sum of the committed offsets of each consumer group."""
    asked = [
        "/opt/kafka/bin/kafka-consumer-groups.sh",
        "--bootstrap-server",
        "kafka:9092",
        "--describe",
        "--all-groups",
    ]
    rows = [line.split() for line in stack.docker("exec", stack.container("kafka"), *asked).splitlines()]
    sums: dict[str, int] = {}
    for row in (one for one in rows if len(one) > 5 and one[3].isdigit()):
        sums[row[0]] = sums.get(row[0], 0) + int(row[3])
    return sums


def test_webhook_and_enricher_can_be_several(up: Up) -> None:
    """`--scale`: all are healthy, each enricher holds partitions, and the day goes on to its end."""
    up.stack.compose(
        "--profile", "demo", "up", "-d", "--wait", "--no-recreate", "--scale", "webhook=2", "--scale", "enricher=2"
    )
    for service in ("webhook", "enricher"):
        assert len(up.stack.compose("ps", "--quiet", service).split()) == 2
    until(lambda: len(_enrichers(up.stack)) == 2, 60, "two enrichers report")
    until(lambda: up.stack.workday()["done"], 300, "everything is announced")
    expected = up.stack.expected()
    until(lambda: not lost_or_stale(expected, up.stack.stored()), 180, "every announced version is stored")


def _enrichers(stack: Composed) -> list[str]:
    """Enrichers that hold partitions, by what they report themselves."""
    asked = "SELECT instance FROM callrecords.status_now WHERE process = 'fetch/ringback-enricher' AND state = 'ok'"
    return stack.query(f"{asked} AND (detail ->> 'partitions')::int > 0").split()


def test_every_service_is_bounded_and_comes_back(up: Up) -> None:
    """Memory, logs and processes; what crashes is started again, ten times at most where it may be a mistake."""
    for service in sorted(SERVICES):
        host = up.stack.inspect(service)["HostConfig"]
        assert host["Memory"] > 0, service
        assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}, service
        policy = host["RestartPolicy"]
        assert policy["Name"] == "unless-stopped" or policy == {"Name": "on-failure", "MaximumRetryCount": 10}, service


def test_a_mistake_in_the_configuration_ends(up: Up) -> None:
    """Exit code 2 each time; after the last try the container stays ended, with its sentence in the log."""
    name = f"{PROJECT}-mistaken"
    image = up.stack.inspect("webhook")["Config"]["Image"]
    up.stack.docker("run", "--detach", "--name", name, "--restart", "on-failure:3", image, "ringback-ingest", "webhook")
    try:
        until(lambda: _state(up.stack, name) == "exited 2 3", 120, "three tries, then the end")
        said = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True).stderr
        assert said.count("RINGBACK_") >= 4
    finally:
        up.stack.docker("rm", "--force", name)


def _state(stack: Composed, name: str) -> str:
    return stack.docker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}", name).strip()


def test_a_store_is_reached_with_a_password_only(up: Up) -> None:
    """From another container the writer's own password lets it in; a wrong one does not, and none is public."""
    for password, code in (("dev-only-writer", 0), ("dev-only-reader", 2)):
        dsn = f"postgresql://ringback_writer:{password}@postgres:5432/ringback"
        asked = ["run", "--rm", "--no-deps", "grants", "psql", "-X", "-c", "SELECT 1", dsn]
        if code == 0:
            up.stack.compose(*asked)
        else:
            with pytest.raises(AssertionError, match="password authentication failed"):
                up.stack.compose(*asked)


def test_the_watch_finds_every_container_and_each_panel_has_data(up: Up) -> None:
    """Prometheus by the services' names, both webhooks too; alerts reach Alertmanager; Grafana is not needed for it."""
    up.stack.compose("--profile", "observability", "up", "-d", "--wait", "--no-recreate", "prometheus", "alertmanager")
    up.stack.compose("--profile", "demo", "up", "-d", "--no-deps", "--force-recreate", "workday")
    wanted = {"webhook": 2, "keeper": 1, "enricher": 2, "store": 1}
    until(lambda: _found(up.stack) == wanted, 90, f"Prometheus finds {wanted}")
    until(lambda: _firing(up.stack) == set(), 60, "nothing fires while all is well")
    until(lambda: up.stack.workday()["done"], 300, "the day is over")
    asked = [
        target["expr"]
        for board in BOARDS
        for panel in json.loads(board.read_text())["panels"]
        for target in panel["targets"]
    ]
    empty = [query for query in asked if not _values(up.stack, f"last_over_time(({query})[5m:10s])")]
    assert empty == []
    up.stack.docker("pause", up.stack.container("keeper"))
    try:
        until(
            lambda: "RingbackProcessDown" in _firing(up.stack), 240, "an alert fires for a keeper that does not answer"
        )
        until(lambda: "RingbackProcessDown" in _shown(up.stack), 60, "Alertmanager shows it")
    finally:
        up.stack.docker("unpause", up.stack.container("keeper"))


def _values(stack: Composed, query: str) -> list[str]:
    """The lines that promtool prints for a query: series and value."""
    asked = ["promtool", "query", "instant", "http://127.0.0.1:9090", query]
    return [line for line in stack.docker("exec", stack.container("prometheus"), *asked).splitlines() if "=>" in line]


def _found(stack: Composed) -> dict[str, int]:
    """How many containers of each service answer."""
    lines = _values(stack, 'sum by (service) (up{job="ringback"})')
    return {line.split('"')[1]: int(line.split("=>")[1].split()[0]) for line in lines}


def _firing(stack: Composed) -> set[str]:
    lines = _values(stack, 'sum by (alertname) (ALERTS{alertstate="firing"})')
    return {line.split('"')[1] for line in lines}


def _shown(stack: Composed) -> str:
    """What Alertmanager has, as it says by HTTP."""
    read = 'exec 3<>/dev/tcp/alertmanager/9093; printf "GET /api/v2/alerts HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3'
    return stack.docker("exec", stack.container("webhook"), "bash", "-c", read)


def test_each_alert_fires_and_is_silent_where_it_should(up: Up) -> None:
    """Promtool's cases, by the Prometheus of the compose file."""
    image = up.stack.inspect("prometheus")["Config"]["Image"]
    run = ["run", "--rm", "--network", "none", "--volume", f"{MONITORING}:/rules:ro", "--entrypoint", "promtool", image]
    up.stack.docker(*run, "check", "rules", "/rules/rules.yml")
    up.stack.docker(*run, "test", "rules", "/rules/rules_test.yml")
