"""Structured logging without personal data. A final filter masks cards and e-mail addresses."""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import msgspec
import structlog

LogEvent = MutableMapping[str, Any]

# Loggers of libraries that write URLs with secrets (httpx), recipients or every request.
QUIET_LOGGERS: tuple[str, ...] = (
    "aiosmtpd",
    "aiosmtplib",
    "alembic",
    "asyncio",
    "httpcore",
    "httpx",
    "litestar",
    "mail.log",
    "sqlalchemy",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)

_CARD_NUMBER = re.compile(r"(?<![\dA-Za-z])\d(?:[ \-]?\d){12,18}(?![\dA-Za-z])", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>\"'(),:;=\[\]{}]+@[^\s@<>\"'(),:;=\[\]{}]+\.[^\s@<>\"'(),:;=\[\]{}]+")


def configure(level: str = "info", log_format: str = "auto", stream: TextIO | None = None) -> None:
    """Write the log of Sigma and of libraries to one stream (stderr by default) in one format.

    `level` and `log_format` as in the settings: "auto" is console on a terminal, else JSON.
    """
    out = stream or sys.stderr
    number = getattr(logging, level.upper())
    console = log_format == "console" or (log_format == "auto" and out.isatty())
    renderer: Any = structlog.processors.JSONRenderer(serializer=_encode_json)
    if console:
        renderer = structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=0)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        replace_traceback,
        mask_personal_data,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(number)
    for name in QUIET_LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(max(number, logging.WARNING))
        logger.handlers.clear()
        logger.propagate = True


def configure_for_command() -> None:
    """Write Sigma's log to stderr for a command whose result is its stdout."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            replace_traceback,
            mask_personal_data,
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0),
        ],
        # The stream of the moment: a program that calls commands may replace it between them.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def replace_traceback(_: Any, __: str, event: LogEvent) -> LogEvent:
    """Replace a traceback by the type of the error and its last frames.

    The message of an error is left out: it may hold personal data.
    """
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["at"] = stack_summary(error)
    event.pop("exc_text", None)
    event.pop("stack_info", None)
    return event


def stack_summary(error: BaseException, limit: int = 8) -> list[str]:
    """Return the last frames of an error, outermost first: "folder/module.py:12 function"."""
    frames = traceback.extract_tb(error.__traceback__)[-limit:]
    return [f"{'/'.join(s.filename.split('/')[-2:])}:{s.lineno} {s.name}" for s in frames]


def mask_personal_data(_: Any, __: str, event: LogEvent) -> LogEvent:
    """Mask card numbers (by Luhn) and e-mail addresses in every value that is not a number."""
    for name, value in event.items():
        event[name] = _mask_value(value)
    return event


def _mask_value(value: Any) -> Any:
    if isinstance(value, str):
        if "@" in value:
            value = _EMAIL.sub("[e-mail]", value)
        return _CARD_NUMBER.sub(_mask_card, value) if len(value) > 12 else value
    if isinstance(value, dict):
        return {_mask_value(k): _mask_value(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_mask_value(v) for v in value]
    if isinstance(value, int | float | None):
        return value
    return _mask_value(str(value))


def _mask_card(match: re.Match[str]) -> str:
    digits = [int(c) for c in match[0] if c.isdigit()]
    odd, even = digits[-1::-2], digits[-2::-2]
    luhn = sum(odd) + sum(d * 2 - 9 * (d > 4) for d in even)
    return "[card]" if luhn % 10 == 0 else match[0]


# JSON leaves these as they are, but some readers begin a new line there, or obey them.
_CONTROL_CHARACTERS = {code: f"\\u{code:04x}" for code in (*range(0x80, 0xA0), 0x2028, 0x2029)}


def _encode_json(event: LogEvent, **_: Any) -> str:
    text = msgspec.json.encode(event, enc_hook=str).decode()
    return text if text.isascii() else text.translate(_CONTROL_CHARACTERS)
