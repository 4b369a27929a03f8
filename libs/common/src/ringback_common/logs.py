"""Logs as JSON lines. Fields come from an allow-list; no payload, no identity, no exception message gets through.

INFO is lifecycle, WARNING is unexpected with nothing to do, ERROR means that an operator must act. There is no line per
event. Messages are constant sentences: what varies goes into fields. Lines of libraries keep their arguments as far as
`log_values` allows, and are WARNING at most: a library cannot know what an operator has to do, our own lines say it.
A line that a library repeats is written once in ten seconds, so that an outage does not bury its cause.
"""

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from opentelemetry import trace

from ringback_common.log_values import WITHHELD, filled, template_of
from ringback_common.metrics import LOG_FIELDS_WITHHELD, LOG_LINES

__all__ = ["FIELDS", "JsonFormatter", "Logger", "configure", "known_id", "logger"]

FIELDS = frozenset({
    "action", "age_s", "attempt", "attempts", "bytes", "call_id", "code", "count", "cursor", "delay_s",
    "error_class", "exit_code", "fingerprint", "graph_says", "group", "host", "instance", "kid", "lag", "lane",
    "limit", "offset", "outcome", "partition", "partitions", "pid", "port", "process", "reason", "records",
    "retry_after_s", "revision", "scope", "seconds", "setting", "sqlstate", "state", "status", "subscription_id",
    "table", "tenant_id", "topic", "topics", "value", "version",
})  # fmt: skip
"""Names a log line may carry. Call, tenant and subscription ids are pseudonymous (C1); nothing above C1 is here."""

_RESERVED = "ringback_fields"
_LEFT_OUT = "ringback_left_out"
_QUIET_SECONDS = 10.0
_SENTENCES = 500
"""Foreign sentences remembered at most; a library that fills its own templates must not fill our memory."""
_PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+|\+\d{6,15}|\b\d{1,3}(?:\.\d{1,3}){3}\b|\beyJ[\w-]+\.[\w.-]+"
    r"|(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{0,4}|teamsvisitor:\w+",
    re.IGNORECASE,
)
"""The second net under the allow-list: UPNs, E.164, IPv4, JWTs, MACs, IPv6, visitor ids."""
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def known_id(text: str) -> str | None:
    """The text if it is a GUID in lower case, the form of Graph's ids, else None: any other text may name a person."""
    return text if _GUID.fullmatch(text) else None


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, process, logger, message, allowed fields, trace."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Render one record; of a library's arguments only what the allow-list of values knows.

        A record that cannot be rendered becomes a line without any of its content; nothing is raised.
        """
        try:
            return _text(self._line(record))
        except Exception as failure:  # noqa: BLE001 - str() of any argument may raise anything, and logging must not print it
            return _text(
                {
                    "time": _instant(record.created),
                    "level": logging.getLevelName(logging.WARNING),
                    "process": self._process,
                    "logger": record.name,
                    "message": "A log line could not be written.",
                    "error_class": type(failure).__name__,
                }
            )

    def _line(self, record: logging.LogRecord) -> dict[str, Any]:
        ours = hasattr(record, _RESERVED)
        line: dict[str, Any] = {
            "time": _instant(record.created),
            "level": record.levelname if ours else logging.getLevelName(min(record.levelno, logging.WARNING)),
            "process": self._process,
            "logger": record.name,
            "message": str(record.msg) if ours else _scrubbed(filled(template_of(record.msg), record.args)),
        }
        line.update(getattr(record, _RESERVED, {}))
        if left_out := getattr(record, _LEFT_OUT, 0):
            line["count"] = left_out + 1
        if record.exc_info and record.exc_info[0] is not None:
            line["error_class"] = record.exc_info[0].__name__
            line["at"] = _place(record)
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = f"{context.trace_id:032x}"
        return line


class OnceAWhile(logging.Filter):
    """Passes a library's sentence once in ten seconds; the next that passes has as `count` how many it stands for.

    With its broker away aiokafka writes some hundred lines a second, all of three templates.
    """

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        if hasattr(record, _RESERVED):
            return True
        sentence = (record.name, template_of(record.msg))
        since, left_out = self._written.get(sentence, (float("-inf"), 0))
        if 0 <= record.created - since < _QUIET_SECONDS:
            self._written[sentence] = (since, left_out + 1)
            return False
        if len(self._written) >= _SENTENCES:
            self._written.clear()
        self._written[sentence] = (record.created, 0)
        setattr(record, _LEFT_OUT, left_out)
        return True


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=True, default=str)


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _scrubbed(message: str) -> str:
    """A foreign message with whatever looks like a person, an address, a number or a token struck out."""
    return _PERSONAL.sub(WITHHELD, message)[:500]


def _place(record: logging.LogRecord) -> list[str]:
    """File, line and function of the deepest frames: what an operator needs of a traceback, without its values."""
    frames = traceback.extract_tb(record.exc_info[2])[-6:] if record.exc_info else []
    return [f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in frames]


class Logger:
    """A named logger whose fields pass the allow-list."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, sentence: str, **fields: Any) -> None:
        """Something for developers."""
        self._write(logging.DEBUG, sentence, fields)

    def info(self, sentence: str, **fields: Any) -> None:
        """A step in the life of the process."""
        self._write(logging.INFO, sentence, fields)

    def warning(self, sentence: str, **fields: Any) -> None:
        """Something unexpected that needs no action."""
        self._write(logging.WARNING, sentence, fields)

    def error(self, sentence: str, *, failure: BaseException | None = None, **fields: Any) -> None:
        """An operator must act; of a failure only class and place are written."""
        self._write(logging.ERROR, sentence, fields, failure)

    def _write(self, level: int, sentence: str, fields: dict[str, Any], failure: BaseException | None = None) -> None:
        if not self._logger.isEnabledFor(level):
            return
        allowed = {name: value for name, value in fields.items() if name in FIELDS}
        if len(allowed) != len(fields):
            LOG_FIELDS_WITHHELD.inc(len(fields) - len(allowed))
        LOG_LINES.labels(logging.getLevelName(level)).inc()
        self._logger.log(level, sentence, extra={_RESERVED: allowed}, exc_info=failure)


def logger(name: str) -> Logger:
    """The logger of a module."""
    return Logger(name)


def configure(process: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log line of the process to standard output as JSON; those of libraries from WARNING on.

    Args:
        process: the name in each line.
        level: least level of our own lines.
        stream: another place than standard output, for a command whose answer goes there.
    """
    logging.raiseExceptions = False  # it prints a record's raw arguments; `JsonFormatter` says instead what went wrong
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(process))
    handler.addFilter(OnceAWhile())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for ours in (
        "ringback_common",
        "ringback_stream",
        "ringback_graph",
        "ringback_ingest",
        "ringback_enricher",
        "ringback_sink",
    ):
        logging.getLogger(ours).setLevel(level)
