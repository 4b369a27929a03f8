"""The tenants file: which tenants are served, with which app, in which cloud. Re-read when it changes."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ringback_common import logs
from ringback_common.errors import ConfigError

from ringback_graph.countries import Country

__all__ = ["Certificate", "Credential", "ManagedIdentity", "Tenant", "TenantsFile", "read_tenants"]

log = logs.logger(__name__)

CLOUDS = {
    "global": ("https://graph.microsoft.com", "https://login.microsoftonline.com"),
    "gcc-high": ("https://graph.microsoft.us", "https://login.microsoftonline.us"),
    "dod": ("https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
}
"""Graph root and authority of each cloud that has call records (Microsoft's national cloud deployments page)."""

_GUID = r"^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$"


def _origin(value: str) -> str:
    split = urlsplit(value)
    if split.scheme != "https" or not split.hostname or "@" in split.netloc:
        raise ValueError("must be https://host[:port]")
    if split.path.strip("/") or split.query or split.fragment:
        raise ValueError("must be https://host[:port] without a path")
    if split.hostname.count(":"):
        raise ValueError("must name a host, not an IPv6 address: the guard of next links knows no brackets")
    return f"https://{split.netloc.lower().removesuffix(':443')}"


def _address(value: str) -> str:
    split = urlsplit(value)
    if split.scheme not in {"https", "http"} or not split.hostname or "@" in split.netloc or split.fragment:
        raise ValueError("must be an absolute URL without user information")
    return value


Origin = Annotated[str, AfterValidator(_origin)]
Address = Annotated[str, AfterValidator(_address)]
Guid = Annotated[str, Field(pattern=_GUID)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Certificate(_Closed):
    """A client certificate: a PFX file, or a PEM private key with its PEM certificate."""

    pfx_file: Path | None = None
    private_key_file: Path | None = None
    certificate_file: Path | None = None
    passphrase_file: Path | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "Certificate":
        pem = self.private_key_file is not None and self.certificate_file is not None
        if pem == (self.pfx_file is not None) or (self.pfx_file is None and not pem):
            raise ValueError("give pfx_file, or private_key_file and certificate_file")
        return self


class ManagedIdentity(_Closed):
    """The identity of the machine; with `client_id` a user-assigned one."""

    client_id: str | None = None


class Credential(_Closed):
    """How the app proves itself to the authority: exactly one way, by a file or the platform, never by a value."""

    secret_file: Path | None = None
    certificate: Certificate | None = None
    federated_token_file: Path | None = None
    managed_identity: ManagedIdentity | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Credential":
        ways = (self.secret_file, self.certificate, self.federated_token_file, self.managed_identity)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("give exactly one of secret_file, certificate, federated_token_file, managed_identity")
        return self


class Tenant(_Closed):
    """One tenant as the tenants file describes it."""

    tenant_id: Guid
    client_id: str = Field(min_length=1, max_length=128)
    graph_url: Origin
    """Graph's root, from `cloud` if the file names one."""
    authority_url: Origin
    """Where tokens come from, without the tenant."""
    credential: Credential
    notification_url: Address = Field(repr=False)
    """May hold a secret path or a gateway's key, as may the one below."""
    lifecycle_url: Address | None = Field(default=None, repr=False)
    """Without it lifecycle notifications go to `notification_url`'s sibling; the keeper decides."""
    countries: tuple[Country, ...] = ()
    """Where its people dial from, ISO 3166-1 alpha-2: what numbers are emergency numbers."""
    budget: int = Field(default=1500, ge=100, le=10_000)
    """Requests in 20 s that Ringback may use of this tenant; Graph grants an app 1,500 (throttling-limits).

    Of 100 the keeper's 4 % are one request in 7 s; with less a subscription could not be looked after.
    """

    @model_validator(mode="before")
    @classmethod
    def _from_cloud(cls, members: Any) -> Any:
        if not isinstance(members, dict):
            return members
        given = dict(cast("dict[str, Any]", members))
        if isinstance(given.get("tenant_id"), str):
            given["tenant_id"] = given["tenant_id"].lower()
        if "graph_url" in given or "authority_url" in given:
            if "cloud" in given:
                raise ValueError("give cloud, or graph_url and authority_url, not both")
            return given
        cloud = given.pop("cloud", "global")
        if cloud not in CLOUDS:
            raise ValueError(f"cloud must be one of {', '.join(CLOUDS)}")
        given["graph_url"], given["authority_url"] = CLOUDS[cloud]
        return given


class _File(_Closed):
    version: Literal[1] = 1
    tenants: list[dict[str, Any]]


def read_tenants(path: Path) -> dict[str, Tenant]:
    """Every tenant of a file by its id; relative file names in it count from the file's folder.

    Raises:
        ConfigError: one sentence that names the file, the tenant and the field.
    """
    tenants: dict[str, Tenant] = {}
    for position, entry in enumerate(_entries(path), start=1):
        tenant = _tenant(path, position, _with_folder(entry, path.parent))
        if tenant.tenant_id in tenants:
            raise ConfigError(f"{path}: tenant {tenant.tenant_id} is named twice.")
        tenants[tenant.tenant_id] = tenant
    return tenants


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path}: the tenants file cannot be read.") from None
    except yaml.YAMLError as invalid:
        mark = getattr(invalid, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}: not valid YAML{place}.") from None
    try:
        return _File.model_validate(content).tenants
    except ValidationError as invalid:
        raise ConfigError(f"{path}: {_mistake(invalid, 'the file')}.") from None


def _tenant(path: Path, position: int, entry: dict[str, Any]) -> Tenant:
    try:
        return Tenant.model_validate(entry)
    except ValidationError as invalid:
        name = entry.get("tenant_id")
        shown = name.lower() if isinstance(name, str) and re.match(_GUID, name.lower()) else f"number {position}"
        raise ConfigError(f"{path}: tenant {shown}: {_mistake(invalid, 'the entry')}.") from None


def _mistake(invalid: ValidationError, whole: str) -> str:
    first = invalid.errors(include_input=False, include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or whole
    return f"{field}: {first['msg'].removeprefix('Value error, ').rstrip('.')}"


def _with_folder(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The entry with every `..._file` made absolute."""
    placed: dict[str, Any] = {}
    for name, value in entry.items():
        if isinstance(value, dict):
            placed[name] = _with_folder(cast("dict[str, Any]", value), folder)
        elif name.endswith("_file") and isinstance(value, str):
            placed[name] = folder / value
        else:
            placed[name] = value
    return placed


class TenantsFile:
    """The tenants as the file names them now. A later mistake in the file changes nothing and stands in `problem`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tenants: dict[str, Tenant] = {}
        self._stamp: tuple[int, int, int] | None = None
        self.problem: str | None = None
        """The sentence of the mistake that keeps a changed file from being used."""

    def load(self) -> None:
        """Read the file for the first time.

        Raises:
            ConfigError: as `read_tenants`, with the setting before it.
        """
        self._stamp = self._stamp_now()
        try:
            self._tenants = read_tenants(self._path)
        except ConfigError as mistake:
            raise ConfigError(f"RINGBACK_TENANTS_FILE: {mistake}") from None

    def reload(self) -> bool:
        """Read the file again if it changed; True if the tenants are others than before."""
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            tenants = read_tenants(self._path)
        except ConfigError as mistake:
            self.problem = str(mistake)
            log.error("The tenants file has a mistake; the tenants stay as they were.", setting="TENANTS_FILE")  # noqa: TRY400 - the sentence is in `problem`, a traceback says nothing
            return False
        self.problem = None
        changed, self._tenants = tenants != self._tenants, tenants
        return changed

    def get(self, tenant_id: str) -> Tenant | None:
        """The tenant of this id (lower case), if the file names it."""
        return self._tenants.get(tenant_id)

    def all(self) -> Mapping[str, Tenant]:
        """Every tenant by its id."""
        return self._tenants

    async def follow(self, seconds: float = 5.0) -> None:
        """Re-read the file whenever it has changed, for ever; run it as a task."""
        while True:
            await asyncio.sleep(seconds)
            if await asyncio.to_thread(self.reload):
                log.info("The tenants file changed.", count=len(self._tenants))

    def _stamp_now(self) -> tuple[int, int, int] | None:
        # A mounted secret is replaced by renaming, so the inode changes even where size and time do not.
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
