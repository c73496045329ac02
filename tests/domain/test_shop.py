"""Requisites: the checksums of the tax service, and what is shown as complete."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.accounts.shop import Seller, SellerKind, check_seller, inn_ok, ogrn_ok, url_ok
from tests.domain.objects import SHOP

COMPANY, IP, NPD = SellerKind.COMPANY, SellerKind.IP, SellerKind.NPD


@pytest.mark.parametrize(
    ("inn", "kind", "good"),
    [
        ("7707083893", COMPANY, True),
        ("7707083894", COMPANY, False),
        ("500100732259", IP, True),
        ("500100732259", NPD, True),
        ("771234567859", IP, True),
        ("771234567859", NPD, True),
        ("771234567858", NPD, False),
        ("771234567869", NPD, False),  # the eleventh digit
        ("7707083893", IP, False),  # a company's number for a person
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
def test_an_inn_is_right_or_wrong(inn: str, kind: SellerKind, good: bool) -> None:
    assert inn_ok(inn, kind) is good


@pytest.mark.parametrize(
    ("ogrn", "kind", "good"),
    [
        ("1027700132195", COMPANY, True),
        ("1027700132194", COMPANY, False),
        ("2027700132194", COMPANY, False),  # no company's number begins so
        ("325774600000039", IP, True),  # remainder 9
        ("325774600000040", IP, True),  # 10: its last digit is 0
        ("325774600000051", IP, True),  # 11
        ("325774600000062", IP, True),  # 12
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
def test_an_ogrn_is_right_or_wrong(ogrn: str, kind: SellerKind, good: bool) -> None:
    assert ogrn_ok(ogrn, kind) is good


@given(st.integers(0, 9), st.integers(0, 9))
def test_one_wrong_digit_of_an_inn_is_noticed(place: int, digit: int) -> None:
    inn = "7707083893"
    typed = inn[:place] + str(digit) + inn[place + 1 :]
    assert inn_ok(typed, COMPANY) is (typed == inn)


def faults(**fields: str) -> set[tuple[str, str]]:
    seller = replace(SHOP.seller, **fields)  # type: ignore[arg-type]
    return {(problem.field, problem.code) for problem in check_seller(seller)}


def test_what_is_wrong_with_requisites_is_told_by_field() -> None:
    assert faults() == set()
    assert faults(inn="") == set()  # not filled is incomplete, not wrong
    assert faults(inn="7707083893") == {("inn", "inn_length")}
    assert faults(inn="500100732250") == {("inn", "inn_checksum")}
    assert faults(ogrn="1") == {("ogrn", "ogrnip")}
    assert faults(kind=COMPANY, inn="7707083893") == {("ogrn", "ogrn")}
    assert faults(kind=NPD) == {("ogrn", "ogrn_npd")}
    assert faults(offer_url="example.com/offer") == {("offer_url", "url")}
    assert faults(policy_url="javascript:alert(1)") == {("policy_url", "url")}


def test_the_tick_needs_what_a_client_must_be_able_to_read() -> None:
    seller = SHOP.seller
    assert seller.complete
    assert not Seller().complete
    for field in ("full_name", "inn", "ogrn", "refund_terms"):
        assert not replace(seller, **{field: ""}).complete  # type: ignore[arg-type]
    assert replace(seller, phone="").complete
    assert not replace(seller, phone="", email="").complete
    assert not replace(seller, inn="500100732250").complete
    assert replace(seller, kind=NPD, ogrn="").complete


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
def test_an_address_that_a_browser_can_open_is_taken(url: str) -> None:
    assert url_ok(url)


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
def test_an_address_that_may_deceive_or_break_is_refused(url: str) -> None:
    assert not url_ok(url)
