"""What kind of installation a row needs, as data: one YAML file in tests/fault/worlds. Pure but for reading it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from ringback_common.errors import ConfigError

from ringback_faults.row import Declared, declared

__all__ = ["Disk", "Process", "WorldKind", "read_world"]

Process = Literal["simulator", "webhook", "keeper", "enricher", "store"]
Disk = Literal["broker", "postgres"]


class WorldKind(Declared):
    """A kind of installation.

    Attributes:
        name: the file's.
        tenants: how many the simulator has.
        time_scale: how much faster Graph's slowness passes.
        one_partition: the tenants' ids are such that all their fetch requests lie in one partition of each lane; as a
            rule they lie apart, and no call waits behind another.
        brokers: Kafka nodes; with three, topics are replicated to all and two must have a record.
        tenant_budget: requests in 20 s that all processes together may send for one tenant, instead of Graph's 1,500.
        pairs: webhook, enricher and store run twice: groups have two members, the webhooks share the tenants.
        proxied: every connection between two processes goes through a proxy of the harness (`links`).
        beside: another installation runs on the same broker and the same PostgreSQL: its own processes and tenants, a
            topic prefix, a database of its own. Its settings are the same.
        namespaces: services have networks of their own that can be cut (`network`); needs the right to make them.
        points: services can be made to die between two of their own steps (`points`).
        clocks: services' wall clocks can be set (`clocks`); their monotonic clocks cannot.
        memory_mib: the kernel ends a process that needs more.
        disks: MiB of the file system that the server's data are on, which can be filled (`disks`).
        sites: the enricher knows the sites that the simulator's people are at.
        without: processes to leave out.
        env: settings on top, by process.
        broker_properties: Kafka's, over the usual ones.
        store_settings: PostgreSQL's, over the usual ones.
    """

    name: str
    tenants: Annotated[int, Field(ge=1)] = 3
    time_scale: Annotated[float, Field(gt=0)] = 60.0
    tenant_budget: Annotated[int, Field(ge=100)] | None = None
    one_partition: bool = False
    brokers: Literal[1, 3] = 1
    pairs: bool = False
    proxied: bool = False
    beside: bool = False
    namespaces: bool = False
    points: bool = False
    clocks: bool = False
    memory_mib: Mapping[Process, Annotated[int, Field(ge=16)]] = Field(default_factory=dict[Process, int])
    sites: bool = False
    disks: Mapping[Disk, Annotated[int, Field(ge=64)]] = Field(default_factory=dict[Disk, int])
    without: tuple[Process, ...] = ()
    env: Mapping[Process, Mapping[str, str]] = Field(default_factory=dict[Process, Mapping[str, str]])
    broker_properties: Mapping[str, str] = Field(default_factory=dict[str, str])
    store_settings: Mapping[str, str] = Field(default_factory=dict[str, str])

    @model_validator(mode="after")
    def _links_know_one_process_of_each_service(self) -> Self:
        if self.pairs and (self.proxied or self.namespaces):
            raise ValueError("pairs cannot be proxied: the second processes would be past the links")
        return self


def read_world(folder: Path, name: str) -> WorldKind:
    """One kind; raises ConfigError with one sentence that names the file and the member that is wrong."""
    file = folder / f"{name}.yaml"
    if not file.exists():
        raise ConfigError(f"there is no world {name!r}: {file} is missing")
    return declared(file, WorldKind, name=name)
