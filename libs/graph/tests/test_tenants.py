"""The tenants file."""

import os
from pathlib import Path

import pytest
import yaml
from ringback_common.errors import ConfigError
from ringback_graph.tenants import TenantsFile, read_tenants

ID = "AAAAAAAA-2222-4333-8444-555555555555"
LOW = ID.lower()
GOOD = {
    "tenant_id": ID,
    "client_id": "app",
    "credential": {"secret_file": "secrets/app"},
    "notification_url": "https://ringback.example/graph/notifications",
}


def write(path: Path, *tenants: object) -> Path:
    """A tenants file."""
    path.write_text(yaml.safe_dump({"tenants": list(tenants)}), encoding="utf-8")
    return path


def test_a_minimal_tenant_is_in_the_global_cloud(tmp_path: Path) -> None:
    """Ids are lower case, URLs come from the cloud, files count from the file's folder."""
    tenant = read_tenants(write(tmp_path / "t.yaml", GOOD))[LOW]
    assert (tenant.graph_url, tenant.authority_url) == (
        "https://graph.microsoft.com",
        "https://login.microsoftonline.com",
    )
    assert tenant.credential.secret_file == tmp_path / "secrets/app"
    assert tenant.budget == 1500


@pytest.mark.parametrize(
    ("more", "graph", "authority"),
    [
        ({"cloud": "gcc-high"}, "https://graph.microsoft.us", "https://login.microsoftonline.us"),
        ({"cloud": "dod"}, "https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
        (
            {"graph_url": "https://LOCALHOST:8443/", "authority_url": "https://localhost:8443"},
            "https://localhost:8443",
            "https://localhost:8443",
        ),
        (
            {"graph_url": "https://a.test:443", "authority_url": "https://b.test:443/"},
            "https://a.test",
            "https://b.test",
        ),
    ],
)
def test_clouds_and_own_urls(tmp_path: Path, more: dict[str, str], graph: str, authority: str) -> None:
    """A cloud names both URLs; own URLs are origins."""
    tenant = read_tenants(write(tmp_path / "t.yaml", GOOD | more))[LOW]
    assert (tenant.graph_url, tenant.authority_url) == (graph, authority)


@pytest.mark.parametrize(
    ("written", "countries"),
    [("[DE, at]", ("DE", "AT")), ("[NO, SE]", ("NO", "SE")), ('["NO"]', ("NO",)), ("[no]", ("NO",)), ("[]", ())],
)
def test_countries_are_codes(tmp_path: Path, written: str, countries: tuple[str, ...]) -> None:
    """In either case; Norway's, which YAML reads as false, is meant by it."""
    path = write(tmp_path / "t.yaml", GOOD | {"countries": "here"})
    path.write_text(path.read_text("utf-8").replace("countries: here", f"countries: {written}"), "utf-8")
    assert read_tenants(path)[LOW].countries == countries


@pytest.mark.parametrize("written", [["UK"], ["Germany"], ["DE", True], [49], ["XX"], "DE"])
def test_what_is_no_country_is_a_mistake(tmp_path: Path, written: object) -> None:
    """A suspicion that is never raised would stay unnoticed."""
    with pytest.raises(ConfigError, match="countries"):
        read_tenants(write(tmp_path / "t.yaml", GOOD | {"countries": written}))


def test_a_tenant_s_own_urls_never_show(tmp_path: Path) -> None:
    """A secret path or gateway key in an address reaches no log by way of a repr."""
    urls = dict.fromkeys(("notification_url", "lifecycle_url"), "https://ringback.example/n?code=hunter2")
    tenant = read_tenants(write(tmp_path / "t.yaml", GOOD | urls))[LOW]
    assert "hunter2" not in repr(tenant)


@pytest.mark.parametrize(
    "credential",
    [
        {"certificate": {"pfx_file": "a.pfx", "passphrase_file": "p"}},
        {"certificate": {"private_key_file": "k.pem", "certificate_file": "c.pem"}},
        {"federated_token_file": "/var/run/token"},
        {"managed_identity": {}},
        {"managed_identity": {"client_id": "x"}},
    ],
)
def test_every_kind_of_credential_is_read(tmp_path: Path, credential: dict[str, object]) -> None:
    """Secret, certificate in two forms, federated token and managed identity."""
    tenant = read_tenants(write(tmp_path / "t.yaml", GOOD | {"credential": credential}))[LOW]
    assert tenant.credential.model_dump(exclude_none=True, exclude_defaults=True).keys() == credential.keys()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tenant_id": "contoso.com"}, "tenant_id"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": None}, "client_id"),
        ({"cloud": "china"}, "cloud"),
        ({"cloud": "global", "graph_url": "https://a.test", "authority_url": "https://a.test"}, "cloud"),
        ({"graph_url": "https://a.test"}, "authority_url"),
        ({"graph_url": "http://a.test", "authority_url": "https://a.test"}, "graph_url"),
        ({"graph_url": "https://a.test/v1.0", "authority_url": "https://a.test"}, "graph_url"),
        ({"graph_url": "https://[::1]:8443", "authority_url": "https://a.test"}, "graph_url"),
        ({"graph_url": "https://u:p@a.test", "authority_url": "https://a.test"}, "graph_url"),
        ({"credential": {}}, "credential"),
        ({"credential": {"secret": "hunter2"}}, "credential.secret"),
        ({"credential": {"secret_file": "a", "managed_identity": {}}}, "credential"),
        (
            {"credential": {"certificate": {"pfx_file": "a", "private_key_file": "b", "certificate_file": "c"}}},
            "certificate",
        ),
        ({"credential": {"certificate": {"private_key_file": "b"}}}, "certificate"),
        ({"notification_url": "ringback.example"}, "notification_url"),
        ({"notification_url": "https://hunter2@ringback.example"}, "notification_url"),
        ({"budget": 0}, "budget"),
        ({"budget": 99}, "budget"),
        ({"budjet": 10}, "budjet"),
    ],
)
def test_a_mistake_is_one_sentence_naming_file_tenant_and_field(
    tmp_path: Path, change: dict[str, object], field: str
) -> None:
    """The sentence names where to look and never quotes a value."""
    path = write(tmp_path / "t.yaml", GOOD | change)
    with pytest.raises(ConfigError) as mistake:
        read_tenants(path)
    sentence = str(mistake.value)
    assert sentence.startswith(f"{path}: tenant ")
    assert field in sentence
    assert ("tenant number 1" if "tenant_id" in change else f"tenant {LOW}") in sentence
    assert sentence.endswith(".")
    assert sentence.count("\n") == 0
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    "content", ["[", "tenants: {}", "tenants: [1]", "", "tenant: []", "tenants: []\nversion: 2", "\x00"]
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, content: str) -> None:
    """YAML and shape mistakes name the file."""
    path = tmp_path / "t.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="^" + str(path)):
        read_tenants(path)


def test_a_missing_file_and_a_repeated_tenant_are_mistakes(tmp_path: Path) -> None:
    """Neither can be served."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_tenants(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="named twice"):
        read_tenants(write(tmp_path / "t.yaml", GOOD, GOOD | {"tenant_id": LOW}))


def test_a_changed_file_is_read_again_and_a_mistake_changes_nothing(tmp_path: Path) -> None:
    """Reload sees a replaced file, keeps the old tenants over a mistake and says so, and recovers."""
    path = write(tmp_path / "t.yaml", GOOD)
    tenants = TenantsFile(path)
    tenants.load()
    assert not tenants.reload()
    other = LOW.replace("5555", "6666")
    os.replace(write(tmp_path / "new.yaml", GOOD, GOOD | {"tenant_id": other}), path)  # noqa: PTH105 - what a mount does
    assert tenants.reload()
    assert set(tenants.all()) == {LOW, other}
    write(path, GOOD | {"budget": -1})
    assert not tenants.reload()
    assert "budget" in str(tenants.problem)
    assert tenants.get(other) is not None
    path.unlink()
    assert not tenants.reload()
    write(path, GOOD)
    assert tenants.reload()
    assert tenants.problem is None
    assert tenants.get(other) is None
