"""The log: one format for all loggers, no personal data, masking as the last defence."""

import io
import json
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from sigma.logs import configure, mask_personal_data, stack_summary
from tests.leaks import captured_log

CARD = "2200000000000004"


@pytest.mark.parametrize(
    ("text", "masked_text"),
    [
        (f"card {CARD}", "card [card]"),
        ("card 2200 0000 0000 0004.", "card [card]."),
        ("2200-0000-0000-0004", "[card]"),
        ("anna.petrova@example.net wrote", "[e-mail] wrote"),
        ("<иван@почта.рф>", "<[e-mail]>"),
        ("order 2200000000000005",) * 2,  # wrong check digit, so no card number
        ("1764000000123456", "1764000000123456"),
        ("inv_1k10dnmnb7ney3w6nv5p7nn", "inv_1k10dnmnb7ney3w6nv5p7nn"),
        ("220000******0004", "220000******0004"),
    ],
)
def test_card_numbers_and_email_addresses_are_masked(text: str, masked_text: str) -> None:
    event: dict[str, Any] = {"event": text, "deep": [{"key": text}, (text,)], "n": 1, "no": None}
    masked = mask_personal_data(None, "info", event)
    expected = {"event": masked_text, "deep": [{"key": masked_text}, [masked_text]]}
    assert masked == expected | {"n": 1, "no": None}


def test_exception_is_logged_with_class_and_location_but_without_message() -> None:
    with captured_log() as out:
        try:
            raise ValueError(f"bad value {CARD} of client@example.net")
        except ValueError:
            structlog.get_logger().error("trouble", exc_info=True)
    line = json.loads(out.getvalue())
    assert line["error"] == "ValueError"
    assert line["at"][-1].startswith("tests/test_logs.py:")
    assert "bad value" not in out.getvalue()


def test_library_logs_have_the_same_format_and_masking() -> None:
    with captured_log() as out:
        logging.getLogger("some_library").warning("hello %s", "client@example.net")
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"]) == ("hello [e-mail]", "warning")


def test_library_loggers_that_write_urls_are_silenced() -> None:
    with captured_log() as out:
        logging.getLogger("httpx").info("HTTP Request: GET https://bank/i/secret")
        logging.getLogger("uvicorn.access").info("GET /i/secret")
        logging.getLogger("asyncio").debug("Using selector")
    assert out.getvalue() == ""


def test_stack_summary_has_no_absolute_paths() -> None:
    with pytest.raises(ValueError, match="here") as caught:
        raise ValueError("here")
    assert all(not frame.startswith("/") for frame in stack_summary(caught.value))


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_time_is_utc_with_its_offset_in_every_format(log_format: str) -> None:
    out = io.StringIO()
    try:
        configure("info", log_format, out)
        structlog.get_logger().info("hello")
    finally:
        configure()
    (text,) = re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+Z", out.getvalue())
    logged = datetime.fromisoformat(text)
    assert abs(datetime.now(UTC) - logged) < timedelta(minutes=5)
    assert logged.utcoffset() == timedelta(0)
