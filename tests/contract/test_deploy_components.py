"""The components of deploy/k8s that are no part of an overlay here: each over the base, offline."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from ringback_events.topics import FETCH, RECORDS
from ringback_testing import kustomize
from ringback_testing.kustomize import Object, pods, render

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
BIN = Path(sys.executable).parent
COMPONENTS = {
    "keda": ("keda",),
    "gateway": ("gateway",),
    "external-secrets": ("external-secrets",),
    "workload-identity": ("workload-identity",),
    "egress-proxy": ("network-policies", "egress-proxy"),
    "strimzi": ("strimzi",),
}
"""Each with what it stands on."""
KINDS: Object = yaml.safe_load((Path(kustomize.__file__).with_name("custom_kinds.yaml")).read_text("utf-8"))


def over_the_base(component: str, folder: Path) -> Path:
    """A kustomization in the folder, with the component over the base, as an overlay names it."""
    relative = Path(os.path.relpath(K8S, folder.resolve()))
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "ringback",
        "resources": [str(relative / "base")],
        "components": [str(relative / "components" / name) for name in COMPONENTS[component]],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return folder


def rendered(component: str, folder: Path) -> list[Object]:
    """Its objects and the base's, patched."""
    return render(over_the_base(component, folder))


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """The objects of a kind by name, without `ringback-`."""
    return {one["metadata"]["name"].removeprefix("ringback-"): one for one in objects if one["kind"] == kind}


def mistakes(made: Object) -> list[str]:
    """What a custom object breaks of its kind's schema; raises KeyError for a kind that has none."""
    schema = KINDS["kinds"][f"{made['apiVersion']}/{made['kind']}"] | {"$defs": KINDS["$defs"]}
    return [f"{found.json_path}: {found.message}" for found in Draft202012Validator(schema).iter_errors(made["spec"])]


def is_custom(made: Object) -> bool:
    """Whether an operator defines the kind."""
    group = str(made["apiVersion"]).partition("/")[0]
    return group == "gateway.networking.k8s.io" or ("." in group and not group.endswith(".k8s.io"))


def test_every_component_is_checked_here_or_in_production() -> None:
    """A new folder cannot be forgotten."""
    production = yaml.safe_load((K8S / "overlays" / "production" / "kustomization.yaml").read_text())["components"]
    named = {Path(name).name for name in production} | COMPONENTS.keys()
    assert {path.name for path in (K8S / "components").iterdir() if path.is_dir()} == named


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_object_of_a_component_is_valid_strictly(component: str, tmp_path: Path) -> None:
    """Kubernetes' own kinds by its schemas, the operators' by theirs; unknown members refused."""
    objects = rendered(component, tmp_path)
    assert [(one["metadata"]["name"], mistakes(one)) for one in objects if is_custom(one) and mistakes(one)] == []
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([one for one in objects if not is_custom(one)]))
    command = [str(BIN / "kubernetes-validate"), "--strict", "-k", "1.34", str(tmp_path / "all.yaml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_check_of_custom_kinds_can_fail(tmp_path: Path) -> None:
    """A misspelt member of the triggers, and a number where text belongs."""
    (made, *_) = [one for one in rendered("keda", tmp_path) if is_custom(one)]
    for member, value in (("treshold", "30"), ("threshold", 30)):
        wrong = copy.deepcopy(made)
        wrong["spec"]["triggers"][0]["metadata"][member] = value
        assert len(mistakes(wrong)) == 1


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.skipif(
    shutil.which("kubectl") is None and os.environ.get("CI") is None,
    reason="compares with kubectl's own rendering where it exists",
)
def test_our_rendering_of_a_component_is_kustomizes_own(component: str, tmp_path: Path) -> None:
    """Patches that remove an object or a member, and lists, among them."""
    folder = over_the_base(component, tmp_path)
    ours = {(one["kind"], one["metadata"]["name"]): json.dumps(one, sort_keys=True) for one in render(folder)}
    theirs = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert theirs.returncode == 0, theirs.stderr
    found = yaml.safe_load_all(theirs.stdout)
    assert {(one["kind"], one["metadata"]["name"]): json.dumps(one, sort_keys=True) for one in found} == ours


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_component_loosens_a_pod(component: str, tmp_path: Path) -> None:
    """Security contexts, limits and tokens are the base's."""
    base = {pod["serviceAccountName"]: pod for pod in pods(render(K8S / "base"))}
    for pod in pods(rendered(component, tmp_path)):
        was = base[pod["serviceAccountName"]]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"] == was["securityContext"]
        for member in ("securityContext", "resources"):
            assert pod["containers"][0][member] == was["containers"][0][member]


def env_of(deployment: Object) -> dict[str, Any]:
    """The environment of its container."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


def test_replicas_grow_with_the_age_of_a_lane_and_at_most_to_its_partitions(tmp_path: Path) -> None:
    """Enricher and store; only KEDA sets the number of replicas, and nothing is scaled to zero."""
    objects = rendered("keda", tmp_path)
    scaled, deployments = of_kind(objects, "ScaledObject"), of_kind(objects, "Deployment")
    assert {name for name, one in deployments.items() if "replicas" not in one["spec"]} == scaled.keys()
    for name, lane in {"enricher": FETCH, "store": RECORDS}.items():
        spec = scaled[name]["spec"]
        assert spec["scaleTargetRef"]["name"] == f"ringback-{name}"
        assert 2 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= lane.partitions
        (trigger,) = spec["triggers"]
        assert trigger["type"] == "prometheus"
        assert trigger["metadata"]["query"].count(f'topic="{lane.name}"') == 1


def test_the_queries_ask_for_metrics_and_groups_that_exist(tmp_path: Path) -> None:
    """The metric is on the page of metrics with these labels; the groups are those the rights are given for."""
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    assert "| `ringback_oldest_unfinished_seconds` | gauge | `group`, `topic`, `partition` |" in page
    groups = {"enricher": "ringback-enricher", "store": "ringback-sink-store"}
    for name, one in of_kind(rendered("keda", tmp_path), "ScaledObject").items():
        query = one["spec"]["triggers"][0]["metadata"]["query"]
        assert query.startswith(f'max(ringback_oldest_unfinished_seconds{{group="{groups[name]}",topic="')


@pytest.mark.parametrize(("file", "command"), [("topics", ["topics", "render"]), ("users", ["acls", "render"])])
def test_strimzi_s_objects_are_those_of_the_contract(file: str, command: list[str]) -> None:
    """Drift: after a change of a topic's file run `make contracts`."""
    made = subprocess.run([str(BIN / "ringback"), *command, "--strimzi"], capture_output=True, text=True, check=True)
    assert (K8S / "components" / "strimzi" / f"{file}.yaml").read_text("utf-8") == made.stdout


def test_with_strimzi_each_process_has_its_own_user_and_nothing_applies_topics(tmp_path: Path) -> None:
    """Its password and the authority are mounted for it alone, over TLS; the Job is gone."""
    objects = rendered("strimzi", tmp_path)
    assert of_kind(objects, "Job").keys() == {"migrate"}
    users, settings = of_kind(objects, "KafkaUser"), of_kind(objects, "ConfigMap")["ringback"]["data"]
    assert settings["RINGBACK_KAFKA__SECURITY_PROTOCOL"] == "SASL_SSL"
    for name, deployment in of_kind(objects, "Deployment").items():
        assert name in users
        assert env_of(deployment)["RINGBACK_KAFKA__SASL_USERNAME"] == f"ringback-{name}"
        pod = deployment["spec"]["template"]["spec"]
        (volume,) = [one for one in pod["volumes"] if one["name"] == "kafka"]
        sources = [one["secret"] for one in volume["projected"]["sources"]]
        assert [one["name"] for one in sources] == [f"ringback-{name}", "ringback-kafka-ca"]
        (at,) = [one["mountPath"] for one in pod["containers"][0]["volumeMounts"] if one["name"] == "kafka"]
        files = {f"{at}/{item['path']}" for one in sources for item in one["items"]}
        assert files == {settings[f"RINGBACK_KAFKA__{each}"] for each in ("SASL_PASSWORD_FILE", "SSL_CAFILE")}


def test_external_secrets_make_every_secret_that_a_pod_mounts(tmp_path: Path) -> None:
    """Names and keys of the base's volumes; the account that reads the vault is no pod's."""
    objects = rendered("external-secrets", tmp_path)
    mounted = {one["secret"]["secretName"] for pod in pods(objects) for one in pod["volumes"] if "secret" in one}
    made = {one["metadata"]["name"] for one in of_kind(objects, "ExternalSecret").values()}
    assert made == mounted
    store = of_kind(objects, "SecretStore")["ringback"]
    account = store["spec"]["provider"]["azurekv"]["serviceAccountRef"]["name"]
    assert account not in {pod["serviceAccountName"] for pod in pods(objects)}


def test_with_workload_identity_no_pod_mounts_a_credential_of_graph(tmp_path: Path) -> None:
    """Keeper and enricher have a signed token in its place; it is for the exchange and for nothing else."""
    for name, deployment in of_kind(rendered("workload-identity", tmp_path), "Deployment").items():
        volumes = {one["name"]: one for one in deployment["spec"]["template"]["spec"]["volumes"]}
        assert ("graph-credentials" in volumes) == (name in {"keeper", "enricher"})
        if "graph-credentials" in volumes:
            (source,) = volumes["graph-credentials"]["projected"]["sources"]
            assert source["serviceAccountToken"]["audience"] == "api://AzureADTokenExchange"
            assert "secret" not in volumes["graph-credentials"]


def test_with_the_egress_proxy_nothing_leaves_the_cluster_by_itself(tmp_path: Path) -> None:
    """Keeper and enricher go by the proxy, whose port is the one their policy opens; no policy names an address."""
    objects = rendered("egress-proxy", tmp_path)
    policies, deployments = of_kind(objects, "NetworkPolicy"), of_kind(objects, "Deployment")
    assert "ipBlock" not in json.dumps(policies)
    for name in ("keeper", "enricher"):
        opened = [(rule["to"][0], rule["ports"][0]["port"]) for rule in policies[name]["spec"]["egress"]]
        assert [port for _, port in opened] == [9093, 3128]
        assert env_of(deployments[name])["RINGBACK_GRAPH__PROXY"] == "http://proxy.egress-proxy.svc:3128"


def test_the_gateway_routes_what_graph_posts_to_and_nothing_else(tmp_path: Path) -> None:
    """Two exact paths, POST, to the webhook's Service, behind TLS."""
    objects = rendered("gateway", tmp_path)
    (rule,) = of_kind(objects, "HTTPRoute")["webhook"]["spec"]["rules"]
    assert [(match["path"], match["method"]) for match in rule["matches"]] == [
        ({"type": "Exact", "value": path}, "POST") for path in ("/graph/notifications", "/graph/lifecycle")
    ]
    (backend,) = rule["backendRefs"]
    service = of_kind(objects, "Service")["webhook"]
    assert (backend["name"], backend["port"]) == (service["metadata"]["name"], service["spec"]["ports"][0]["port"])
    (listener,) = of_kind(objects, "Gateway")["webhook"]["spec"]["listeners"]
    assert (listener["protocol"], listener["tls"]["mode"]) == ("HTTPS", "Terminate")
    assert of_kind(objects, "HTTPRoute")["webhook"]["spec"]["hostnames"] == [listener["hostname"]]
