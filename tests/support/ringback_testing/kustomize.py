"""Renders the part of kustomize that deploy/k8s uses, so that manifests are checked on machines without kubectl.

Where kubectl is present a test compares both renderings, so this stays a faithful subset.
"""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from ringback_testing.json_values import is_list, is_object

Object = dict[str, Any]
KNOWN = {"apiVersion", "kind", "namespace", "resources", "components", "images", "patches"}
_CLUSTER_WIDE = {"Namespace", "PriorityClass"}
_MERGE_KEYS = ("name", "mountPath", "containerPort")


def render(folder: Path, beside: Sequence[Object] = ()) -> list[Object]:
    """All objects of a kustomization, or of a component with what it is put `beside` and may patch.

    Raises:
        ValueError: a feature that this subset does not know, or a patch of what is not there.
    """
    spec = yaml.safe_load((folder / "kustomization.yaml").read_text())
    unknown = set(spec) - KNOWN
    if unknown:
        raise ValueError(f"{folder.name} uses {sorted(unknown)}, which the subset does not render")
    objects = [*beside, *(made for name in spec.get("resources", ()) for made in _resource(folder / name))]
    for name in spec.get("components", ()):
        objects = render(folder / name, objects)
    for patch in spec.get("patches", ()):
        _patch(objects, folder, patch)
    for image in spec.get("images", ()):
        _image(objects, image)
    if "namespace" in spec:
        _namespace(objects, spec["namespace"])
    return objects


def _resource(path: Path) -> list[Object]:
    if path.is_dir():
        return render(path)
    return [made for made in yaml.safe_load_all(path.read_text()) if made is not None]


def _patch(objects: list[Object], folder: Path, patch: Object) -> None:
    wanted = yaml.safe_load((folder / patch["path"]).read_text())
    target = patch.get("target", {"kind": wanted["kind"], "name": wanted["metadata"]["name"]})
    chosen = [o for o in objects if o["kind"] == target["kind"] and target.get("name") in {None, o["metadata"]["name"]}]
    if not chosen:
        raise ValueError(f"{patch['path']} patches nothing")
    change = {key: value for key, value in wanted.items() if key not in {"apiVersion", "kind", "metadata"}}
    if wanted.get("$patch") == "delete":
        objects[:] = [one for one in objects if one not in chosen]
        return
    for one in chosen:
        merged = _merge(one, change)
        one.clear()
        one.update(merged)


def _merge(base: Any, change: Any) -> Any:
    """Kubernetes' strategic merge for maps and for lists of named members; null removes."""
    if is_object(base) and is_object(change):
        merged = {**base, **{key: _merge(base.get(key), value) for key, value in change.items()}}
        return {key: value for key, value in merged.items() if value is not None}
    key = _merge_key(change)
    if is_list(base) and key is not None:
        by_key = {member[key]: member for member in base}
        changed = [_merge(by_key.pop(member[key], {}), member) for member in change]
        return [*changed, *by_key.values()]
    return deepcopy(change)


def _merge_key(change: Any) -> str | None:
    """What tells the members of a list apart; None for a list that replaces the other as a whole."""
    if not (is_list(change) and change and is_object(change[0])):
        return None
    return next((key for key in _MERGE_KEYS if key in change[0]), None)


def _image(objects: list[Object], image: Object) -> None:
    for pod in pods(objects):
        for container in pod["containers"]:
            if container["image"].partition(":")[0] == image["name"]:
                version = f"@{image['digest']}" if "digest" in image else f":{image['newTag']}"
                container["image"] = image.get("newName", image["name"]) + version


def _namespace(objects: list[Object], namespace: str) -> None:
    for made in objects:
        if made["kind"] == "Namespace":
            made["metadata"]["name"] = namespace
        elif made["kind"] not in _CLUSTER_WIDE:
            made["metadata"]["namespace"] = namespace


def pods(objects: list[Object]) -> list[Object]:
    """The pod specs of all workloads."""
    return [made["spec"]["template"]["spec"] for made in objects if "template" in made.get("spec", {})]
