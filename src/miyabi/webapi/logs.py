"""One JSON object a line: the service's own records and the server's."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec

FIELDS = "fields"
"""The attribute of a record with more keys for its line: `log.info("...", extra={FIELDS: {...}})`."""


class JsonFormatter(logging.Formatter):
    """Formats a record as {time, level, message, ...}."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
        }
        line.update(getattr(record, FIELDS, {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def log_as_json(stream: TextIO) -> None:
    """Send every record of the process to a stream, and warnings and uncaught exceptions too."""
    destination = logging.StreamHandler(stream)
    destination.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [destination]
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    sys.excepthook = lambda kind, error, trace: logging.getLogger("miyabi.webapi").critical(
        "the process ends with an error", exc_info=(kind, error, trace)
    )
