"""Which certificate authorities are trusted, by Graph's connections and the authority's alike."""

import ssl
from pathlib import Path

import certifi
from ringback_common.errors import ConfigError

from ringback_graph.settings import GraphSettings

__all__ = ["authorities", "trusted"]


def authorities(settings: GraphSettings) -> Path:
    """The file or folder of the certificate authorities to trust.

    `GRAPH__CAFILE`; else the system's, as OpenSSL finds them (SSL_CERT_FILE and SSL_CERT_DIR included), to which an
    operator adds those of the company's own; on a system without any, those of certifi.
    """
    if settings.cafile is not None:
        return settings.cafile
    system = ssl.get_default_verify_paths()
    folder = Path(system.capath) if system.capath and any(Path(system.capath).iterdir()) else None
    return Path(system.cafile or folder or certifi.where())


def trusted(settings: GraphSettings) -> ssl.SSLContext:
    """The same as a TLS context.

    Raises:
        ConfigError: the file cannot be read or holds no certificate.
    """
    where = authorities(settings)
    try:
        if where.is_dir():
            return ssl.create_default_context(capath=str(where))
        return ssl.create_default_context(cafile=str(where))
    except (OSError, ssl.SSLError):
        named = "RINGBACK_GRAPH__CAFILE" if settings.cafile else "SSL_CERT_FILE, or the system,"
        raise ConfigError(f"{named} names a file without certificates: {where}.") from None
