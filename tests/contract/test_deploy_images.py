"""The container images and the compose file: linted, valid, locked down, and each secret with one process."""

import os
import re
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.contract
ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """One tool of the locked environment, its output kept."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def test_the_dockerfile_passes_its_linter() -> None:
    """Hadolint finds nothing."""
    linted = run(BIN / "hadolint", DEPLOY / "docker" / "Dockerfile")
    assert (linted.returncode, linted.stdout) == (0, "")


def dockerfile_stage(name: str) -> str:
    """One stage of the Dockerfile, from its FROM to the next."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    return text.split(f" AS {name}\n")[1].split("\nFROM ")[0]


def test_final_images_are_unprivileged_and_have_no_build_tools() -> None:
    """Every final stage stands on the runtime stage, which sets a high uid and installs nothing."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    runtime = dockerfile_stage("runtime")
    assert "USER 10001:10001" in runtime
    assert not re.search(r"\b(pip|uv|apt-get)\b", runtime)
    assert "apt-get" not in text
    for image in ("ringback", "simulator"):
        assert f"FROM runtime AS {image}" in text
        assert "RUN" not in dockerfile_stage(image)


def test_every_engine_builds_the_images_and_asks_nobody_for_a_syntax() -> None:
    """The base is an argument; a frontend line or a mount would need BuildKit, and the first a hub at each build."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    assert re.search(r"(?m)^ARG BASE_IMAGE=python:3\.11-slim-trixie$", text)
    assert set(re.findall(r"(?m)^FROM (\S+:\S+|\$\{\w+\})", text)) == {"${BASE_IMAGE}"}
    assert "syntax=" not in text.splitlines()[0]
    assert "--mount" not in text


def test_code_is_a_layer_of_its_own_after_the_dependencies() -> None:
    """A change of our code leaves the large layer as it is: its stage sees the lock and nothing of our sources."""
    for image in ("ringback", "simulator"):
        copies = re.findall(r"(?m)^COPY --from=(\S+)", dockerfile_stage(image))
        assert copies == [f"dependencies-{image}", f"code-{image}"]
        assert "COPY" not in dockerfile_stage(f"dependencies-{image}")
    assert re.findall(r"(?m)^COPY (.+) ", dockerfile_stage("build")) == [
        "deploy/docker/settle",
        "pyproject.toml uv.lock",
    ]


def test_a_release_needs_a_base_with_a_digest() -> None:
    """Refused before anything is built, with one sentence and exit code 2."""
    for base in ("python:3.11-slim-trixie", "python@sha256:abc", "python:3.11@sha256:"):
        command = [str(DEPLOY / "docker" / "image.sh"), "--release"]
        refused = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "BASE_IMAGE": base}
        )
        assert refused.returncode == 2, refused.stderr
        assert "A release names its base by digest" in refused.stderr


def test_the_bill_of_materials_names_each_package_and_is_the_same_each_time() -> None:
    """CycloneDX with a package URL for each; Debian's versions are quoted as the URLs demand."""
    bill = runpy.run_path(str(DEPLOY / "docker" / "bill.py"))["bill"]
    label = {f"org.opencontainers.image.{name}": "1" for name in ("title", "version", "created")}
    found = {"python": [["Mako", "1.4.3"]], "debian": [["zlib1g", "1:1.3+really-1", "amd64"]], "release": "13"}
    made = bill(found, label)
    assert [one["purl"] for one in made["components"]] == [
        "pkg:pypi/mako@1.4.3",
        "pkg:deb/debian/zlib1g@1%3A1.3%2Breally-1?arch=amd64&distro=debian-13",
    ]
    assert made == bill(found, label)
    assert made["serialNumber"] != bill(found | {"python": []}, label)["serialNumber"]


def test_the_compose_file_follows_the_compose_specification() -> None:
    """A misspelt key is found without an engine."""
    checked = run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml")
    assert checked.returncode == 0, checked.stdout


def test_the_compose_schema_check_can_fail(tmp_path: Path) -> None:
    """The check above is alive: a misspelt key turns it red."""
    (tmp_path / "docker-compose.yml").write_text("services: {kafka: {imagee: x}}")
    checked = run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", tmp_path / "docker-compose.yml")
    assert checked.returncode != 0


def compose() -> dict[str, Any]:
    """The compose file as data."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


OURS = ["topics", "migrate", "webhook", "keeper", "enricher", "store", "ringback", "graph-simulator", "workday"]
WATCHING = {"prometheus", "alertmanager", "grafana", "otel-collector", "jaeger"}
"""Services of the profile `observability`."""
ONCE = {"topics", "migrate", "roles", "grants", "ringback", "workday"}
"""Services that run to their end."""


def test_compose_pins_the_broker_and_the_store() -> None:
    """The same versions as the tests use."""
    services = compose()["services"]
    assert services["kafka"]["image"] == "apache/kafka:4.3.1"
    assert services["postgres"]["image"] == "postgres:18"


def test_the_broker_s_data_lie_on_its_volume() -> None:
    """The image's own default is a folder of the container, which `down` removes with every topic."""
    kafka = compose()["services"]["kafka"]
    assert kafka["volumes"] == [f"kafka:{kafka['environment']['KAFKA_LOG_DIRS']}"]


def test_health_is_asked_without_starting_java_or_python() -> None:
    """Every process that stays is asked, by a shell; a container that depends on one waits until it answers."""
    services = compose()["services"]
    for name in services.keys() - ONCE - WATCHING:
        asked = services[name]["healthcheck"]
        assert asked["test"][0] == "CMD", name
        assert asked["test"][1] in {"ready", "bash"}, name
        assert not re.search(r"java|python|kafka-[\w-]+\.sh", " ".join(asked["test"])), name
        assert "sleep 50" in " ".join(asked["test"]) or asked["test"][1] == "ready", name
    assert "sleep 50" in (DEPLOY / "docker" / "ready").read_text()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_image_s_health_check_believes_200_alone(tmp_path: Path, status: int, code: int) -> None:
    """Only after a success does a mark hold the next question back."""
    mark = tmp_path / "mark"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [str(DEPLOY / "docker" / "ready"), str(listener.getsockname()[1]), "/readyz"]
        with subprocess.Popen(command, env={**os.environ, "READY_MARK": str(mark)}) as asking:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(100).startswith(b"GET /readyz HTTP/1.0\r\n")
                connection.sendall(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
            assert asking.wait(10) == code
    assert mark.exists() is (code == 0)


def test_every_service_has_bounds_and_a_policy_for_its_end() -> None:
    """Memory and logs are bounded; a mistake in the configuration, which ends a process at once, is tried ten times."""
    for name, service in compose()["services"].items():
        assert "mem_limit" in service, name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name
        assert service["restart"] in {"unless-stopped", "on-failure:10"} or name in {"ringback", "workday"}, name
        assert service["restart"] != "unless-stopped" or service.get("image") != "ringback:dev", name


@pytest.mark.parametrize("name", [*OURS, "roles", "grants"])
def test_every_container_of_ours_is_locked_down(name: str) -> None:
    """Non-root, read-only root, no capabilities, no new privileges."""
    service = compose()["services"][name]
    assert service["user"] == ("10001:10001" if name in OURS else "999:999")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_loopback_is_published() -> None:
    """Nothing of the stack listens for the network that the machine is in."""
    published = [port for service in compose()["services"].values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_file_that_compose_mounts_exists() -> None:
    """No secret and no configuration is forgotten in the repository."""
    loaded = compose()
    named = [entry["file"] for kind in ("configs", "secrets") for entry in loaded[kind].values()]
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_graph_credentials_and_the_store_stay_apart() -> None:
    """The webhook and the store hold no Graph credential; each role of the store is in the hands of one process."""
    services = compose()["services"]
    holders = {
        secret: {name for name, service in services.items() if secret in service.get("secrets", ())}
        for secret in compose()["secrets"]
    }
    assert holders == {
        "client-state-keys": {"webhook", "keeper"},
        "graph-client-secret": {"keeper", "enricher"},
        "pseudonym-keys": {"enricher"},
        "postgres-password": {"postgres", "roles", "grants"},
        "store-owner": {"roles", "migrate"},
        "store-writer": {"roles", "store"},
        "store-reader": {"roles", "ringback"},
        "store-analyst": {"roles"},
    }
