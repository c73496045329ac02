"""Phone numbers as people in Russia and abroad write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing.question import parse_phone
from sigma.domain.errors import Problem


@pytest.mark.parametrize(
    "typed",
    [
        "+79161234567",
        "+7 916 123-45-67",
        "+7 (916) 123-45-67",
        "+7(916)1234567",
        "+7-916-123-45-67",
        "8 916 123 45 67",
        "8(916)123-45-67",
        "8-916-123-45-67",
        "89161234567",
        "8 9161234567",
        "79161234567",
        "7 916 123 45 67",
        "9161234567",
        "916 123-45-67",
        "(916) 123-45-67",
        "  +7 916 123-45-67  ",
        "+7\u00a0916\u00a0123\u201145\u201167",  # no-break spaces and hyphens
        "+7.916.123.45.67",
        "+8 916 123-45-67",  # no country has the code 8: the trunk prefix is meant
        "8-916-123-45-67 доб. 12",
        "тел. 8 916 123-45-67",
    ],
)
def test_russian_mobile_phone_in_any_common_spelling_is_normalized(typed: str) -> None:
    assert parse_phone(typed) == "+79161234567"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("8 800 555-35-35", "+78005553535"),
        ("495 123-45-67", "+74951234567"),
        ("8 (4852) 12-34-56", "+74852123456"),
        ("8 8172 12-34-56", "+78172123456"),
        ("+77011234567", "+77011234567"),  # Kazakhstan shares the code
        ("+375 29 123-45-67", "+375291234567"),
        ("+1 202 555 0123", "+12025550123"),
        ("+84 912 345 678", "+84912345678"),
        ("8-10-84-912-345-678", "+84912345678"),
        ("8 10 375 29 123 45 67", "+375291234567"),
        ("3532 21-23-45", "+73532212345"),
        ("+960 771 2345", "+9607712345"),
        ("+852 9123 4567", "+85291234567"),
        ("+81 90-1234-5678", "+819012345678"),
        ("+86 138 1234 5678", "+8613812345678"),
        ("+880 1712-345678", "+8801712345678"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("+90 532 123 45 67", "+905321234567"),
        ("(+84) 912 345 678", "+84912345678"),
        ("тел.: +84 912 345 678", "+84912345678"),
        ("＋84 912 345 678", "+84912345678"),
        ("\u202a+84 912 345 678\u202c", "+84912345678"),
        ("00375 29 123-45-67", "+375291234567"),
        ("8 10 375 29 123-45-67", "+375291234567"),
    ],
)
def test_landline_and_foreign_phones_are_parsed(typed: str, stored: str) -> None:
    assert parse_phone(typed) == stored


@pytest.mark.parametrize(
    ("typed", "example"),
    [
        ("375291234567", "+375 29 123-45-67"),
        ("375 (29) 123-45-67", "+375 29 123-45-67"),
        ("998901234567", "+998 90 123 45 67"),
        ("84 912 345 678", "+84 912 345 678"),
        ("852 9123 4567", "+852 9123 4567"),
        ("374 91 123456", "+374 91 123456"),
        ("1 202 555 0123", "+1 202-555-0123"),
        ("90 532 123 45 67", "+90 532 123 45 67"),
        ("47 40 61 23 45", "+47 40 61 23 45"),
        ("49 30 123456", "+49 30 123456"),
        ("353 22 12345", "+353 22 12345"),
    ],
)
def test_foreign_phone_without_plus_is_refused_with_the_plus_as_a_hint(
    typed: str, example: str
) -> None:
    assert parse_phone(typed) == Problem("phone", "phone_plus", {"example": example})


@given(st.from_regex(r"\+[1-9][0-9 ()-]{6,20}", fullmatch=True))
def test_phone_with_plus_keeps_its_country(typed: str) -> None:
    digits = "".join(c for c in typed if c.isdigit())
    phone = parse_phone(typed)
    if isinstance(phone, str) and not digits.startswith("89"):
        assert phone[1:3] == digits[:2] or phone[1:2] == digits[:1] in ("1", "7")


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("8916123456", "phone_short"),
        ("+7916123456", "phone_short"),
        ("916123456", "phone_short"),
        ("+791612345678", "phone_long"),
        ("891612345678", "phone_long"),
        ("+7 000 000 00 00", "phone"),
        ("позвоните мне", "phone"),
        ("12", "phone_short"),
        ("+", "phone"),
        ("9" * 300, "phone"),
    ],
)
def test_invalid_phone_is_refused_with_reason(typed: str, code: str) -> None:
    problem = parse_phone(typed)
    assert isinstance(problem, Problem)
    assert problem.code == code
