"""The log: structured lines without personal data; a last safety net masks what slips through."""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import msgspec
import structlog

Event = MutableMapping[str, Any]

# They tell addresses (httpx logs whole URLs), recipients or every request.
QUIET: tuple[str, ...] = (
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

_CARD = re.compile(r"(?<![\dA-Za-z])\d(?:[ \-]?\d){12,18}(?![\dA-Za-z])", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>\"'(),:;=\[\]{}]+@[^\s@<>\"'(),:;=\[\]{}]+\.[^\s@<>\"'(),:;=\[\]{}]+")


def configure(level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Sends our lines and those of libraries to one place in one form.

    `level` and `form` as in the settings: "auto" is console on a terminal, else JSON.
    """
    out = stream or sys.stderr
    number = getattr(logging, level.upper())
    console = form == "console" or (form == "auto" and out.isatty())
    renderer: Any = structlog.processors.JSONRenderer(serializer=_json)
    if console:
        renderer = structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=0)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
        tell_place,
        mask,
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
    for name in QUIET:
        logger = logging.getLogger(name)
        logger.setLevel(max(number, logging.WARNING))
        logger.handlers.clear()
        logger.propagate = True


def tell_place(_: Any, __: str, event: Event) -> Event:
    """Instead of a traceback: the kind of error and where it was.

    An error's own words may hold somebody's data, so they are left out.
    """
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["at"] = places(error)
    event.pop("exc_text", None)
    event.pop("stack_info", None)
    return event


def places(error: BaseException, limit: int = 8) -> list[str]:
    """The last steps to an error, outermost first: "module.py:12 function"."""
    steps = traceback.extract_tb(error.__traceback__)[-limit:]
    return [f"{'/'.join(s.filename.split('/')[-2:])}:{s.lineno} {s.name}" for s in steps]


def mask(_: Any, __: str, event: Event) -> Event:
    """Hides what looks like a card number or an e-mail address, wherever it is."""
    for name, value in event.items():
        event[name] = _masked(value)
    return event


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        if "@" in value:
            value = _EMAIL.sub("[e-mail]", value)
        return _CARD.sub(_mask_card, value) if len(value) > 12 else value
    if isinstance(value, dict):
        return {_masked(k): _masked(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(v) for v in value]
    if isinstance(value, int | float | None):
        return value
    return _masked(str(value))


def _mask_card(found: re.Match[str]) -> str:
    digits = [int(c) for c in found[0] if c.isdigit()]
    odd, even = digits[-1::-2], digits[-2::-2]
    luhn = sum(odd) + sum(d * 2 - 9 * (d > 4) for d in even)
    return "[card]" if luhn % 10 == 0 else found[0]


def _json(event: Event, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
