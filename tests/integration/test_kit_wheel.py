"""The consumer kit's wheel, built by pip with what the package index has, as a team of other tools would."""

import json
import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
KIT = ROOT / "libs" / "events"
READ = """
import json, sys
sys.path.insert(0, sys.argv[1])
import ringback_events
from ringback_events.consume import SessionReader
reader = SessionReader()
values = [open(path, "rb").read() for path in sys.argv[2:]]
whole = [reader.read("p", offset, value) for offset, value in enumerate(values)]
print(json.dumps([ringback_events.__version__, ringback_events.__file__, len(whole[-1].sessions)]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in an environment that has pip alone; pip fetches the build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "venv", folder / "pip"], check=True)
    build = [
        folder / "pip" / "bin" / "python",
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        folder,
        KIT,
    ]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    """Licence, version and marker of types are inside; what it needs is pydantic, in bounds that others can meet."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        reported = Parser().parsestr(archive.read(metadata).decode())
        (licence,) = [name for name in names if name.endswith("/licenses/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    assert "ringback_events/py.typed" in names
    assert (reported["Name"], reported["License-Expression"]) == ("ringback-events", "Apache-2.0")
    needs = [need for need in reported.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert [need.split(">=")[0] for need in needs] == ["pydantic"]


def test_the_kit_works_from_the_wheel(wheel: Path) -> None:
    """It says its version and reads the contract's examples."""
    examples = ROOT / "contracts" / "examples"
    values = [examples / "session" / "peer-to-peer-0.json", examples / "sessions-completed" / "peer-to-peer.json"]
    run = subprocess.run([sys.executable, "-c", READ, wheel, *values], capture_output=True, text=True, check=True)
    version, file, sessions = json.loads(run.stdout)
    assert (version, sessions) == (wheel.name.split("-")[1], 1)
    assert file.startswith(str(wheel))
