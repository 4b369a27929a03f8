"""Exceptions mean transient or bug; bad data is an outcome, not an exception.

RingbackError
├── ConfigError          the operator must change something; exit 2, one sentence
├── Transient            it may work later; the shell pauses or retries, nothing is committed
│   ├── Throttled        the other side said how long to wait
│   └── UntrustedCertificate   it works when an operator mends the certificate, and not before
├── DeadLetterLimit      this process may be what is wrong: halt until an operator resumes
└── BeginAnew            this process cannot go on and a new one can; exit 1, no operator has to act
"""

from ringback_common.scopes import Scope

__all__ = [
    "BeginAnew",
    "ConfigError",
    "DeadLetterLimit",
    "RingbackError",
    "Throttled",
    "Transient",
    "UntrustedCertificate",
]


class RingbackError(Exception):
    """Base of everything Ringback raises on purpose."""


class ConfigError(RingbackError):
    """A setting, credential or topic is wrong or missing. The message is one sentence that names it."""


class BeginAnew(RingbackError):  # noqa: N818 - the taxonomy's word
    """This process cannot go on, and the one that its orchestrator starts next can. The message is a constant."""


class Transient(RingbackError):  # noqa: N818 - the taxonomy's word
    """A call failed in a way that may pass: timeout, connection, 5xx, broker or store away."""


class Throttled(Transient):
    """The other side asks to wait.

    Attributes:
        scope: what waits.
        retry_after: seconds to wait, monotonic from now.
    """

    def __init__(self, scope: Scope, retry_after: float) -> None:
        super().__init__(f"throttled for {retry_after:.1f} s")
        self.scope = scope
        self.retry_after = retry_after


class UntrustedCertificate(Transient):
    """The other side's TLS certificate does not verify: tried again, as it may be renewed, but no passing fault."""


class DeadLetterLimit(RingbackError):  # noqa: N818 - the taxonomy's word
    """This process itself may be what is wrong; going on would drain a topic into the dead letters.

    Attributes:
        reason: `dead_letter_limit`, too many records were rejected, or `unexpected_answers`, Graph's answers to several
            tenants could not be read.
    """

    def __init__(self, message: str = "", reason: str = "dead_letter_limit") -> None:
        super().__init__(message)
        self.reason = reason
