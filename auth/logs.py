"""Logs: one line an entry, as text for people or as JSON for machines, with the request id; never a secret."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from flask import Flask, has_request_context

from auth import events
from config import Settings

log = logging.getLogger("gatehouse.events")

# What every record of `logging` has; whatever else one has was given with it and is told.
USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime"}


def init_app(_app: Flask, settings: Settings) -> None:
    """Send what is logged to standard error in the format that is set; Flask logs under the same name."""
    chosen = settings.log_format or ("json" if settings.production else "text")
    logger = logging.getLogger("gatehouse")
    logger.setLevel(settings.log_level.upper())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(AsJson() if chosen == "json" else AsText())
    logger.handlers = [handler]
    logger.propagate = False


@events.subscribe
def tell(event: events.Event) -> None:
    """One line an event, with who and from where."""
    ip, user_agent, _ = events.origin()
    who = {"user_id": event.user_id, "session_id": event.session_id, "ip": ip, "user_agent": user_agent}
    log.info(event.name, extra={**who, **event.data})


class AsJson(logging.Formatter):
    """A line is a JSON object; the trace of a fault is a member of it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        entry = _told(record)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=repr)


class AsText(logging.Formatter):
    """A line is the time, the level, the event, the logger and what is told besides, by name; a trace follows it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        entry = _told(record)
        time, level, event, logger = (entry.pop(name) for name in ("timestamp", "level", "event", "logger"))
        besides = (f" {name}={_shown(entry[name])}" for name in sorted(entry))
        line = f"{time} [{level:<9}] {event:<30} [{logger}]{''.join(besides)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _told(record: logging.LogRecord) -> dict[str, Any]:
    """What a record tells; whatever a client sent stays within its line, for whoever greps or watches a terminal."""
    entry: dict[str, Any] = {
        "event": record.getMessage(),
        "level": record.levelname.lower(),
        "logger": record.name,
        **{name: value for name, value in vars(record).items() if name not in USUAL},
        "timestamp": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    if has_request_context():
        entry.setdefault("request_id", events.request_id())
    return {name: events.one_line(value) if isinstance(value, str) else value for name, value in entry.items()}


def _shown(value: object) -> str:
    return value if isinstance(value, str) and not set(value) & set(" '\"=") else repr(value)
