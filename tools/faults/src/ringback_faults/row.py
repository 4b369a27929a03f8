"""A row of the scorecard as data: one YAML file in tests/fault/rows. Pure but for reading the files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ringback_common.errors import ConfigError

__all__ = [
    "DEMO",
    "Declared",
    "Expect",
    "Load",
    "Row",
    "Step",
    "checked",
    "declared",
    "place_of",
    "read_row",
    "read_rows",
]

DEMO = "R0"
"""The row that `make demo` runs."""
Repeats = Literal["none", "span per kill", "any"]


class Declared(BaseModel):
    """What a file of the suite declares: nothing besides these members, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_Declared = TypeVar("_Declared", bound=Declared)


class Load(Declared):
    """What Graph's simulator does while things break.

    Attributes:
        calls: how many end, spread over `seconds`, over all tenants.
        shapes: weights of the simulator's shapes.
        late_versions: share of calls that get a second version, a quarter of them a third.
        late_after: seconds until then on average; the third takes twice as long.
        not_found_first: share that Graph does not know yet when it notifies of them.
        duplicates: share of notifications sent twice.
        forged: notifications with a forged clientState.
        graph_delay: seconds each Graph answer takes.
        week: the calls are the working week that `make up` orders; of the members above `calls`, `seconds` and
            `graph_delay` count then.
    """

    calls: int = 150
    seconds: float = 10.0
    shapes: Mapping[str, float] = Field(default_factory=lambda: {"peerToPeer": 6, "smallMeeting": 3, "meeting": 1})
    late_versions: float = 0.2
    late_after: float = 3.0
    not_found_first: float = 0.02
    duplicates: float = 0.05
    forged: int = 1
    graph_delay: float = 0.03
    week: bool = False


class Step(BaseModel):
    """One thing to do: `at` seconds after the load began, `do` an action, with that action's own parameters.

    Steps begin in order, each not before the one before it has ended, unless that one is `beside`: then it goes on
    while later ones begin.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    do: str
    at: float = 0.0
    beside: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """What the action is given."""
        return dict(self.model_extra or {})


class Expect(Declared):
    """What may be, beyond which the row fails; every anomaly not named here must be 0.

    Attributes:
        repeats: event ids that may stand twice on a topic.
        recovery_seconds: from a death, or the end of another fault, to the last effect of anything older than 5 s;
            fails past three times it.
        standstill_seconds: how long the end of all work is waited for, be recovery late or not: ledgers that are read
            while work goes on contradict each other.
        ack_p99_ms: of the sender's POSTs; likewise.
        share_over_10s: of the sender's POSTs, those that may be answered after Graph has given up on them.
        late_answers: whether POSTs may be answered later than 3 s while the webhook itself is held still.
        dead_letters: calls that may end so, by reason: a number, or from and to; all others are an anomaly.
        neighbour_seconds: p99 from acceptance to store of the items that a one-sided fault does not concern, while it
            lasts.
        unavailable: whether POSTs may be answered 503 or cut off.
        evidence: the least of each figure of the oracle's evidence, e.g. {"kills_holding_work": 2, "throttled": 10}.
        at_most: the most of a figure of the evidence, e.g. {"reads_of_a_call": 4}.
        exit_codes: allowed ends of processes besides being killed by the harness.
        rss_mib: cap per process.
    """

    repeats: Repeats = "none"
    recovery_seconds: float = 30.0
    standstill_seconds: float = 240.0
    ack_p99_ms: float | None = None
    share_over_10s: float = 0.0
    late_answers: bool = False
    neighbour_seconds: float | None = None
    dead_letters: Mapping[str, int | tuple[int, int]] = Field(default_factory=dict)
    unavailable: bool = True
    evidence: Annotated[Mapping[str, float], Field(min_length=1)]
    at_most: Mapping[str, float] = Field(default_factory=dict)
    exit_codes: tuple[int, ...] = ()
    rss_mib: float = 300.0


class Row(Declared):
    """A row.

    Attributes:
        row: its name in the scorecard, R0 to R55.
        fault: one sentence for people.
        world: what kind of installation it needs; rows of one world share a running one.
        load: what happens while things break.
        steps: the faults.
        expect: what may be.
        judged: the invariants that this row is there for; all others are judged too.
        alone: whether nothing else runs on the machine at the same time, because its figures are times.
        repeat: how often, each time with a seed of its own.
        takes: seconds it is known to take where load and steps do not tell, so that it is begun early enough.
        long: parts to replace in the long run, e.g. {"load": {...}, "steps": [...]}.
    """

    row: Annotated[str, Field(pattern=r"^R[0-9]{1,2}[a-z]?$")]
    fault: str
    world: str = "plain"
    load: Load = Load()
    steps: tuple[Step, ...] = ()
    expect: Expect
    judged: tuple[Annotated[str, Field(pattern=r"^I[0-9]{1,2}$")], ...]
    alone: bool = False
    repeat: int = 1
    takes: float = 0.0
    long: Mapping[str, Any] | None = None

    def at_length(self) -> "Row":
        """The row of the long run; raises ValidationError if `long` does not fit."""
        if self.long is None:
            return self
        said = self.model_dump(exclude={"long"})
        for name, part in self.long.items():
            said[name] = {**said[name], **part} if isinstance(said.get(name), dict) else part
        return Row.model_validate(said)


def read_row(file: Path) -> Row:
    """One row; raises ConfigError as `declared`."""
    return declared(file, Row)


def declared(file: Path, kind: type[_Declared], **more: object) -> _Declared:
    """What a YAML file declares, and further members.

    Raises:
        ConfigError: in one sentence that names the file and the member that is wrong.
    """
    try:
        members: dict[str, Any] = yaml.safe_load(file.read_bytes()) or {}
        return checked(kind, {**members, **more}, file.name)
    except yaml.YAMLError as problem:
        raise ConfigError(f"{file.name}: no YAML ({getattr(problem, 'problem', 'unreadable')})") from None
    except TypeError:
        raise ConfigError(f"{file.name}: no YAML mapping") from None


def checked(kind: type[_Declared], members: object, name: str) -> _Declared:
    """These members as a value; raises ConfigError that names what they are of, and the one that is wrong."""
    try:
        return kind.model_validate(members)
    except ValidationError as problem:
        first = problem.errors()[0]
        raise ConfigError(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def read_rows(folder: Path) -> list[Row]:
    """All rows of a folder in the scorecard's order."""
    return sorted((read_row(file) for file in folder.glob("*.yaml")), key=lambda row: place_of(row.row))


def place_of(name: str) -> tuple[int, str]:
    """Where a row stands in the scorecard, by its name."""
    digits = "".join(letter for letter in name if letter.isdigit())
    return int(digits), name
