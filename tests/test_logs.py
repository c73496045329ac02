"""The log: one form for all, no personal data, and a last net for what slips through."""

import json
import logging
from typing import Any

import pytest
import structlog

from sigma.logs import mask, places
from tests.leaks import kept_log

CARD = "2200000000000004"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"card {CARD}", "card [card]"),
        ("card 2200 0000 0000 0004.", "card [card]."),
        ("2200-0000-0000-0004", "[card]"),
        ("anna.petrova@example.net wrote", "[e-mail] wrote"),
        ("<иван@почта.рф>", "<[e-mail]>"),
        ("order 2200000000000005", "order 2200000000000005"),  # its check digit is wrong
        ("1764000000123456", "1764000000123456"),
        ("inv_1k10dnmnb7ney3w6nv5p7nn", "inv_1k10dnmnb7ney3w6nv5p7nn"),
        ("220000******0004", "220000******0004"),
    ],
)
def test_what_looks_like_a_card_or_an_address_is_masked(said: str, kept: str) -> None:
    event: dict[str, Any] = {"event": said, "deep": [{"said": said}, (said,)], "n": 1, "no": None}
    masked = mask(None, "info", event)
    assert masked == {"event": kept, "deep": [{"said": kept}, [kept]], "n": 1, "no": None}


def test_an_error_is_told_by_its_kind_and_place_and_not_by_its_words() -> None:
    with kept_log() as out:
        try:
            raise ValueError(f"bad value {CARD} of client@example.net")
        except ValueError:
            structlog.get_logger().error("trouble", exc_info=True)
    line = json.loads(out.getvalue())
    assert line["error"] == "ValueError"
    assert line["at"][-1].startswith("tests/test_logs.py:")
    assert "bad value" not in out.getvalue()


def test_libraries_write_to_the_same_place_in_the_same_form() -> None:
    with kept_log() as out:
        logging.getLogger("somebody").warning("hello %s", "client@example.net")
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"]) == ("hello [e-mail]", "warning")


def test_libraries_that_tell_addresses_are_quiet() -> None:
    with kept_log() as out:
        logging.getLogger("httpx").info("HTTP Request: GET https://bank/i/secret")
        logging.getLogger("uvicorn.access").info("GET /i/secret")
        logging.getLogger("asyncio").debug("Using selector")
    assert out.getvalue() == ""


def test_a_place_names_no_folder_of_this_machine() -> None:
    with pytest.raises(ValueError, match="here") as caught:
        raise ValueError("here")
    assert all(not place.startswith("/") for place in places(caught.value))
