"""Record keys and canonical ids: every writer makes the same key for a call.

A key is its parts joined by `|`, UTF-8. The first part of a tenant's key is the tenant id, which never contains `|`;
a later part may.
"""

import re

__all__ = ["call_key", "canonical_id", "control_key", "split_call_key", "status_key", "tenant_key", "tenant_of"]

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def canonical_id(value: str) -> str:
    """A GUID in lower case; anything else as it is, for Graph's other ids are opaque."""
    return value.lower() if _GUID.fullmatch(value) else value


def call_key(tenant_id: str, call_id: str) -> bytes:
    """Key of everything about one call: `tenant|call`, both canonical."""
    return f"{canonical_id(tenant_id)}|{canonical_id(call_id)}".encode()


def tenant_key(tenant_id: str, *parts: str) -> bytes:
    """Key of what belongs to a tenant: `tenant`, or `tenant|part|...` for state, parts as they are."""
    return "|".join((canonical_id(tenant_id), *parts)).encode()


def status_key(process: str, tenant_id: str | None) -> bytes:
    """Key of a status report: `process|tenant`, the tenant empty for the process itself."""
    return f"{process}|{canonical_id(tenant_id or '')}".encode()


def control_key(kind: str, subject: str) -> bytes:
    """Key of a control entry: `kind|subject`."""
    return f"{kind}|{canonical_id(subject)}".encode()


def tenant_of(key: bytes) -> str:
    """The tenant of a tenant's key: all before the first `|`. Bytes that are not UTF-8 are replaced, never refused."""
    return key.partition(b"|")[0].decode(errors="replace")


def split_call_key(key: bytes) -> tuple[str, str]:
    """Take `tenant|call` apart; without a `|` the call is empty. Bytes that are not UTF-8 are replaced."""
    tenant_id, _, call_id = key.decode(errors="replace").partition("|")
    return tenant_id, call_id
