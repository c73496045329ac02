"""Services and the name of their public page: what is right, what an invoice begins with."""

from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.accounts.slug import check_slug
from sigma.domain.billing.question import Kind, Question
from sigma.domain.catalogue.service import (
    PriceKind,
    Service,
    Template,
    check_service,
    draft_of,
    moved,
)
from sigma.domain.errors import Refused
from sigma.domain.money import Money
from tests.domain.objects import NOW, SHOP

DAY = 86_400_000_000


def service(**more: Any) -> Service:
    usual: dict[str, Any] = {
        "id": "svc_1",
        "shop_id": SHOP.id,
        "title": "Маникюр",
        "created_at": NOW,
        "price": PriceKind.FIXED,
        "amount": Money(150_000),
    }
    return Service(**(usual | more))


def wrong(**more: Any) -> set[tuple[str, str]]:
    return {(p.field, p.code) for p in check_service(service(**more))}


def test_a_usual_service_is_right() -> None:
    assert wrong() == set()
    assert wrong(price=PriceKind.AGREEMENT, amount=None, description="Строка\nи ещё") == set()


@pytest.mark.parametrize(
    ("more", "field", "code"),
    [
        ({"title": "  "}, "title", "required"),
        ({"title": "я" * 101}, "title", "too_long"),
        ({"title": "а\nб"}, "title", "characters"),
        ({"description": "я" * 4001}, "description", "too_long"),
        ({"description": "а\0б"}, "description", "characters"),
        ({"amount": None}, "amount", "required"),
        ({"amount": Money(0)}, "amount", "money_positive"),
        ({"price": PriceKind.FROM, "amount": None}, "amount", "required"),
        ({"template": Template(expires_days=0)}, "expires_days", "range"),
        ({"template": Template(expires_days=366)}, "expires_days", "range"),
        ({"template": Template(return_url="vk.me/x")}, "return_url", "url"),
        ({"template": Template((Question("wish", Kind.TEXT),))}, "ask.0.label", "required"),
    ],
)
def test_each_fault_is_named(more: dict[str, Any], field: str, code: str) -> None:
    assert wrong(**more) == {(field, code)}


def test_only_a_fixed_price_that_is_shown_can_be_paid_without_asking() -> None:
    assert service().payable
    assert not service(visible=False).payable
    assert not service(deleted_at=NOW).payable
    assert not service(price=PriceKind.FROM).payable
    assert not service(price=PriceKind.AGREEMENT, amount=None).payable


def test_an_invoice_begins_with_the_template() -> None:
    ask = (Question("wish", Kind.TEXT, "Пожелания"),)
    template = Template(ask, 3, "https://vk.me/studio")
    made = draft_of(service(description="Полтора часа", template=template), NOW)
    assert made.amount == Money(150_000)
    assert made.questions == ask
    assert made.expires_at == NOW + 3 * DAY
    assert made.return_url == "https://vk.me/studio"
    assert made.service_id == "svc_1"
    assert draft_of(service(template=Template(expires_days=None)), NOW).expires_at is None


@pytest.mark.parametrize("price", [PriceKind.FROM, PriceKind.AGREEMENT])
def test_an_open_price_needs_an_agreed_sum(price: PriceKind) -> None:
    asked = service(price=price, amount=Money(100) if price is PriceKind.FROM else None)
    with pytest.raises(Refused, match="service_not_payable"):
        draft_of(asked, NOW)
    assert draft_of(asked, NOW, Money(5)).amount == Money(5)


def test_moving_changes_only_the_places_that_change() -> None:
    rows = [service(id=f"svc_{n}", position=n) for n in range(4)]
    assert {(s.id, s.position) for s in moved(rows, "svc_2", -1)} == {("svc_2", 1), ("svc_1", 2)}
    assert moved(rows, "svc_0", -1) == []
    assert moved(rows, "svc_9", 1) == []
    tangled = [replace(s, position=0) for s in rows]
    assert {(s.id, s.position) for s in moved(tangled, "svc_3", 1)} == {
        ("svc_1", 1),
        ("svc_2", 2),
        ("svc_3", 3),
    }


@pytest.mark.parametrize("slug", ["lak", "studio-lak", "a1b", "a" * 40, "2-2", "a--b"])
def test_a_good_name_of_a_page(slug: str) -> None:
    assert check_slug(slug) is None


@pytest.mark.parametrize(
    "slug", ["", "ab", "a" * 41, "Lak", "лак", "a_b", "-ab", "ab-", "a b", "a/b", "lak\n", "١٢٣"]
)
def test_a_bad_name_of_a_page(slug: str) -> None:
    problem = check_slug(slug)
    assert problem is not None
    assert problem.code == "slug_format"


@pytest.mark.parametrize("slug", ["admin", "sigma", "pay", "vkontakte"])
def test_a_name_that_would_look_like_ours_is_taken(slug: str) -> None:
    problem = check_slug(slug)
    assert problem is not None
    assert problem.code == "slug_taken"
