"""Logs: one line an entry, as text for people or as JSON for machines, with the request id; never a secret."""

import logging
import sys

import structlog
from flask import Flask, has_request_context

from auth import events
from config import Settings

log = logging.getLogger("gatehouse.events")


def init_app(_app: Flask, settings: Settings) -> None:
    """Send what is logged to standard error in the format that is set; Flask logs under the same name."""
    json = (settings.log_format or ("json" if settings.production else "text")) == "json"
    renderer = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _add_request_id,
            _keep_one_line,
        ],
    )
    logger = logging.getLogger("gatehouse")
    logger.setLevel(settings.log_level.upper())
    logger.handlers = [_handler(formatter)]
    logger.propagate = False


@events.subscribe
def tell(event: events.Event) -> None:
    """One line an event, with who and from where."""
    ip, user_agent, _ = events.origin()
    who = {"user_id": event.user_id, "session_id": event.session_id, "ip": ip, "user_agent": user_agent}
    log.info(event.name, extra={**who, **event.data})


def _handler(formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    return handler


def _add_request_id(_logger: object, _method: str, entry: structlog.types.EventDict) -> structlog.types.EventDict:
    if has_request_context():
        entry.setdefault("request_id", events.request_id())
    return entry


def _keep_one_line(_logger: object, _method: str, entry: structlog.types.EventDict) -> structlog.types.EventDict:
    """Whatever a client sent stays within its line, for whoever greps or watches a terminal."""
    return {
        name: events.one_line(value) if isinstance(value, str) and name != "exception" else value
        for name, value in entry.items()
    }
