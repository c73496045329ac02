"""Seller requisites: INN and OGRN checksums, completeness, URLs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.accounts.shop import (
    Seller,
    SellerKind,
    check_seller,
    is_valid_inn,
    is_valid_ogrn,
    is_web_url,
)
from tests.domain.factories import SHOP

COMPANY, IP, NPD = SellerKind.COMPANY, SellerKind.IP, SellerKind.NPD


@pytest.mark.parametrize(
    ("inn", "kind", "expected"),
    [
        ("7707083893", COMPANY, True),
        ("7707083894", COMPANY, False),
        ("500100732259", IP, True),
        ("500100732259", NPD, True),
        ("771234567859", IP, True),
        ("771234567859", NPD, True),
        ("771234567858", NPD, False),
        ("771234567869", NPD, False),  # the eleventh digit
        ("7707083893", IP, False),  # a company's INN for a sole proprietor
        ("500100732259", COMPANY, False),
        ("0000000000", COMPANY, False),
        ("000000000000", IP, False),
        ("770708389", COMPANY, False),
        ("77070838930", COMPANY, False),
        (" 7707083893", COMPANY, False),
        ("7707083893\n", COMPANY, False),
        ("٧٧٠٧٠٨٣٨٩٣", COMPANY, False),
        ("７７０７０８３８９３", COMPANY, False),
        ("77070838a3", COMPANY, False),
        ("", COMPANY, False),
    ],
)
def test_inn_is_validated_by_length_and_checksum(
    inn: str, kind: SellerKind, expected: bool
) -> None:
    assert is_valid_inn(inn, kind) is expected


@pytest.mark.parametrize(
    ("ogrn", "kind", "expected"),
    [
        ("1027700132195", COMPANY, True),
        ("1027700132194", COMPANY, False),
        ("2027700132194", COMPANY, False),  # a company's OGRN begins with 1 or 5
        ("325774600000039", IP, True),  # remainder 9
        ("325774600000040", IP, True),  # remainder 10: the check digit is 0
        ("325774600000051", IP, True),  # remainder 11
        ("325774600000062", IP, True),  # remainder 12
        ("325774600000038", IP, False),
        ("325774600000041", IP, False),
        ("325774600000039", COMPANY, False),
        ("1027700132195", IP, False),
        ("0000000000000", COMPANY, False),
        ("000000000000000", IP, False),
        ("325774600000039", NPD, False),
        ("", NPD, True),
        ("", COMPANY, False),
        ("", IP, False),
    ],
)
def test_ogrn_is_validated_by_length_and_checksum(
    ogrn: str, kind: SellerKind, expected: bool
) -> None:
    assert is_valid_ogrn(ogrn, kind) is expected


@given(st.integers(0, 9), st.integers(0, 9))
def test_one_wrong_digit_of_inn_is_detected(index: int, digit: int) -> None:
    inn = "7707083893"
    typed = inn[:index] + str(digit) + inn[index + 1 :]
    assert is_valid_inn(typed, COMPANY) is (typed == inn)


def problems_with(**fields: str) -> set[tuple[str, str]]:
    seller = replace(SHOP.seller, **fields)  # type: ignore[arg-type]
    return {(problem.field, problem.code) for problem in check_seller(seller)}


def test_invalid_requisites_are_reported_by_field() -> None:
    assert problems_with() == set()
    assert problems_with(inn="") == set()  # an empty field is incomplete, not invalid
    assert problems_with(inn="7707083893") == {("inn", "inn_length")}
    assert problems_with(inn="500100732250") == {("inn", "inn_checksum")}
    assert problems_with(ogrn="1") == {("ogrn", "ogrnip")}
    assert problems_with(kind=COMPANY, inn="7707083893") == {("ogrn", "ogrn")}
    assert problems_with(kind=NPD) == {("ogrn", "ogrn_npd")}
    assert problems_with(offer_url="example.com/offer") == {("offer_url", "url")}
    assert problems_with(policy_url="javascript:alert(1)") == {("policy_url", "url")}


def test_requisites_are_complete_only_with_legally_required_fields() -> None:
    seller = SHOP.seller
    assert seller.is_complete
    assert not Seller().is_complete
    for field in ("full_name", "inn", "ogrn", "refund_terms"):
        assert not replace(seller, **{field: ""}).is_complete  # type: ignore[arg-type]
    assert replace(seller, phone="").is_complete
    assert not replace(seller, phone="", email="").is_complete
    assert not replace(seller, inn="500100732250").is_complete
    assert replace(seller, kind=NPD, ogrn="").is_complete


@pytest.mark.parametrize(
    "url",
    [
        "https://vk.me/studio",
        "http://127.0.0.1:8000/back?order={invoice}&status={status}",
        "http://[::1]:8000/",
        "https://магазин.рф/спасибо",
        "https://example.com",
        "https://example.com?x=1",
        "https://example.com/#done",
        "https://example.com/@studio",
    ],
)
def test_http_url_is_accepted(url: str) -> None:
    assert is_web_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com",
        "ftp://example.com",
        "javascript:alert(1)",
        "data:text/html,x",
        " https://example.com",
        "https://",
        "https://?x",
        "https://:80/",
        "https:///path",
        "https://bank.ru@evil.example/",
        "https://user:pass@example.com/",
        "https://example.com/a b",
        "https://example.com/\x00",
        "https://example.com/\x1b",
        "https://example.com/\n",
        "https://example.com\\@evil.example",
        'https://example.com/"onclick="x',
        "https://example.com:port/",
        "https://example.com/" + "a" * 2000,
    ],
)
def test_deceptive_or_malformed_url_is_refused(url: str) -> None:
    assert not is_web_url(url)
