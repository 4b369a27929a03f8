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
from annotated_types import Le
from ringback_ingest.settings import WebhookSection
from ringback_ingest.webhook.adapters.server import FINISH_SECONDS
from ringback_ingest.webhook.core.limits import KAFKA_SECONDS
from ringback_testing.kustomize import pods, render

pytestmark = pytest.mark.contract
ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OVERLAYS = DEPLOY / "k8s" / "overlays"
KUSTOMIZATIONS = [DEPLOY / "k8s" / "base", OVERLAYS / "dev", OVERLAYS / "production"]
OF_THE_OPERATORS = {"PodMonitor", "PrometheusRule"}
"""Kinds that a cluster gets from the Prometheus operator; Kubernetes has no schema of them."""
BIN = Path(sys.executable).parent


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """One tool of the locked environment, its output kept."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def compose() -> dict[str, Any]:
    """The compose file as data."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
def test_manifests_are_valid_strictly_and_offline(folder: Path, tmp_path: Path) -> None:
    """Every object validates against the Kubernetes schemas, unknown fields refused."""
    objects = render(folder)
    assert {made["kind"] for made in objects} >= {"Deployment", "Service", "ServiceAccount", "ConfigMap", "Job"}
    core = [made for made in objects if made["kind"] not in OF_THE_OPERATORS]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(core))
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
    """It is no part of the base: nothing is published anew because a release was applied."""
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
    composed = re.findall(r"docker compose run --rm (?:-T )?(\w+) (?:status|lookup|replay|resume|topics)", page)
    assert composed == ["ringback"] * 5
    assert services["ringback"]["entrypoint"] == ["ringback"]
    assert {"RINGBACK_KAFKA__BOOTSTRAP_SERVERS", "XDG_STATE_HOME"} <= services["ringback"]["environment"].keys()
    assert "store-reader" in services["ringback"]["secrets"]
    workloads = {(one["kind"].lower(), one["metadata"]["name"]) for one in render(DEPLOY / "k8s" / "operator")}
    named = re.findall(r"kubectl -n ringback exec (?:-i )?deploy/(\S+) -- ringback", page)
    assert len(named) > 1
    assert {("deployment", name) for name in named} <= workloads


def test_probes_ask_the_admin_port() -> None:
    """Liveness and readiness are different questions, both on the port that is not routed."""
    deployments = [made for made in render(KUSTOMIZATIONS[0]) if made["kind"] == "Deployment"]
    assert deployments
    for made in deployments:
        (container,) = made["spec"]["template"]["spec"]["containers"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "admin"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}


def test_the_webhooks_grace_period_holds_its_longest_stop() -> None:
    """A pod that is killed before its stop is over cuts off what it serves."""
    (drain,) = (each.le for each in WebhookSection.model_fields["drain_seconds"].metadata if isinstance(each, Le))
    deployed = [made for made in render(KUSTOMIZATIONS[0]) if made["metadata"]["name"] == "ringback-webhook"]
    (pod,) = (made["spec"]["template"]["spec"] for made in deployed if made["kind"] == "Deployment")
    assert pod["terminationGracePeriodSeconds"] > float(str(drain)) + FINISH_SECONDS + 2 * KAFKA_SECONDS
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["webhook"]
    waits = float(compose["environment"]["RINGBACK_WEBHOOK__DRAIN_SECONDS"])
    assert float(compose["stop_grace_period"].removesuffix("s")) > waits + FINISH_SECONDS + 2 * KAFKA_SECONDS


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
        "migrate": {"ringback-store-owner-dsn"},
        "topics": set(),
    }


def production() -> dict[str, list[dict[str, Any]]]:
    """The production overlay's objects by kind."""
    objects = render(OVERLAYS / "production")
    return {kind: [one for one in objects if one["kind"] == kind] for kind in {one["kind"] for one in objects}}


def test_production_speaks_to_kafka_by_tls_and_starts_nothing_before_it_is_named() -> None:
    """The profile that refuses what is for development, the placeholder among it; images by digest alone."""
    (settings,) = (one["data"] for one in production()["ConfigMap"] if one["metadata"]["name"] == "ringback")
    assert settings["RINGBACK_PROFILE"] == "production"
    assert settings["RINGBACK_KAFKA__SECURITY_PROTOCOL"] in {"SSL", "SASL_SSL"}
    assert settings["RINGBACK_INSTALLATION_ID"] == "change-me"
    images = {one["image"] for pod in pods(render(OVERLAYS / "production")) for one in pod["containers"]}
    assert all(re.fullmatch(r"[^@]+@sha256:[0-9a-f]{64}", image) for image in images)


def test_every_service_outlives_a_node_in_production() -> None:
    """Two at least, in several zones and on several nodes, one away at a time, before others when room is short."""
    budgets = {
        one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        for one in production()["PodDisruptionBudget"]
    }
    for made in production()["Deployment"]:
        pod = made["spec"]["template"]["spec"]
        component = made["metadata"]["labels"]["app.kubernetes.io/component"]
        assert made["spec"]["replicas"] >= 2, component
        assert component in budgets
        assert pod["priorityClassName"] == "ringback"
        spread = {one["topologyKey"]: one["labelSelector"]["matchLabels"] for one in pod["topologySpreadConstraints"]}
        assert spread.keys() == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        assert all(labels == made["spec"]["selector"]["matchLabels"] for labels in spread.values())


KAFKA, STORE, GRAPH = ("kafka", 9093), ("postgres", 5432), ("0.0.0.0/0", 443)
FLOWS = {
    "webhook": {KAFKA},
    "keeper": {KAFKA, GRAPH},
    "enricher": {KAFKA, GRAPH},
    "store": {KAFKA, STORE},
    "migrate": {STORE},
    "topics": {KAFKA},
}
"""What each process may open connections to, besides the cluster's names."""


def test_the_network_policies_are_the_flows_and_nothing_else() -> None:
    """All is denied first; no rule without a peer or without a port; private ranges are no part of the internet."""
    policies = {one["metadata"]["name"].removeprefix("ringback-"): one["spec"] for one in production()["NetworkPolicy"]}
    assert policies.pop("default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies.keys() == {*FLOWS, "names", "metrics"}
    assert {name: _egress(policies[name]) for name in FLOWS} == FLOWS
    assert {name for name, policy in policies.items() if "ingress" in policy} == {"webhook", "metrics"}
    for name in FLOWS:
        assert policies[name]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == name
    (internet,) = (rule["to"][0]["ipBlock"] for rule in policies["keeper"]["egress"] if "ipBlock" in rule["to"][0])
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(internet["except"])


def _egress(policy: dict[str, Any]) -> set[tuple[str, int]]:
    """Peer and port of each rule, which has exactly one of both."""
    found: set[tuple[str, int]] = set()
    for rule in policy["egress"]:
        (peer,), (port,) = rule["to"], rule["ports"]
        name = (
            peer["ipBlock"]["cidr"]
            if "ipBlock" in peer
            else peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        )
        found.add((name, port["port"]))
    return found


def test_the_ingress_routes_what_graph_posts_to_and_nothing_else() -> None:
    """Neither the admin port nor a path beside the two."""
    (ingress,) = production()["Ingress"]
    (rule,) = ingress["spec"]["rules"]
    assert {path["path"] for path in rule["http"]["paths"]} == {"/graph/notifications", "/graph/lifecycle"}
    assert {path["pathType"] for path in rule["http"]["paths"]} == {"Exact"}
    assert {path["backend"]["service"]["name"] for path in rule["http"]["paths"]} == {"ringback-webhook"}
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]


def test_the_cluster_s_rules_are_those_of_the_compose_file() -> None:
    """One truth in two places."""
    (rule,) = production()["PrometheusRule"]
    assert rule["spec"] == yaml.safe_load((DEPLOY / "monitoring" / "rules.yml").read_text())


def test_jobs_are_replaced_by_whoever_applies_a_release() -> None:
    """A Job's template cannot change; annotations let Argo CD and Flux make it anew."""
    for made in production()["Job"]:
        said = made["metadata"]["annotations"]
        assert said["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
        assert said["kustomize.toolkit.fluxcd.io/force"] == "enabled"


def test_services_start_behind_the_jobs_by_argo_cd_and_by_hand() -> None:
    """No service restarts until topics and tables are there: a later wave, and a second line of the page."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    (left_out,) = re.findall(r"--selector 'app\.kubernetes\.io/component notin \((.*)\)'", page)
    objects = render(OVERLAYS / "production")
    labelled = [(one, one["metadata"].get("labels", {}).get("app.kubernetes.io/component")) for one in objects]
    first = {one["kind"] for one, component in labelled if component not in left_out.split(",")}
    assert "Deployment" not in first
    assert {"Namespace", "ConfigMap", "ServiceAccount", "NetworkPolicy", "Job"} <= first
    waves = {kind: _waves(production()[kind]) for kind in ("Job", "Deployment", "ConfigMap", "ServiceAccount")}
    assert waves == {"Job": {0}, "Deployment": {1}, "ConfigMap": {0}, "ServiceAccount": {0}}


def _waves(objects: list[dict[str, Any]]) -> set[int]:
    return {int(one["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", 0)) for one in objects}
