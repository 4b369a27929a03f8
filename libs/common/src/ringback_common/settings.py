"""Settings: one frozen model per process, read once from the environment in its composition.

Every variable starts with `RINGBACK_` and nests by `__`: `RINGBACK_KAFKA__BOOTSTRAP_SERVERS`. Secrets are never values,
only names of files.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ringback_common.errors import ConfigError
from ringback_common.otlp import is_collector

__all__ = [
    "HEADS",
    "AdminSettings",
    "EnvironmentSettings",
    "KafkaSettings",
    "LimitsSettings",
    "ProcessSettings",
    "Section",
    "StoreSettings",
    "TelemetrySettings",
    "load",
    "read_secret",
    "refuse_dev_keys",
    "unread",
]

PREFIX = "RINGBACK_"
_MIB = 1024 * 1024

HEADS = frozenset({
    "ADMIN", "GRAPH", "INSTALLATION_ID", "KAFKA", "LIMITS", "PRIVACY", "PROFILE", "PUT_ASIDE_SECONDS", "RULES",
    "SITES_FILE", "STORE", "TELEMETRY", "TENANTS_FILE", "TIME_SCALE", "WEBHOOK",
})  # fmt: skip
"""How the names go on that any process reads, up to the first `__`: processes share environments, and what another one
reads is no mistake. tests/contract compares it with the settings classes, which this package may not import."""

_PLACEHOLDER = "change-me"
"""The installation id of the manifests in the repository, which are to be changed before they are used: two
installations with one id would take each other's subscriptions for their own."""

_DEV_MARK = "dev-only-"
"""How the passwords of deploy/docker/dev begin."""

_DEV_KEYS = frozenset(
    {
        "3ca40c532a1f4e85effa8d83c49108b2bbb3bbcb47361b23d68cd10526e0c7e9",
        "d214c2f7e3f1572a001df4f940fb3122f54feb7394922c4a3d140b423cb68c1f",
    }
)
"""SHA-256 of the keys in deploy/docker/dev, for a file that was copied and given other ids."""

_Settings = TypeVar("_Settings", bound="EnvironmentSettings")


class Section(BaseModel):
    """Base of a nested group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class KafkaSettings(Section):
    """Where Kafka is and how to speak to it."""

    bootstrap_servers: str
    """`host:port`, several separated by commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the connection is protected. Outside the dev profile the two without TLS need `ALLOW_PLAINTEXT`."""
    allow_plaintext: bool = False
    """Lets production speak to Kafka without TLS. For a network that encrypts by itself, such as a mesh: what goes by
names people."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """How the user is proved, with one of the SASL protocols."""
    sasl_username: str | None = None
    """The user, with one of the SASL protocols."""
    sasl_password_file: Path | None = None
    """A file that holds the user's password."""
    ssl_cafile: Path | None = None
    """PEM file of the certificate authorities to trust; without it the system's."""
    ssl_certfile: Path | None = None
    """PEM file of the client certificate."""
    ssl_keyfile: Path | None = None
    """PEM file of the client certificate's key."""
    topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    """Put before every topic name and every consumer group's id, for installations that share a cluster."""

    @property
    def servers(self) -> list[str]:
        """The bootstrap servers one by one: not every client library takes them joined by commas."""
        return [server.strip() for server in self.bootstrap_servers.split(",") if server.strip()]


class AdminSettings(Section):
    """Where liveness, readiness and metrics are served; never routed to the outside."""

    host: str = "0.0.0.0"  # noqa: S104 - a pod's probes come from the node
    """Address to listen on."""
    port: int = Field(default=9090, ge=0, le=65535)
    """Serves `/livez`, `/readyz` and `/metrics`; 0 takes a free one."""


class TelemetrySettings(Section):
    """Logs and traces."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level that is written."""
    otlp_endpoint: str | None = None
    """Where traces go: the base URL of a collector, OTLP over HTTP, e.g. `http://collector:4318`; `/v1/traces` is \
appended, as OpenTelemetry's specification says. Without it none are made."""
    trace_ratio: float = Field(default=0.01, ge=0, le=1)
    """Share of the traces that is kept."""

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_a_collector(cls, endpoint: str | None) -> str | None:
        """Refuse what spans could never reach: it would show as an export that fails for ever."""
        if endpoint is not None and not is_collector(endpoint):
            raise ValueError(
                "it takes the base URL of a collector such as http://collector:4318, "
                "without user, query, blank or the path of another signal"
            )
        return endpoint


class StoreSettings(Section):
    """Where PostgreSQL is: a connection string, or the file that holds it."""

    dsn: str | None = Field(default=None, pattern=r"^postgres(ql)?://")
    """A connection string; exactly one of this and `DSN_FILE`, which is the place for one with a password."""
    dsn_file: Path | None = None
    """A file that holds the connection string."""

    def connection_string(self, profile: str) -> str:
        """The DSN to connect with.

        Raises:
            ConfigError: neither or both are set, the file cannot be read, or outside the dev profile the password is
                the compose file's, which is public with the repository.
        """
        if (self.dsn is None) == (self.dsn_file is None):
            raise ConfigError("Set exactly one of RINGBACK_STORE__DSN and RINGBACK_STORE__DSN_FILE.")
        dsn = self.dsn or read_secret(self.dsn_file or Path(), "RINGBACK_STORE__DSN_FILE")
        if profile != "dev" and _DEV_MARK in dsn:
            raise ConfigError(
                "RINGBACK_STORE__DSN or its file holds the password for development: "
                "make one of your own or set RINGBACK_PROFILE=dev."
            )
        return dsn


class LimitsSettings(Section):
    """How large a record may be, and how much memory everything in hand may take together."""

    record_bytes: int = Field(default=40 * _MIB, ge=_MIB, le=64 * _MIB)
    """Bytes of Graph's JSON, all pages of a record together; a larger record is dead-lettered `too_large` before \
anything of it is published. The same for enricher, store and re-derivation."""
    in_hand_bytes: int = Field(default=512 * _MIB, ge=_MIB)
    """Bytes of memory that everything in hand may take: what is read, derived, encoded and not yet acknowledged, or
made into rows. A re-derivation has one large record in hand at a time, whatever this says."""

    @property
    def published_bytes(self) -> int:
        """Bytes of the largest record that is published, and stored: Graph's JSON is in it, and what is derived of it.

        Measured of meetings: 1.7 to 2.13 times Graph's JSON; a test holds both sides of it.
        """
        return self.record_bytes * 5 // 2

    def require(self, times: int, beside: int = 0) -> None:
        """Make sure that the largest record fits into the bytes in hand.

        Args:
            times: bytes of memory that a process needs for each byte of the largest record.
            beside: bytes that it needs for smaller ones meanwhile.

        Raises:
            ConfigError: it does not, and would wait for ever.
        """
        if self.in_hand_bytes < times * self.record_bytes + beside:
            more = f" and {beside // _MIB} MiB more" if beside else ""
            raise ConfigError(
                f"RINGBACK_LIMITS__IN_HAND_BYTES must be at least {times} times RINGBACK_LIMITS__RECORD_BYTES{more}: "
                "raise the one or lower the other."
            )


class EnvironmentSettings(BaseSettings):
    """Base of everything that is read from the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    profile: Literal["dev", "production"] = "production"
    """What is meant for development alone needs `dev`."""
    time_scale: float = Field(default=1.0, ge=1.0)
    """Divides the waits that stand for Graph's slowness; `dev` only."""


class ProcessSettings(EnvironmentSettings):
    """What every process needs to know; a process adds its own sections in a subclass."""

    kafka: KafkaSettings
    admin: AdminSettings = AdminSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    installation_id: str = Field(pattern=r"^[A-Za-z0-9-]{1,40}$")
    """Tells this installation's subscriptions from another's of the same app; never changed afterwards."""


def load(settings: type[_Settings]) -> _Settings:
    """Read the settings of a process from the environment.

    Raises:
        ConfigError: a variable is missing, misspelt or unusable; the sentence names it and never quotes its value.
    """
    try:
        loaded = settings()  # pyright: ignore[reportCallIssue] - the environment fills the fields
    except ValidationError as invalid:
        raise ConfigError(_sentence(settings, invalid)) from None
    except ValueError:
        raise ConfigError(
            f"A {PREFIX} setting cannot be read; nested settings are written like RINGBACK_KAFKA__TOPIC_PREFIX."
        ) from None
    if loaded.time_scale != 1 and loaded.profile != "dev":
        raise ConfigError("RINGBACK_TIME_SCALE is for the dev profile only: remove it or set RINGBACK_PROFILE=dev.")
    if isinstance(loaded, ProcessSettings):
        _refuse_placeholder(loaded)
    kafka: object = getattr(loaded, "kafka", None)
    if isinstance(kafka, KafkaSettings) and loaded.profile != "dev":
        _refuse_plaintext(kafka)
    return loaded


def _refuse_placeholder(settings: ProcessSettings) -> None:
    if settings.profile != "dev" and settings.installation_id.lower() == _PLACEHOLDER:
        raise ConfigError(
            f"RINGBACK_INSTALLATION_ID is still the placeholder {_PLACEHOLDER}: "
            "give this installation a name of its own and keep it."
        )


def _refuse_plaintext(kafka: KafkaSettings) -> None:
    if "PLAINTEXT" in kafka.security_protocol and not kafka.allow_plaintext:
        raise ConfigError(
            f"RINGBACK_KAFKA__SECURITY_PROTOCOL is {kafka.security_protocol}, and records name people: "
            "set SSL or SASL_SSL, or RINGBACK_KAFKA__ALLOW_PLAINTEXT=true where the network itself encrypts."
        )


def unread(names: Iterable[str]) -> list[str]:
    """The names that begin with `RINGBACK_` and that no process reads, such as misspelt ones; sorted."""
    ours = (name for name in names if name.upper().startswith(PREFIX))
    return sorted(name for name in ours if name.upper().removeprefix(PREFIX).partition("__")[0] not in HEADS)


def _sentence(settings: type[EnvironmentSettings], invalid: ValidationError) -> str:
    """The most telling of the mistakes: a misspelt name explains a missing one."""
    mistakes = invalid.errors(include_input=False, include_url=False, include_context=False)
    first = min(mistakes, key=lambda mistake: mistake["type"] != "extra_forbidden")
    path = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        return f"{_variable(path)} is not a setting; known beside it: {', '.join(_known(settings, path[0]))}."
    if first["type"] == "missing":
        return f"{_variable(path + _required(settings, path))} is not set."
    return f"{_variable(path)} is not usable: {_clause(first['msg'])}."


def _clause(message: str) -> str:
    """A validator's sentence as the end of another; the values it names keep their case, for they are to be typed."""
    sentence = message.removeprefix("Value error, ").rstrip(".")
    return sentence[:1].lower() + sentence[1:]


def _variable(path: list[str]) -> str:
    return PREFIX + "__".join(path).upper()


def _section(settings: type[EnvironmentSettings], name: str) -> type[Section] | None:
    field = settings.model_fields.get(name)
    kind = field.annotation if field is not None else None
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _known(settings: type[EnvironmentSettings], name: str) -> list[str]:
    section = _section(settings, name)
    return sorted(field.upper() for field in section.model_fields) if section is not None else []


def _required(settings: type[EnvironmentSettings], path: list[str]) -> list[str]:
    """A whole section is missing: name the first variable it needs."""
    section = _section(settings, path[0]) if len(path) == 1 else None
    return [name for name, field in section.model_fields.items() if field.is_required()][:1] if section else []


def read_secret(path: Path, setting: str) -> str:
    """The content of a secret file, UTF-8, without white space around it.

    Args:
        path: the file.
        setting: the variable that names it, for the error's sentence.

    Raises:
        ConfigError: the file cannot be read or is empty; the sentence names the setting, never the content.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{setting} names a file that cannot be read: {path}.") from None
    if not secret:
        raise ConfigError(f"{setting} names an empty file: {path}.")
    return secret


def refuse_dev_keys(keys: Mapping[str, bytes], profile: str, setting: str) -> None:
    """Refuse keys made for development outside the dev profile, for they are public with the repository.

    Such a key is known by an id that begins with `dev`, or by its SHA-256 whatever its id is.

    Args:
        keys: the keys by id.
        profile: of the process' settings.
        setting: the variable that names the keys file, for the error's sentence.

    Raises:
        ConfigError: one of them is to be used outside the dev profile.
    """
    if profile == "dev":
        return
    if any(key_id.startswith("dev") or _is_of_the_repository(key) for key_id, key in keys.items()):
        raise ConfigError(
            f"{setting} holds a key for development (its id begins with dev, or it is one of the repository's): "
            "make one of your own or set RINGBACK_PROFILE=dev."
        )


def _is_of_the_repository(secret: bytes) -> bool:
    digest = hashlib.sha256(secret).hexdigest()
    return any(hmac.compare_digest(digest, known) for known in _DEV_KEYS)
