"""The files of a run are what the services read, and the owner's alone."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from ringback_events.tokens import TokenKeys
from ringback_graph.tenants import read_tenants
from ringback_ingest.client_state import keys_of
from ringback_local.run_folder import make_run_folder, tenants_of, write_secrets
from ringback_local.sites import SITES, write_sites
from ringback_local.specs import Addresses, Secrets, process_specs

ADDRESSES = Addresses(
    bootstrap_servers="127.0.0.1:18001",
    topic_prefix="x.",
    graph_port=18002,
    control_port=18003,
    webhook_port=18004,
    admin_ports={"store": 18005, "enricher": 18006, "webhook": 18007, "keeper": 18008},
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder below the test's own."""
    monkeypatch.setenv("RINGBACK_LOCAL_FOLDER", str(tmp_path))
    return make_run_folder()


@pytest.fixture
def secrets(folder: Path) -> Secrets:
    """The files of a run with three tenants."""
    return write_secrets(folder, tenants_of(seed=7, count=3), ADDRESSES, "postgresql://u:pw@127.0.0.1/x")


def test_nobody_else_can_read_anything(folder: Path, secrets: Secrets) -> None:
    """Folders are 0700, files 0600."""
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_the_services_own_readers_accept_the_files(secrets: Secrets) -> None:
    """Tenants, clientState keys and pseudonym keys are read by the code that reads them in earnest."""
    tenants = read_tenants(secrets.tenants)
    assert sorted(tenants) == sorted(tenant.tenant_id for tenant in tenants_of(seed=7, count=3))
    assert {tenant.graph_url for tenant in tenants.values()} == {"https://localhost:18002"}
    assert {tenant.notification_url for tenant in tenants.values()} == {"http://127.0.0.1:18004/graph/notifications"}
    assert (
        keys_of(secrets.client_state_keys.read_bytes(), "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE").active.kid
        == "local"
    )
    assert TokenKeys.model_validate(orjson.loads(secrets.pseudonym_keys.read_bytes())).active == "local"


def test_simulator_and_services_share_each_tenants_secret(secrets: Secrets) -> None:
    """What the simulator expects is what the tenant's secret file holds."""
    known = orjson.loads(secrets.simulator_tenants.read_bytes())["tenants"]
    tenants = read_tenants(secrets.tenants)
    for tenant in known:
        file = tenants[tenant["tenantId"]].credential.secret_file
        assert file is not None
        assert file.read_text() == tenant["clientSecret"]


def test_tenants_follow_from_the_seed_and_their_secrets_do_not() -> None:
    """A run can be repeated; its credentials cannot."""
    first, again, other = tenants_of(1, 2), tenants_of(1, 2), tenants_of(2, 2)
    assert [tenant.tenant_id for tenant in first] == [tenant.tenant_id for tenant in again]
    assert {tenant.tenant_id for tenant in first}.isdisjoint(tenant.tenant_id for tenant in other)
    assert {tenant.client_secret for tenant in first}.isdisjoint(tenant.client_secret for tenant in again)


def test_each_service_is_given_its_own_secrets_only(secrets: Secrets) -> None:
    """The webhook gets no Graph credential, the store none either, and nobody else the store's DSN."""
    specs = {spec.name: spec for spec in process_specs(ADDRESSES, secrets, time_scale=60.0, seed=1)}
    readers = {
        "RINGBACK_TENANTS_FILE": {"enricher", "keeper"},
        "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE": {"webhook", "keeper"},
        "RINGBACK_PRIVACY__KEYS_FILE": {"enricher"},
        "RINGBACK_STORE__DSN_FILE": {"store"},
    }
    for setting, allowed in readers.items():
        assert {name for name, spec in specs.items() if setting in spec.env} == allowed
    assert not any("pw@" in value for spec in specs.values() for value in spec.env.values())


def test_the_enricher_alone_is_given_the_sites_if_there_are_any(secrets: Secrets, folder: Path) -> None:
    """Where an installation has none, as most tests' have not, the setting is not set."""
    mapped = replace(secrets, sites=write_sites(folder, SITES))
    for given, allowed in ((secrets, set[str]()), (mapped, {"enricher"})):
        specs = process_specs(ADDRESSES, given, time_scale=60.0, seed=1)
        assert {spec.name for spec in specs if "RINGBACK_SITES_FILE" in spec.env} == allowed


def test_every_process_comes_after_one_named_before_it(secrets: Secrets) -> None:
    """The order of the specs is an order of starting, so its reverse is one of stopping."""
    seen: set[str] = set()
    for spec in process_specs(ADDRESSES, secrets, time_scale=60.0, seed=1):
        assert seen.issuperset(spec.after)
        seen.add(spec.name)


NOBODY = 4_194_305
"""One more than the greatest process id that Linux gives away."""


def test_only_the_newest_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An eleventh run removes the oldest and nothing else."""
    monkeypatch.setenv("RINGBACK_LOCAL_FOLDER", str(tmp_path))
    old = [tmp_path / f"run-2020010{number}T000000-{NOBODY}" for number in range(1, 10)]
    for run in [*old, tmp_path / f"run-20191231T000000-{NOBODY}"]:
        run.mkdir()
    newest = make_run_folder()
    assert sorted(tmp_path.glob("run-*")) == [*old, newest]


def test_a_run_that_goes_on_keeps_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many runs begin beside it, the secrets of a living one are not taken from it."""
    monkeypatch.setenv("RINGBACK_LOCAL_FOLDER", str(tmp_path))
    living = tmp_path / f"run-20191231T000000-{os.getpid()}"
    for run in [living, *(tmp_path / f"run-2020010{number}T000000-{NOBODY}" for number in range(1, 10))]:
        run.mkdir()
    make_run_folder()
    assert living.is_dir()
