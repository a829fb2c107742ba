"""Log lines of the server: one event a line on standard error, as text or JSON."""

from __future__ import annotations

import io
import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, cast

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import TextIO

    from structlog.typing import Processor

_INFO = logging.INFO
_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": _INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
    "disabled": logging.CRITICAL,
}


def configure(level: str, mode: str = "default") -> None:
    """Set up logging once, at the composition root. An unknown level counts as ``info``.

    ``mode`` is ``json`` for an object a line, ``cmd`` for the event and its facts alone, anything
    else for ``name=value`` with time and level.
    """
    structlog.configure(
        processors=[
            *([_drop] if level.lower() == "disabled" else []),
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _form(mode.lower()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(level.lower(), _INFO)),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Forwarding()])


class _StandardError(io.TextIOBase):
    """Takes lines also while nothing can be written: a node does not end for want of a log.

    The disk of the log may be full, the terminal closed, the reader of a pipe gone. Lines that
    come meanwhile are lost; there is no place left to say so.
    """

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


class _Forwarding(logging.Handler):
    """Gives what libraries log the form of our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno,
            "library_message",
            library=record.name,
            text=record.getMessage().strip(),
            exc_info=record.exc_info,
        )


def _drop(_logger: object, _method: str, _event: MutableMapping[str, Any]) -> NoReturn:
    raise structlog.DropEvent


def _form(mode: str) -> Processor:
    if mode == "json":
        return _as_json
    if mode == "cmd":
        return _as_message
    return structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])


def _as_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Render one event with the names that v1.5 has for time, level and message."""
    import msgspec

    named = {
        "level": event.pop("level"),
        "time": event.pop("timestamp"),
        "message": event.pop("event"),
        **event,
    }
    return msgspec.json.encode(named, enc_hook=str).decode()


def _as_message(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Render one event as ``event [name:value]``."""
    del event["level"], event["timestamp"]
    message = str(event.pop("event"))
    return " ".join([message, *(f"[{name}:{value}]" for name, value in event.items())])
