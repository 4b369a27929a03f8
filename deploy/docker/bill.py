"""bill.py IMAGE: prints the bill of materials of a built image in CycloneDX 1.6, from what is installed in it.

Python's distributions and Debian's packages, each with its package URL. The same image gives the same bytes.
"""

import json
import subprocess
import sys
import uuid
from typing import Any
from urllib.parse import quote

_LIST = """
import importlib.metadata, json, subprocess
dists = sorted({(one.metadata["Name"], one.version) for one in importlib.metadata.distributions()})
shown = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\\n"]
debs = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
release = dict(line.split("=", 1) for line in open("/etc/os-release").read().splitlines() if "=" in line)
print(json.dumps({"python": dists, "debian": [line.split() for line in debs.splitlines()],
                  "release": release["VERSION_ID"].strip('"')}))
"""


def installed(image: str) -> dict[str, Any]:
    """What is in the image, as its own Python and its own dpkg say."""
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", _LIST]
    found: dict[str, Any] = json.loads(_output(command))
    return found


def labels(image: str) -> dict[str, str]:
    """The image's labels."""
    found: dict[str, str] = json.loads(_output(["docker", "inspect", "--format", "{{json .Config.Labels}}", image]))
    return found


def bill(found: dict[str, Any], label: dict[str, str]) -> dict[str, Any]:
    """The document. Its serial number and time follow from the content, so that nothing differs between two builds."""
    components = [_python(name, version) for name, version in found["python"]]
    components += [_debian(*package, found["release"]) for package in found["debian"]]
    content = json.dumps([components, label], sort_keys=True)
    title, version = label["org.opencontainers.image.title"], label["org.opencontainers.image.version"]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {
            "timestamp": label["org.opencontainers.image.created"],
            "component": {"type": "container", "bom-ref": title, "name": title, "version": version},
        },
        "components": components,
    }


def _python(name: str, version: str) -> dict[str, str]:
    purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version)}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _debian(name: str, version: str, architecture: str, release: str) -> dict[str, str]:
    purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={architecture}&distro=debian-{release}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    json.dump(bill(installed(sys.argv[1]), labels(sys.argv[1])), sys.stdout, indent=1)
