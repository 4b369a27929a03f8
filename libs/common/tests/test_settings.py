"""Settings: read once, refused in one sentence."""

import json
from base64 import b64decode, urlsafe_b64decode
from pathlib import Path

import pytest
from ringback_common.errors import ConfigError
from ringback_common.settings import ProcessSettings, Section, StoreSettings, load, read_secret, refuse_dev_keys, unread


class StoreSection(Section):
    """A section with a secret."""

    dsn: str


class Example(ProcessSettings):
    """A process with a section of its own."""

    store: StoreSection = StoreSection(dsn="postgres://u:hush@h/d")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least a process needs."""
    monkeypatch.setenv("RINGBACK_KAFKA__BOOTSTRAP_SERVERS", "localhost:9092")
    monkeypatch.setenv("RINGBACK_KAFKA__SECURITY_PROTOCOL", "SSL")
    monkeypatch.setenv("RINGBACK_INSTALLATION_ID", "test")


def test_defaults_are_production() -> None:
    """A process without these settings runs in production at real time."""
    settings = load(Example)
    assert (settings.profile, settings.time_scale, settings.kafka.topic_prefix) == ("production", 1.0, "")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("RINGBACK_KAFKA__BOOTSTRAP_SERVERS", None, "RINGBACK_KAFKA__BOOTSTRAP_SERVERS is not set."),
        ("RINGBACK_INSTALLATION_ID", None, "RINGBACK_INSTALLATION_ID is not set."),
        ("RINGBACK_ADMIN__PORT", "http", "RINGBACK_ADMIN__PORT is not usable: "),
        ("RINGBACK_KAFKA__SECURITY_PROTOCOL", "TLS", "RINGBACK_KAFKA__SECURITY_PROTOCOL is not usable: input "),
        ("RINGBACK_PROFILE", "prod", "RINGBACK_PROFILE is not usable: input should be 'dev' or 'production'."),
        ("RINGBACK_TELEMETRY__LOG_LEVEL", "info", "RINGBACK_TELEMETRY__LOG_LEVEL is not usable: input should be 'D"),
        ("RINGBACK_KAFKA__BOOTSTRAP_SERVER", "x:1", "RINGBACK_KAFKA__BOOTSTRAP_SERVER is not "),
        ("RINGBACK_STORE__DNS", "postgres://u:hush@h/d", "RINGBACK_STORE__DNS is not "),
        ("RINGBACK_TIME_SCALE", "60", "RINGBACK_TIME_SCALE is for the dev profile only"),
        ("RINGBACK_INSTALLATION_ID", "change-me", "RINGBACK_INSTALLATION_ID is still the placeholder change-me: "),
        ("RINGBACK_INSTALLATION_ID", "Change-Me", "RINGBACK_INSTALLATION_ID is still the placeholder change-me: "),
        ("RINGBACK_KAFKA", "{", "A RINGBACK_ setting cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None, sentence: str
) -> None:
    """Each operator's mistake is named, and no value is quoted."""
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load(Example)
    assert str(caught.value).startswith(sentence)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_development_may_keep_the_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its subscriptions are the simulator's."""
    monkeypatch.setenv("RINGBACK_INSTALLATION_ID", "change-me")
    monkeypatch.setenv("RINGBACK_PROFILE", "dev")
    assert load(Example).installation_id == "change-me"


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT", None])
def test_production_refuses_a_kafka_without_encryption(monkeypatch: pytest.MonkeyPatch, protocol: str | None) -> None:
    """The default among them; a network that is protected otherwise is said, and development needs no word."""
    if protocol is None:
        monkeypatch.delenv("RINGBACK_KAFKA__SECURITY_PROTOCOL")
    else:
        monkeypatch.setenv("RINGBACK_KAFKA__SECURITY_PROTOCOL", protocol)
    with pytest.raises(ConfigError, match=r"^RINGBACK_KAFKA__SECURITY_PROTOCOL is \S*PLAINTEXT.*ALLOW_PLAINTEXT=true"):
        load(Example)
    monkeypatch.setenv("RINGBACK_PROFILE", "dev")
    assert load(Example).profile == "dev"
    monkeypatch.delenv("RINGBACK_PROFILE")
    monkeypatch.setenv("RINGBACK_KAFKA__ALLOW_PLAINTEXT", "true")
    assert load(Example).kafka.allow_plaintext


def test_a_variable_that_no_process_reads_is_found() -> None:
    """A misspelt section, a forgotten underscore; neither another process' setting nor another program's."""
    misspelt = ["RINGBACK_KAFKA_TOPIC_PREFIX", "RINGBACK_TELEMETRI__LOG_LEVEL", "ringback_profil"]
    read = ["RINGBACK_SITES_FILE", "RINGBACK_WEBHOOK__PORT", "ringback_profile", "PATH", "MY_RINGBACK_X"]
    assert unread([*read, *misspelt]) == misspelt


@pytest.mark.parametrize(("profile", "key_id"), [("dev", "dev1"), ("dev", "k1"), ("production", "k1")])
def test_a_key_of_ones_own_may_be_used(profile: str, key_id: str) -> None:
    """Keys for development serve development, others serve everywhere."""
    refuse_dev_keys({key_id: b"of one's own"}, profile, "RINGBACK_X")


def test_a_key_for_development_is_refused_in_production() -> None:
    """Its secret stands in the repository, whichever place it has in the file."""
    with pytest.raises(ConfigError, match=r"RINGBACK_X .* RINGBACK_PROFILE=dev"):
        refuse_dev_keys({"k1": b"own", "dev1": b"another"}, "production", "RINGBACK_X")


def test_the_repository_s_keys_are_refused_under_any_name() -> None:
    """A copy of the file with another key id is as public as before."""
    folder = Path(__file__).parents[3] / "deploy" / "docker" / "dev"
    client_state = json.loads((folder / "client-state-keys.json").read_text())["keys"][0]["secret"]
    pseudonyms = json.loads((folder / "pseudonym-keys.json").read_text())["keys"]["dev1"]["key"]
    for key in (urlsafe_b64decode(f"{client_state}="), b64decode(pseudonyms)):
        refuse_dev_keys({"k1": key}, "dev", "RINGBACK_X")
        with pytest.raises(ConfigError, match=r"RINGBACK_X .* RINGBACK_PROFILE=dev"):
            refuse_dev_keys({"k1": key}, "production", "RINGBACK_X")


def test_a_secret_is_the_stripped_content_of_a_file(tmp_path: Path) -> None:
    """Editors add a newline; the secret has none."""
    (tmp_path / "secret").write_text("hush\n")
    assert read_secret(tmp_path / "secret", "RINGBACK_X") == "hush"


@pytest.mark.parametrize("in_a_file", [True, False])
def test_a_password_for_development_is_refused_in_production(tmp_path: Path, *, in_a_file: bool) -> None:
    """Everybody can read the compose file's; the sentence does not repeat it."""
    dsn = "postgresql://ringback:dev-only-password@h/d"
    (tmp_path / "dsn").write_text(dsn)
    store = StoreSettings(dsn_file=tmp_path / "dsn") if in_a_file else StoreSettings(dsn=dsn)
    assert store.connection_string("dev") == dsn
    with pytest.raises(ConfigError, match=r"^RINGBACK_STORE__DSN .* RINGBACK_PROFILE=dev\.$") as caught:
        store.connection_string("production")
    assert "dev-only" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_missing_or_empty_secret_names_the_setting(tmp_path: Path, content: str | None) -> None:
    """An operator learns which setting names the bad file."""
    if content is not None:
        (tmp_path / "secret").write_text(content)
    with pytest.raises(ConfigError, match="RINGBACK_X names"):
        read_secret(tmp_path / "secret", "RINGBACK_X")
