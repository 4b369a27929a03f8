"""How long one waits for the key of a key id that the keys file does not hold."""

__all__ = ["WAIT_SECONDS", "UnknownKids"]

WAIT_SECONDS = 15 * 60.0
"""From the first sight of a key id: a changed keys file reaches every process in less, and Graph repeats for 4 h."""

_MOST = 1024
"""Key ids remembered. A forger who knows the installation's id may invent any number: the oldest is forgotten then, and
waited for once more if it comes again, which costs its sender a repetition. One who guesses an id to come uses its time
up in advance (ADR 0033)."""


class UnknownKids:
    """Remembers when each unknown key id was first seen by this process."""

    def __init__(self) -> None:
        self._first_seen: dict[str, float] = {}

    def waits(self, kid: str, now: float) -> bool:
        """Whether the key may still come.

        Args:
            kid: a key id that is in no key of the file.
            now: monotonic seconds.
        """
        if kid not in self._first_seen:
            if len(self._first_seen) >= _MOST:
                del self._first_seen[next(iter(self._first_seen))]
            self._first_seen[kid] = now
        return now - self._first_seen[kid] < WAIT_SECONDS
