"""What is answered to whom by itself, as tables: the rules know nothing of VK or the database."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sigma.domain.catalogue.service import PriceKind, Service
from sigma.domain.messaging.auto_reply import (
    FRESH,
    MAX_TEXT,
    Asked,
    AutoAnswers,
    Say,
    check_auto_answers,
    chosen,
    decide,
    open_at,
)
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.money import Money

NOW = 1_800_000_000_000_000
WEEK = ((600, 1200),) * 5 + (None, None)  # 10:00–20:00, Saturday and Sunday off


def november(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment on the shop's own clock."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


MONDAY_NOON, MONDAY_NIGHT = november(23, 12), november(23, 23)
ALL = AutoAnswers(on=True, closed=True, hours=WEEK)
DIALOG = Conversation("dlg_1", "shp_1", "con_1", 7, NOW, unanswered=True, waiting_since=NOW)
NAILS = Service("svc_1", "shp_1", "Маникюр", NOW, price=PriceKind.FIXED, amount=Money(150_000))
LASHES = Service("svc_2", "shp_1", "Ресницы", NOW, price=PriceKind.FROM, amount=Money(300_000))
ADVICE = Service("svc_3", "shp_1", "Советы", NOW)
OFFERED = [NAILS, LASHES, ADVICE]


def asked(text: str = "Здравствуйте", payload: dict[str, Any] | None = None, **more: Any) -> Asked:
    """A client's message, the first one and fresh unless told."""
    return Asked(text, payload, **({"at": NOW, "first": True} | more))


def said(
    wanted: AutoAnswers = ALL,
    dialog: Conversation = DIALOG,
    about: Asked | None = None,
    service: Service | None = None,
    local: datetime = MONDAY_NOON,
    now: int = NOW,
) -> Say:
    """What is decided when nothing else is special."""
    return decide(wanted, dialog, about or asked(), service, local, now)


def test_nothing_is_said_until_the_owner_wants_it() -> None:
    assert said(AutoAnswers()) is Say.NOTHING
    assert said(AutoAnswers(), service=NAILS) is Say.NOTHING
    assert said() is Say.GREETING


@pytest.mark.parametrize(
    ("dialog", "why"),
    [
        (replace(DIALOG, by_hand=True), "a person has taken it over"),
        (replace(DIALOG, closed="901"), "VK does not let us write"),
        (replace(DIALOG, unanswered=False), "a person has answered, or needs not to"),
    ],
)
@pytest.mark.parametrize("service", [None, NAILS, LASHES])
def test_a_dialog_that_is_not_left_alone_gets_no_answer(
    dialog: Conversation, why: str, service: Service | None
) -> None:
    for local in (MONDAY_NOON, MONDAY_NIGHT):
        assert said(dialog=dialog, service=service, local=local) is Say.NOTHING, why


@pytest.mark.parametrize(
    ("service", "invoice", "say"),
    [
        (NAILS, True, Say.INVOICE),
        (NAILS, False, Say.CHOSEN),
        (LASHES, True, Say.PRICE),
        (LASHES, False, Say.PRICE),
        (ADVICE, True, Say.PRICE),
    ],
)
@pytest.mark.parametrize("local", [MONDAY_NOON, MONDAY_NIGHT])
def test_a_chosen_service_is_answered_at_any_hour(
    service: Service, invoice: bool, say: Say, local: datetime
) -> None:
    assert said(replace(ALL, invoice=invoice), service=service, local=local) is say


def test_only_the_first_words_and_the_start_button_are_greeted() -> None:
    start = {"command": "start"}
    assert said(about=asked(first=False)) is Say.NOTHING
    assert said(about=asked("Начать", start, first=False)) is Say.GREETING
    assert said(replace(ALL, greet=False)) is Say.NOTHING
    assert said(about=asked("Начать", {"command": "stop"}, first=False)) is Say.NOTHING


def test_outside_working_hours_the_shop_says_that_it_is_closed() -> None:
    assert said(local=MONDAY_NIGHT) is Say.CLOSED
    assert said(about=asked(first=False), local=MONDAY_NIGHT) is Say.CLOSED
    assert said(replace(ALL, closed=False), local=MONDAY_NIGHT) is Say.GREETING


def test_an_old_message_is_a_persons_to_answer() -> None:
    assert said(now=NOW + FRESH) is Say.GREETING
    for service in (None, NAILS):
        assert said(now=NOW + FRESH + 1, service=service) is Say.NOTHING


@pytest.mark.parametrize(
    ("hour", "minute", "day", "works"),
    [
        (9, 59, 23, False),
        (10, 0, 23, True),
        (19, 59, 27, True),
        (20, 0, 27, False),
        (12, 0, 28, False),
        (12, 0, 29, False),
    ],
)
def test_hours_begin_and_end_to_the_minute(hour: int, minute: int, day: int, works: bool) -> None:
    assert open_at(ALL, november(day, hour, minute)) is works


def test_a_shop_without_hours_is_always_open_and_midnight_ends_a_day() -> None:
    late = november(23, 23, 59)
    assert open_at(AutoAnswers(on=True, closed=True), late)
    assert open_at(replace(ALL, hours=((0, 1440),) * 7), late)


@pytest.mark.parametrize(
    ("text", "payload", "found"),
    [
        ("Маникюр · 1 500 ₽", {"service": "svc_1"}, NAILS),
        ("что угодно", {"service": "svc_2"}, LASHES),
        ("  маникюр ", None, NAILS),
        ("маникюр", {"command": "start"}, NAILS),
        ("хочу маникюр", None, None),
        ("", None, None),
        ("Маникюр", {"service": "svc_9"}, None),  # a forged button names nothing, words or not
        ("Маникюр", {"service": None}, None),
        ("Маникюр", {"service": ["svc_1"]}, None),
        ("Маникюр", {"service": {"id": "svc_1"}}, None),
    ],
)
def test_a_service_is_chosen_by_its_button_or_its_very_name(
    text: str, payload: dict[str, Any] | None, found: Service | None
) -> None:
    assert chosen(asked(text, payload), OFFERED) == found


def test_what_is_hidden_or_deleted_cannot_be_chosen() -> None:
    for gone in (replace(NAILS, visible=False), replace(NAILS, deleted_at=NOW)):
        assert chosen(asked("Маникюр", {"service": "svc_1"}), [gone]) is None
        assert chosen(asked("Маникюр"), [gone]) is None


def test_of_two_services_with_one_name_the_button_means_its_own() -> None:
    twin = replace(NAILS, id="svc_4", amount=Money(1))
    assert chosen(asked("Маникюр", {"service": "svc_4"}), [NAILS, twin]) == twin


@pytest.mark.parametrize(
    ("wanted", "wrong"),
    [
        (AutoAnswers(), []),
        (ALL, []),
        (replace(ALL, greeting="о" * MAX_TEXT, closed_text="Спим.\nДо утра."), []),
        (replace(ALL, greeting="о" * (MAX_TEXT + 1)), [("greeting", "too_long")]),
        (replace(ALL, closed_text="\x07"), [("closed_text", "characters")]),
        (replace(ALL, hours=WEEK[:6]), [("hours", "choose")]),
        (replace(ALL, hours=((600, 600), *WEEK[1:])), [("hours.0", "hours")]),
        (replace(ALL, hours=(*WEEK[:6], (1200, 60))), [("hours.6", "hours")]),
        (replace(ALL, hours=(*WEEK[:6], (0, 1441))), [("hours.6", "hours")]),
        (replace(ALL, hours=(*WEEK[:6], (-1, 60))), [("hours.6", "hours")]),
    ],
)
def test_wrong_settings_are_named_by_field(
    wanted: AutoAnswers, wrong: list[tuple[str, str]]
) -> None:
    assert [(p.field, p.code) for p in check_auto_answers(wanted)] == wrong
