"""Contacts of an erased client disappear from texts that stay, whatever their spelling."""

import pytest

from sigma.domain.personal_data.erasure import REMOVED, contact_scrubber

SCRUBBER = contact_scrubber(
    names=["Анна Ким", "Ли"], emails=["anna@mail.ru"], phones=["+79161234567", "+84912345678"]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Маникюр для Анна Ким", f"Маникюр для {REMOVED}"),
        ("АННА  КИМ, 10:00", f"{REMOVED}, 10:00"),
        ("anna@mail.ru, Anna@Mail.RU", f"{REMOVED}, {REMOVED}"),
        ("тел. 8 (916) 123-45-67.", f"тел. {REMOVED}."),
        ("+7 916 123 45 67", REMOVED),
        ("9161234567", REMOVED),
        ("79161234567", REMOVED),
        ("+84 912 345 678", REMOVED),
        ("Заказ 1239161234567890", "Заказ 1239161234567890"),
        ("Анна Кимова, Ли, маникюр", "Анна Кимова, Ли, маникюр"),
        ("", ""),
    ],
)
def test_contact_is_replaced_and_nothing_else(text: str, expected: str) -> None:
    assert SCRUBBER.text(text) == expected


def test_values_of_json_are_scrubbed_at_every_depth() -> None:
    value = {"a": ["Анна Ким", {"b": "anna@mail.ru", "n": 5}], "c": None}
    assert SCRUBBER.value(value) == {"a": [REMOVED, {"b": REMOVED, "n": 5}], "c": None}


def test_client_without_contacts_changes_no_text() -> None:
    assert contact_scrubber().text("Маникюр") == "Маникюр"
