"""Bank card numbers are found in texts; phones, accounts and order numbers are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.bank_cards import contains_card_number, mask_card_numbers

CARDS = [
    "2200000000000004",  # Мир
    "2204120100001234565",
    "4111111111111111",  # Visa
    "5555555555554444",  # Mastercard
    "2223003122003222",
    "378282246310005",  # American Express
    "6200000000000005",  # UnionPay
    "3530111333300000",  # JCB
    "6011111111111117",  # Discover
    "6759649826438453",  # Maestro
    "8600123456789014",  # Uzcard
]


def with_check_digit(digits: str) -> str:
    """Return the digits with their Luhn check digit appended."""
    total = 0
    for n, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 if n % 2 else 2)
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)


def in_groups(number: str, separator: str) -> str:
    return separator.join(number[n : n + 4] for n in range(0, len(number), 4))


@pytest.mark.parametrize("card", [with_check_digit(c[:-1]) for c in CARDS])
@pytest.mark.parametrize("pattern", ["{}", "моя карта {}, спасибо", "карта{}!", "№{} 12/29 123"])
def test_card_number_is_found_in_a_text(card: str, pattern: str) -> None:
    assert contains_card_number(pattern.format(card))
    assert contains_card_number(pattern.format(in_groups(card, " ")))


@pytest.mark.parametrize("separator", [*" -\u00a0\u2011–./_|,:+", " - ", "  ", "   ", ")("])
def test_card_number_is_found_in_any_grouping(separator: str) -> None:
    assert contains_card_number(in_groups(CARDS[0], separator))


@pytest.mark.parametrize(
    "text",
    [
        "3782 822463 10005",
        "3056 930902 5904",  # Diners Club as printed
        "41 11 11 11 11 11 11 11",
        "41111111 11111111",
        "4111 1111 11111111",
        "4111 1111 1111 1111 4111 1111 1111 1111",  # twice
        "(4111)(1111)(1111)(1111)",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "４１１１１１１１１１１１１１１１",
        "٤١١١١١١١١١١١١١١١",
        "12 4111111111111111",
        "4111 1111 1111 1111 1229",  # the expiry follows
        "заказ 15, карта 4111 1111 1111 1111, телефон 8 916 123-45-67",
    ],
)
def test_card_number_in_an_unusual_spelling_is_found(text: str) -> None:
    assert contains_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111111111111112",  # wrong check digit
        "4111 **** **** 1111",
        "+7 916 123-45-67",
        "8 (916) 123-45-67, 8 (903) 765-43-21",
        "+375 29 123-45-67 +375 29 765-43-21",
        "500100732259",  # ИНН
        "325774600000039",  # ОГРНИП
        "1027700132195",  # ОГРН
        "40817810099910004312",  # bank account
        "4081 7810 0999 1000 4312",
        "30101810400000000225 044525225",  # correspondent account and БИК
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "KZ86125KZT5004100100",
        "NL91ABNA0417164300",
        "112-233-445 95",  # СНИЛС
        "80081699123457",  # tracking number of Почта России
        "39400088123456",
        "RB123456785CN",
        "1Z999AA10123456784",
        "2026112800000017",
        "1790000000000000",  # microseconds
        "4606453849072",  # EAN-13
        "ISBN 978-5-17-118366-0",
        "45 07 123456",  # passport
        "550e8400-e29b-41d4-a716-446655440000",
        "заказ № 4111-25",
        "1500 2000 2500 3000",
        "4081 7810 0999 1000 4312 4081",
        "4111, 1111, 1111, 1111",  # prices
    ],
)
def test_phones_and_order_numbers_are_not_taken_for_card_numbers(text: str) -> None:
    assert not contains_card_number(text)


@given(st.integers(10**9, 10**15 - 1))
def test_international_phone_numbers_pass(number: int) -> None:
    if str(number)[:2] not in ("34", "37"):  # fifteen digits with the prefix of American Express
        assert not contains_card_number(f"+{number}")


@given(st.text(max_size=30), st.sampled_from(CARDS), st.text(max_size=30))
def test_mask_removes_every_card_number(before: str, card: str, after: str) -> None:
    masked = mask_card_numbers(f"{before} {card} {after}")
    assert not contains_card_number(masked)


def test_masking_keeps_the_rest_of_the_text() -> None:
    text = "Карта 4111 1111 1111 1111 и 2200000000000004, звоните 8 916 123-45-67"
    assert mask_card_numbers(text) == "Карта •••• и ••••, звоните 8 916 123-45-67"
    assert mask_card_numbers("без карт") == "без карт"
