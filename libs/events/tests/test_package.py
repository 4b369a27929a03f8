"""The metadata of the package."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import ringback_events

KIT = Path(__file__).parents[1]
PROJECT = tomllib.loads((KIT / "pyproject.toml").read_text("utf-8"))


def test_the_version_is_told_once() -> None:
    """The module, the project file and what is installed say the same."""
    assert ringback_events.__version__ == PROJECT["project"]["version"] == version("ringback-events")


def test_the_licence_is_the_repositorys() -> None:
    """A build sees the member's folder alone: its copy does not drift."""
    assert PROJECT["project"]["license-files"] == ["LICENSE"]
    assert (KIT / "LICENSE").read_bytes() == (KIT.parents[1] / "LICENSE").read_bytes()


@pytest.mark.parametrize(
    "need", [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["aiokafka"]]
)
def test_no_bound_pins(need: str) -> None:
    """A team has other packages as well: what is needed has a lower bound, and no upper one below the next major."""
    name, bounds = re.fullmatch(r"([a-z-]+)(.*)", need).groups()  # pyright: ignore[reportOptionalMemberAccess]
    assert re.fullmatch(r">=\d+(\.\d+)?(,<\d+)?", bounds), f"{name}: {bounds}"


def test_the_build_backend_may_be_an_older_one() -> None:
    """An index may lag behind the uv of this repository by months: the last release of it was not there for pip."""
    (backend,) = PROJECT["build-system"]["requires"]
    lowest, highest = re.fullmatch(r"uv_build>=0\.(\d+),<0\.(\d+)", backend).groups()  # pyright: ignore[reportOptionalMemberAccess]
    assert int(highest) - int(lowest) > 3
