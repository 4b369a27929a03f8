"""Deployment: the Dockerfile, the compose file and the manifests hold what they promise, offline."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ringback_testing.kustomize import pods, render

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUSTOMIZATIONS = [DEPLOY / "k8s" / "base", DEPLOY / "k8s" / "overlays" / "dev"]
BIN = Path(sys.executable).parent


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """One tool of the locked environment, its output kept."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def test_the_dockerfile_passes_its_linter() -> None:
    """Hadolint finds nothing."""
    linted = run(BIN / "hadolint", DEPLOY / "docker" / "Dockerfile")
    assert (linted.returncode, linted.stdout) == (0, "")


def test_final_images_are_unprivileged_and_have_no_build_tools() -> None:
    """Every final stage stands on the runtime stage, which sets a high uid and installs nothing."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    runtime = text.split("AS runtime")[1].split("\nFROM ")[0]
    assert "USER 10001:10001" in runtime
    assert "pip" not in runtime
    assert "apt-get" not in text
    for image in ("ringback", "simulator"):
        assert f"FROM runtime AS {image}" in text


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


def test_compose_pins_the_broker_and_the_store_and_checks_their_health() -> None:
    """The same versions as the tests use, and nobody starts before they answer."""
    services = compose()["services"]
    assert services["kafka"]["image"] == "apache/kafka:4.3.1"
    assert services["postgres"]["image"] == "postgres:18"
    assert all("healthcheck" in services[name] for name in ("kafka", "postgres"))


@pytest.mark.parametrize("name", ["topics", "migrate", "webhook", "keeper", "enricher", "store", "graph-simulator"])
def test_every_container_of_ours_is_locked_down(name: str) -> None:
    """Non-root, read-only root, no capabilities, no new privileges."""
    service = compose()["services"][name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_every_file_that_compose_mounts_exists() -> None:
    """No secret and no configuration is forgotten in the repository."""
    loaded = compose()
    named = [entry["file"] for kind in ("configs", "secrets") for entry in loaded[kind].values()]
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_graph_credentials_and_the_store_stay_apart() -> None:
    """The webhook and the store hold no Graph credential, nobody but the store and its migration the store's."""
    services = compose()["services"]
    holders = {
        secret: {name for name, service in services.items() if secret in service.get("secrets", ())}
        for secret in ("graph-client-secret", "store-dsn", "pseudonym-keys")
    }
    assert holders == {
        "graph-client-secret": {"keeper", "enricher"},
        "store-dsn": {"store", "migrate"},
        "pseudonym-keys": {"enricher"},
    }


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
def test_manifests_are_valid_strictly_and_offline(folder: Path, tmp_path: Path) -> None:
    """Every object validates against the Kubernetes schemas, unknown fields refused."""
    objects = render(folder)
    assert {made["kind"] for made in objects} >= {"Deployment", "Service", "ServiceAccount", "ConfigMap", "Job"}
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(objects))
    checked = run(BIN / "kubernetes-validate", "--strict", "-k", "1.34", tmp_path / "all.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
@pytest.mark.skipif(
    shutil.which("kubectl") is None and os.environ.get("CI") is None,
    reason="compares with kubectl's own rendering where it exists",
)
def test_our_rendering_is_kustomizes_own(folder: Path) -> None:
    """The subset renderer says what kubectl kustomize says."""
    rendered = run("kubectl", "kustomize", folder)
    assert rendered.returncode == 0, rendered.stderr
    assert _by_name(list(yaml.safe_load_all(rendered.stdout))) == _by_name(render(folder))


def _by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    return {(one["kind"], one["metadata"]["name"]): json.dumps(one, sort_keys=True) for one in objects}


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
def test_pods_are_restricted(folder: Path) -> None:
    """Pod security `restricted`, a read-only root, no token, and limits, for every container."""
    checked = 0
    for pod in pods(render(folder)):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
            checked += 1
    assert checked >= 6


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
def test_secrets_are_mounted_files_never_variables(folder: Path) -> None:
    """No container reads a secret from its environment."""
    rendered = json.dumps(render(folder))
    assert "secretKeyRef" not in rendered
    assert '"secretRef"' not in rendered
    assert '"secretName"' in rendered


def test_the_job_of_a_rederivation_is_valid_and_holds_the_pseudonyms_alone(tmp_path: Path) -> None:
    """It is no part of the base: nothing is published anew because somebody applied a release."""
    folder = ROOT / "deploy/k8s/rederive"
    objects = render(folder)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(objects))
    checked = run(BIN / "kubernetes-validate", "--strict", "-k", "1.34", tmp_path / "all.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (pod,) = pods(objects)
    assert {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume} == {
        "ringback-pseudonym-keys"
    }
    (enricher,) = (pod for pod in pods(render(KUSTOMIZATIONS[0])) if pod["serviceAccountName"] == "ringback-enricher")
    for pods_own in ("securityContext", "automountServiceAccountToken", "enableServiceLinks"):
        assert pod[pods_own] == enricher[pods_own]
    assert pod["containers"][0]["securityContext"] == enricher["containers"][0]["securityContext"]


def test_the_operator_s_pod_is_valid_and_reaches_what_the_command_asks(tmp_path: Path) -> None:
    """It is no part of the base; as restricted as the store, with its connection string and a place for a cursor."""
    objects = render(DEPLOY / "k8s" / "operator")
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(objects))
    checked = run(BIN / "kubernetes-validate", "--strict", "-k", "1.34", tmp_path / "all.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (pod,) = pods(objects)
    (store,) = (one for one in pods(render(KUSTOMIZATIONS[0])) if one["serviceAccountName"] == "ringback-store")
    assert pod["securityContext"] == store["securityContext"]
    (here,), (there,) = pod["containers"], store["containers"]
    for same in ("image", "envFrom", "securityContext", "volumeMounts"):
        assert here[same] == there[same]
    assert {one["name"]: one["value"] for one in here["env"]} == {
        "RINGBACK_STORE__DSN_FILE": "/etc/ringback/store/dsn",
        "XDG_STATE_HOME": "/tmp",  # noqa: S108 - the pod's own
    }


def test_the_documented_ways_to_run_the_command_name_what_is_there() -> None:
    """docs/deploy.md: each compose service and each workload it says exists, and has what `ringback` needs."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    services = compose()["services"]
    composed = set(re.findall(r"docker compose (?:exec|run)(?: -\S+(?: XDG_STATE_HOME=\S+)?)* (\w+) ringback", page))
    assert composed == {"store", "topics"}
    assert "RINGBACK_KAFKA__BOOTSTRAP_SERVERS" in services["topics"]["environment"]
    assert "store-dsn" in services["store"]["secrets"]
    workloads = {(one["kind"].lower(), one["metadata"]["name"]) for one in render(DEPLOY / "k8s" / "operator")}
    named = re.findall(r"kubectl -n ringback exec (?:-i )?deploy/(\S+) -- ringback", page)
    assert len(named) > 1
    assert {("deployment", name) for name in named} <= workloads


def test_probes_ask_the_admin_port() -> None:
    """Liveness and readiness are different questions, both on the port that is not routed."""
    for made in render(KUSTOMIZATIONS[0]):
        if made["kind"] != "Deployment":
            continue
        (container,) = made["spec"]["template"]["spec"]["containers"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "admin"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}


def test_each_process_holds_only_its_own_secrets() -> None:
    """The matrix of DESIGN's processes: the webhook cannot read Graph, the store cannot either."""
    held = {
        made["metadata"]["name"].removeprefix("ringback-"): {
            volume["secret"]["secretName"]
            for volume in made["spec"]["template"]["spec"]["volumes"]
            if "secret" in volume
        }
        for made in render(KUSTOMIZATIONS[0])
        if made["kind"] in {"Deployment", "Job"}
    }
    assert held == {
        "webhook": {"ringback-client-state-keys"},
        "keeper": {"ringback-client-state-keys", "ringback-graph-credentials"},
        "enricher": {"ringback-graph-credentials", "ringback-pseudonym-keys"},
        "store": {"ringback-store-dsn"},
        "migrate": {"ringback-store-dsn"},
        "topics": set(),
    }
