"""What a machine lacks is said in one sentence: by the set-up script before there is a Python of ours, by us after."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ringback_local.__main__ import main
from ringback_local.folders import KAFKA_POM

SETUP = KAFKA_POM.with_name("setup.sh")
ROOT = KAFKA_POM.parents[2]


def _set_up(tmp_path: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script in an empty checkout, where `python3` is the given shell script and uv is missing."""
    script = tmp_path / "tools" / "local" / "setup.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(SETUP, script)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "cut", "rm", "mkdir", "mv"):
        (programs / name).symlink_to(str(shutil.which(name)))
    (programs / "python3").write_text(f"#!{shutil.which('sh')}\n{python}\n")
    (programs / "python3").chmod(0o755)
    return subprocess.run(
        [str(programs / "sh"), str(script)], env={"PATH": str(programs)}, capture_output=True, text=True, check=False
    )


@dataclass
class Checkout:
    """A project without dependencies, the set-up script in its place, and a uv of the right version on the path."""

    folder: Path
    programs: Path

    def shim(self, note: str) -> Path:
        """Put a script first on the path that leads to this Python, as pyenv's shims do; another note, another file."""
        shim = self.programs / "python3"
        shim.unlink(missing_ok=True)
        shim.write_text(f'#!{shutil.which("sh")}\n# {note}\nexec {sys.executable} "$@"\n')
        shim.chmod(0o755)
        return shim

    def set_up(self, **environment: str) -> None:
        """Run the script as `make setup` does."""
        script = self.folder / "tools" / "local" / "setup.sh"
        env = {"PATH": str(self.programs), "UV_CACHE_DIR": str(self.folder / "cache")} | environment
        subprocess.run([str(self.programs / "sh"), str(script)], env=env, check=True, capture_output=True, text=True)


def _uv() -> str:
    """The uv that set this environment up: the path's or the repository's own."""
    own = sorted((ROOT / ".tools").glob("uv-*/bin/uv"))
    return str(own[-1]) if own else str(shutil.which("uv"))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Locked, and not yet set up."""
    made = Checkout(tmp_path / "checkout", tmp_path / "bin")
    made.programs.mkdir()
    for name in ("sh", "dirname", "cut", "rm", "mkdir", "mv"):
        (made.programs / name).symlink_to(str(shutil.which(name)))
    (made.programs / "uv").symlink_to(_uv())
    (made.folder / "tools" / "local").mkdir(parents=True)
    shutil.copy(SETUP, made.folder / "tools" / "local" / "setup.sh")
    project = '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.11"\n[tool.uv]\npackage = false\n'
    (made.folder / "pyproject.toml").write_text(project)
    lock = [str(made.programs / "uv"), "lock", "--quiet", "--offline", "--python", sys.executable]
    subprocess.run(lock, cwd=made.folder, check=True, env={"UV_CACHE_DIR": str(made.folder / "cache")})
    return made


def test_an_environment_that_works_is_kept_whatever_python_comes_first_on_the_path(checkout: Checkout) -> None:
    """A shim is no file that uv knows again: it would take the environment away under whatever runs in it."""
    checkout.shim("of the first terminal")
    checkout.set_up()
    mark = checkout.folder / ".venv" / "mark"
    mark.touch()
    shim = checkout.shim("of another one")
    checkout.set_up()
    checkout.set_up(PYTHON=str(shim))
    (checkout.folder / ".python-version").write_text("3.99\n")
    checkout.set_up(UV_PYTHON="3.98")
    assert mark.exists()


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Checkout) -> None:
    """After an upgrade of the machine's Python the old link leads nowhere."""
    checkout.shim("before")
    checkout.set_up()
    python = checkout.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    checkout.set_up()
    subprocess.run([str(python), "-c", ""], check=True)


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    """Every Python on the path fails the version check: exit 2, one sentence, nothing made."""
    answer = _set_up(tmp_path, "exit 1")
    assert answer.returncode == 2
    assert answer.stderr.startswith("Ringback needs Python 3.11 or newer: install one")
    assert answer.stderr.count("\n") == 1
    assert not (tmp_path / ".tools").exists()


def test_a_python_without_venv_is_named(tmp_path: Path) -> None:
    """Debian's Python without python3-venv: exit 2, the package's name, and no half-made environment."""
    answer = _set_up(tmp_path, f'case "$2" in venv) exit 1;; esac; exec {sys.executable} "$@"')
    assert answer.returncode == 2
    assert "python3-venv" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not list((tmp_path / ".tools").glob("*/bin/uv"))


@pytest.mark.parametrize("command", ["prepare", "up"])
def test_a_machine_without_java_is_told_the_three_ways(
    command: str, bare_machine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and one sentence on stderr, whichever command comes first."""
    assert main([command]) == 2
    sentence = capsys.readouterr().err
    assert sentence.startswith("No Kafka can be run here: set RINGBACK_LOCAL_KAFKA")
    assert "no java was found, mvn was not" in sentence
    assert sentence.count("\n") == 1


def test_a_named_kafka_needs_no_java(bare_machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a broker named nothing is fetched and nothing is missing."""
    monkeypatch.setenv("RINGBACK_LOCAL_KAFKA", "kafka.example:9092")
    assert main(["prepare"]) == 0


def test_help_explains_every_target() -> None:
    """`make` alone names each target of the Makefile."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    [phony] = [line for line in lines if line.startswith(".PHONY:")]
    answer = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True, env=os.environ)
    explained = {line.split()[0] for line in answer.stdout.splitlines() if line.startswith("  ")}
    assert explained == set(phony.removeprefix(".PHONY:").split())
