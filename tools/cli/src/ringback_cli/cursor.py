"""Where an interrupted run goes on: a small file, there only while the run is unfinished."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from ringback_common.errors import ConfigError

__all__ = ["Cursor", "Position", "state_folder"]


def state_folder() -> Path:
    """`$XDG_STATE_HOME/ringback`, else `~/.local/state/ringback`."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "ringback"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run has come.

    Attributes:
        run: its id, kept when it is taken up again.
        after: everything up to this key, in order, is done; None at the beginning.
        done: how many that are.
    """

    run: str
    after: str | None = None
    done: int = 0


class Cursor:
    """The file of one selection."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Position | None:
        """The position of an unfinished run, None if there is none.

        Raises:
            ConfigError: the file cannot be read as one.
        """
        try:
            return Position(**orjson.loads(self.path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            raise ConfigError(f"{self.path} is no cursor of an unfinished run: move it away to begin anew.") from None

    def write(self, position: Position) -> None:
        """Keep a position; a kill leaves the old one or the new one.

        Raises:
            ConfigError: the file cannot be written.
        """
        draft = self.path.with_suffix(".draft")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(orjson.dumps(asdict(position)))
            draft.replace(self.path)
        except OSError:
            raise ConfigError(f"The cursor {self.path} cannot be written: name another file with --cursor.") from None

    def finish(self) -> None:
        """The run is done."""
        self.path.unlink(missing_ok=True)
