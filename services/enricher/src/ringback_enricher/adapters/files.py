"""The site map and the pseudonym keys, from their files."""

from pathlib import Path

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from ringback_common.errors import ConfigError
from ringback_common.settings import read_secret, refuse_dev_keys
from ringback_events.tokens import TokenKeys

from ringback_enricher.core.derive.sites import SiteMap

__all__ = ["read_sites", "read_token_keys"]

_KEYS_SETTING = "RINGBACK_PRIVACY__KEYS_FILE"
_SITES_SETTING = "RINGBACK_SITES_FILE"


class _Site(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    site: str
    subnets: list[str]


_SITES = TypeAdapter(list[_Site])


def read_token_keys(path: Path, profile: str) -> TokenKeys:
    """Read the pseudonym keys (JSON); production takes none that were made for development.

    Raises:
        ConfigError: the file cannot be read or used; the sentence quotes nothing of it.
    """
    try:
        keys = TokenKeys.model_validate(orjson.loads(read_secret(path, _KEYS_SETTING)))
    except orjson.JSONDecodeError:
        raise ConfigError(f"{_KEYS_SETTING} names a file that is no JSON: {path}.") from None
    except ValidationError as invalid:
        raise ConfigError(f"{_KEYS_SETTING} names a file that is not usable: {_mistake(invalid)}.") from None
    refuse_dev_keys({kid: master.key for kid, master in keys.keys.items()}, profile, _KEYS_SETTING)
    return keys


def read_sites(path: Path | None) -> SiteMap:
    """Read the site map (YAML: a list of `site` with its `subnets`); without a file there are no sites.

    Raises:
        ConfigError: the file cannot be read or used.
    """
    if path is None:
        return SiteMap()
    try:
        sites = _SITES.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
        return SiteMap((subnet, site.site) for site in sites for subnet in site.subnets)
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{_SITES_SETTING} names a file that cannot be read: {path}.") from None
    except yaml.YAMLError:
        raise ConfigError(f"{_SITES_SETTING} names a file that is no YAML: {path}.") from None
    except ValidationError as invalid:
        raise ConfigError(f"{_SITES_SETTING} names a file that is not usable: {_mistake(invalid)}.") from None
    except ValueError:
        raise ConfigError(f"{_SITES_SETTING} names a file with a subnet that is no network: {path}.") from None


def _mistake(invalid: ValidationError) -> str:
    first = invalid.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])} {first['msg'].lower()}".strip()
