"""Keyboards within VK's limits."""

import pytest

from sigma.channels.vk import keyboard
from sigma.channels.vk.keyboard import Button, Color

ASK = keyboard.text("Вопрос", {"cmd": "ask"})
PAY = keyboard.open_link("Оплатить 4 500 ₽", "https://pay.example/i/AbC")
PAID = keyboard.callback("Я оплатил", {"cmd": "check", "inv": "AbC"}, Color.POSITIVE)


def test_a_keyboard_in_a_message_is_in_vks_words() -> None:
    assert keyboard.inline([[PAY], [PAID, ASK]]) == {
        "one_time": False,
        "inline": True,
        "buttons": [
            [
                {
                    "action": {
                        "type": "open_link",
                        "label": "Оплатить 4 500 ₽",
                        "link": "https://pay.example/i/AbC",
                    }
                }
            ],
            [
                {
                    "action": {
                        "type": "callback",
                        "label": "Я оплатил",
                        "payload": '{"cmd":"check","inv":"AbC"}',
                    },
                    "color": "positive",
                },
                {
                    "action": {"type": "text", "label": "Вопрос", "payload": '{"cmd":"ask"}'},
                    "color": "secondary",
                },
            ],
        ],
    }


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([[ASK]] * 7, "rows"),
        ([[ASK] * 6], "columns"),
        ([[]], "columns"),
        ([[ASK] * 4, [ASK] * 4, [ASK] * 3], "buttons"),
        ([[ASK, PAY]], "alone"),
    ],
)
def test_more_than_fits_into_a_message_is_refused(rows: list[list[Button]], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        keyboard.inline(rows)


def test_as_much_as_fits_is_taken() -> None:
    assert len(keyboard.inline([[ASK] * 5, [ASK], [ASK], [ASK], [ASK], [PAY]])["buttons"]) == 6
    assert keyboard.text("Я" * 40, {"a": "b" * 247}).action["label"] == "Я" * 40


@pytest.mark.parametrize("label", ["", "   ", "Я" * 41])
def test_a_label_is_some_words_and_not_many(label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        keyboard.text(label, {})
    with pytest.raises(ValueError, match="label"):
        keyboard.open_link(label, "https://pay.example/")


def test_a_payload_is_short_in_characters_of_its_json() -> None:
    with pytest.raises(ValueError, match="payload"):
        keyboard.callback("Да", {"a": "b" * 248})
    assert keyboard.callback("Да", {"a": "ж" * 247}).action["payload"].count("ж") == 247


@pytest.mark.parametrize(
    "link", ["", "javascript:alert(1)", "vk.com/club1", "https://", "https://a/" + "b" * 2048]
)
def test_a_button_opens_pages_only(link: str) -> None:
    with pytest.raises(ValueError, match="link"):
        keyboard.open_link("Открыть", link)


def test_a_long_name_is_shortened_to_a_label() -> None:
    assert keyboard.shortened("Маникюр\n  с покрытием") == "Маникюр с покрытием"
    cut = keyboard.shortened("Маникюр с покрытием и очень долгим названием")
    assert len(cut) <= 40
    assert cut.endswith("…")
