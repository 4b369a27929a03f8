"""The keys file on disk: read at start, read again when it changes, never given up for a broken one."""

from datetime import datetime
from pathlib import Path

from ringback_common import logs
from ringback_common.clock import Clock
from ringback_common.errors import ConfigError
from ringback_common.settings import refuse_dev_keys

from ringback_ingest.client_state import Key, KeyRing, keys_of

__all__ = ["SETTING", "KeysFile"]

SETTING = "RINGBACK_WEBHOOK__CLIENT_STATE_KEYS_FILE"

_log = logs.logger(__name__)


class KeysFile:
    """Holds the newest usable key ring.

    Args:
        path: the file.
        profile: `dev` alone may use keys for development.
        clock: for the time at which a key was first read.

    Raises:
        ConfigError: the file cannot be read or used at start.
    """

    def __init__(self, path: Path, profile: str, clock: Clock) -> None:
        self._path = path
        self._profile = profile
        self._clock = clock
        self._known_since: dict[str, datetime] = {}
        """Of keys that a change brought; how long those of the start have been in the file is not known."""
        self._content = self._read()
        self.ring = self._ring(self._content)

    def signing(self) -> Key:
        """The key that signs a subscription made now; `KeyRing.signing` has the rule."""
        return self.ring.signing(self._clock.now(), self._known_since)

    def refresh(self) -> None:
        """Take over a changed file; an unusable one is reported and the keys in force stay."""
        try:
            content = self._read()
            if content == self._content:
                return
            ring = self._ring(content)
        except ConfigError:
            _log.error("The changed clientState keys file is not usable; the keys in force stay.", setting=SETTING)
            return
        known = {key.kid for key in self.ring.keys}
        new = {key.kid: self._clock.now() for key in ring.keys if key.kid not in known}
        self._known_since = {kid: since for kid, since in self._known_since.items() if kid in known} | new
        self.ring, self._content = ring, content
        _log.info("The clientState keys were read again.", kid=self.ring.active.kid, count=len(self.ring.keys))

    def _ring(self, content: bytes) -> KeyRing:
        ring = keys_of(content, SETTING)
        refuse_dev_keys({key.kid: key.secret for key in ring.keys}, self._profile, SETTING)
        return ring

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError:
            raise ConfigError(f"{SETTING} names a file that cannot be read: {self._path}.") from None
