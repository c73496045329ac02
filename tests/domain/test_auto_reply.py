"""Auto-reply rules as tables. The rules use neither VK nor the database."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sigma.domain.catalogue.service import PriceKind, Service
from sigma.domain.messaging.auto_reply import (
    MAX_AUTO_REPLY_AGE_US,
    MAX_TEXT,
    AutoReply,
    AutoReplySettings,
    IncomingMessage,
    check_auto_reply_settings,
    choose_reply,
    chosen_service,
    is_open,
)
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.money import Money

NOW = 1_800_000_000_000_000
# Minutes after midnight: 10:00–20:00, closed on Saturday and Sunday.
WORKING_HOURS = ((600, 1200),) * 5 + (None, None)


def november(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a local time of the shop in November 2026."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


MONDAY_NOON, MONDAY_NIGHT = november(23, 12), november(23, 23)
ALL_ENABLED = AutoReplySettings(enabled=True, closed_enabled=True, hours=WORKING_HOURS)
CONVERSATION = Conversation(
    "cnv_1", "shp_1", "con_1", 7, NOW, is_unanswered=True, waiting_since_us=NOW
)
NAILS = Service("svc_1", "shp_1", "Маникюр", NOW, price_kind=PriceKind.FIXED, amount=Money(150_000))
LASHES = Service("svc_2", "shp_1", "Ресницы", NOW, price_kind=PriceKind.FROM, amount=Money(300_000))
ADVICE = Service("svc_3", "shp_1", "Советы", NOW)
SERVICES = [NAILS, LASHES, ADVICE]


def incoming(
    text: str = "Здравствуйте", payload: dict[str, Any] | None = None, *, is_first: bool = True
) -> IncomingMessage:
    """Return a client message written at `NOW`, by default the first of its conversation."""
    return IncomingMessage(text, payload, written_at_us=NOW, is_first=is_first)


def reply_for(
    settings: AutoReplySettings = ALL_ENABLED,
    conversation: Conversation = CONVERSATION,
    message: IncomingMessage | None = None,
    service: Service | None = None,
    local_time: datetime = MONDAY_NOON,
    now_us: int = NOW,
) -> AutoReply:
    """Return the decision for a first message on Monday noon, with the given changes."""
    return choose_reply(settings, conversation, message or incoming(), service, local_time, now_us)


def test_no_auto_reply_until_owner_enables_it() -> None:
    assert reply_for(AutoReplySettings()) is AutoReply.NOTHING
    assert reply_for(AutoReplySettings(), service=NAILS) is AutoReply.NOTHING
    assert reply_for() is AutoReply.GREETING


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        (replace(CONVERSATION, handled_by_operator=True), "taken over by an operator"),
        (replace(CONVERSATION, blocked_reason="901"), "VK forbids writing"),
        (replace(CONVERSATION, is_unanswered=False), "answered, or no answer needed"),
    ],
)
@pytest.mark.parametrize("service", [None, NAILS, LASHES])
def test_no_auto_reply_in_taken_over_blocked_or_answered_conversation(
    conversation: Conversation, reason: str, service: Service | None
) -> None:
    for local_time in (MONDAY_NOON, MONDAY_NIGHT):
        assert (
            reply_for(conversation=conversation, service=service, local_time=local_time)
            is AutoReply.NOTHING
        ), reason


@pytest.mark.parametrize(
    ("service", "invoice_enabled", "expected"),
    [
        (NAILS, True, AutoReply.INVOICE),
        (NAILS, False, AutoReply.INVOICE_BY_OPERATOR),
        (LASHES, True, AutoReply.PRICE_BY_OPERATOR),
        (LASHES, False, AutoReply.PRICE_BY_OPERATOR),
        (ADVICE, True, AutoReply.PRICE_BY_OPERATOR),
    ],
)
@pytest.mark.parametrize("local_time", [MONDAY_NOON, MONDAY_NIGHT])
def test_chosen_service_gets_auto_reply_at_any_hour(
    service: Service, invoice_enabled: bool, expected: AutoReply, local_time: datetime
) -> None:
    assert (
        reply_for(
            replace(ALL_ENABLED, invoice_enabled=invoice_enabled),
            service=service,
            local_time=local_time,
        )
        is expected
    )


def test_greeting_is_sent_only_for_first_message_or_start_button() -> None:
    start = {"command": "start"}
    assert reply_for(message=incoming(is_first=False)) is AutoReply.NOTHING
    assert reply_for(message=incoming("Начать", start, is_first=False)) is AutoReply.GREETING
    assert reply_for(replace(ALL_ENABLED, greeting_enabled=False)) is AutoReply.NOTHING
    assert (
        reply_for(message=incoming("Начать", {"command": "stop"}, is_first=False))
        is AutoReply.NOTHING
    )


def test_closed_reply_is_sent_outside_working_hours() -> None:
    assert reply_for(local_time=MONDAY_NIGHT) is AutoReply.CLOSED
    assert reply_for(message=incoming(is_first=False), local_time=MONDAY_NIGHT) is AutoReply.CLOSED
    assert (
        reply_for(replace(ALL_ENABLED, closed_enabled=False), local_time=MONDAY_NIGHT)
        is AutoReply.GREETING
    )


def test_old_message_gets_no_auto_reply() -> None:
    assert reply_for(now_us=NOW + MAX_AUTO_REPLY_AGE_US) is AutoReply.GREETING
    for service in (None, NAILS):
        assert (
            reply_for(now_us=NOW + MAX_AUTO_REPLY_AGE_US + 1, service=service) is AutoReply.NOTHING
        )


@pytest.mark.parametrize(
    ("hour", "minute", "day", "expected"),
    [
        (9, 59, 23, False),
        (10, 0, 23, True),
        (19, 59, 27, True),
        (20, 0, 27, False),
        (12, 0, 28, False),
        (12, 0, 29, False),
    ],
)
def test_working_hours_are_exact_to_the_minute(
    hour: int, minute: int, day: int, expected: bool
) -> None:
    assert is_open(ALL_ENABLED, november(day, hour, minute)) is expected


def test_shop_without_hours_is_always_open_and_day_may_end_at_midnight() -> None:
    last_minute = november(23, 23, 59)
    assert is_open(AutoReplySettings(enabled=True, closed_enabled=True), last_minute)
    assert is_open(replace(ALL_ENABLED, hours=((0, 1440),) * 7), last_minute)


@pytest.mark.parametrize(
    ("text", "payload", "expected"),
    [
        ("Маникюр · 1 500 ₽", {"service": "svc_1"}, NAILS),
        ("что угодно", {"service": "svc_2"}, LASHES),
        ("  маникюр ", None, NAILS),
        ("маникюр", {"command": "start"}, NAILS),
        ("хочу маникюр", None, None),
        ("", None, None),
        ("Маникюр", {"service": "svc_9"}, None),  # a forged button beats the matching title
        ("Маникюр", {"service": None}, None),
        ("Маникюр", {"service": ["svc_1"]}, None),
        ("Маникюр", {"service": {"id": "svc_1"}}, None),
    ],
)
def test_service_is_chosen_by_button_payload_or_exact_title(
    text: str, payload: dict[str, Any] | None, expected: Service | None
) -> None:
    assert chosen_service(incoming(text, payload), SERVICES) == expected


def test_hidden_or_deleted_service_cannot_be_chosen() -> None:
    for service in (replace(NAILS, is_visible=False), replace(NAILS, deleted_at_us=NOW)):
        assert chosen_service(incoming("Маникюр", {"service": "svc_1"}), [service]) is None
        assert chosen_service(incoming("Маникюр"), [service]) is None


def test_button_chooses_its_own_service_among_equal_titles() -> None:
    twin = replace(NAILS, id="svc_4", amount=Money(1))
    assert chosen_service(incoming("Маникюр", {"service": "svc_4"}), [NAILS, twin]) == twin


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (AutoReplySettings(), []),
        (ALL_ENABLED, []),
        (replace(ALL_ENABLED, greeting="о" * MAX_TEXT, closed_text="Спим.\nДо утра."), []),
        (replace(ALL_ENABLED, greeting="о" * (MAX_TEXT + 1)), [("greeting", "too_long")]),
        (replace(ALL_ENABLED, closed_text="\x07"), [("closed_text", "characters")]),
        (replace(ALL_ENABLED, hours=WORKING_HOURS[:6]), [("hours", "choose")]),
        (replace(ALL_ENABLED, hours=((600, 600), *WORKING_HOURS[1:])), [("hours.0", "hours")]),
        (replace(ALL_ENABLED, hours=(*WORKING_HOURS[:6], (1200, 60))), [("hours.6", "hours")]),
        (replace(ALL_ENABLED, hours=(*WORKING_HOURS[:6], (0, 1441))), [("hours.6", "hours")]),
        (replace(ALL_ENABLED, hours=(*WORKING_HOURS[:6], (-1, 60))), [("hours.6", "hours")]),
    ],
)
def test_invalid_settings_are_reported_by_field(
    settings: AutoReplySettings, expected: list[tuple[str, str]]
) -> None:
    assert [(p.field, p.code) for p in check_auto_reply_settings(settings)] == expected
