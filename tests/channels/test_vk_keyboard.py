"""VK keyboards: JSON format and limits."""

import pytest

from sigma.channels.vk import keyboard
from sigma.channels.vk.keyboard import Button, Color

ASK = keyboard.text_button("Вопрос", {"cmd": "ask"})
PAY = keyboard.link_button("Оплатить 4 500 ₽", "https://pay.example/i/AbC")
PAID = keyboard.callback_button("Я оплатил", {"cmd": "check", "inv": "AbC"}, Color.POSITIVE)


def test_inline_keyboard_has_vk_json_format() -> None:
    assert keyboard.inline_keyboard([[PAY], [PAID, ASK]]) == {
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
    ("rows", "reason"),
    [
        ([[ASK]] * 7, "rows"),
        ([[ASK] * 6], "columns"),
        ([[]], "columns"),
        ([[ASK] * 4, [ASK] * 4, [ASK] * 3], "buttons"),
        ([[ASK, PAY]], "own_row"),
    ],
)
def test_keyboard_over_vk_limits_is_refused(rows: list[list[Button]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        keyboard.inline_keyboard(rows)


def test_keyboard_at_vk_limits_is_accepted() -> None:
    assert (
        len(keyboard.inline_keyboard([[ASK] * 5, [ASK], [ASK], [ASK], [ASK], [PAY]])["buttons"])
        == 6
    )
    assert keyboard.text_button("Я" * 40, {"a": "b" * 247}).action["label"] == "Я" * 40


@pytest.mark.parametrize("label", ["", "   ", "Я" * 41])
def test_empty_or_too_long_label_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        keyboard.text_button(label, {})
    with pytest.raises(ValueError, match="label"):
        keyboard.link_button(label, "https://pay.example/")


def test_payload_limit_counts_json_characters() -> None:
    with pytest.raises(ValueError, match="payload"):
        keyboard.callback_button("Да", {"a": "b" * 248})
    assert keyboard.callback_button("Да", {"a": "ж" * 247}).action["payload"].count("ж") == 247


@pytest.mark.parametrize(
    "link", ["", "javascript:alert(1)", "vk.com/club1", "https://", "https://a/" + "b" * 2048]
)
def test_button_link_must_be_http_url(link: str) -> None:
    with pytest.raises(ValueError, match="link"):
        keyboard.link_button("Открыть", link)


def test_long_title_is_shortened_to_label_length() -> None:
    assert keyboard.fit_label("Маникюр\n  с покрытием") == "Маникюр с покрытием"
    label = keyboard.fit_label("Маникюр с покрытием и очень долгим названием")
    assert len(label) <= 40
    assert label.endswith("…")
