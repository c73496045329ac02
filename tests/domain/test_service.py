"""Services and the slug of their public page: validation, invoice drafts, order."""

from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.accounts.slug import check_slug
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.catalogue.service import (
    InvoiceTemplate,
    PriceKind,
    Service,
    ServiceFields,
    check_service,
    draft_invoice,
    grouped,
    reordered,
    reordered_category,
    with_fields,
)
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from tests.domain.factories import NOW_US, SHOP

DAY_US = 86_400_000_000


def service(**more: Any) -> Service:
    usual: dict[str, Any] = {
        "id": "svc_1",
        "shop_id": SHOP.id,
        "title": "Маникюр",
        "created_at_us": NOW_US,
        "price_kind": PriceKind.FIXED,
        "amount": Money(150_000),
    }
    return Service(**(usual | more))


def problems(**more: Any) -> set[tuple[str, str]]:
    return {(p.field, p.code) for p in check_service(service(**more))}


def test_usual_service_is_valid() -> None:
    assert problems() == set()
    by_agreement = {"price_kind": PriceKind.AGREEMENT, "amount": None}
    assert problems(**by_agreement, description="Строка\nи ещё") == set()


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
        ({"price_kind": PriceKind.FROM, "amount": None}, "amount", "required"),
        ({"invoice_template": InvoiceTemplate(expires_days=0)}, "expires_days", "range"),
        ({"invoice_template": InvoiceTemplate(expires_days=366)}, "expires_days", "range"),
        ({"invoice_template": InvoiceTemplate(return_url="vk.me/x")}, "return_url", "url"),
        (
            {"invoice_template": InvoiceTemplate((Question("wish", QuestionKind.TEXT),))},
            "ask.0.label",
            "required",
        ),
    ],
)
def test_invalid_service_is_reported_with_field_and_code(
    more: dict[str, Any], field: str, code: str
) -> None:
    assert problems(**more) == {(field, code)}


@pytest.mark.parametrize("field", ["title", "description", "category", "external_id", "price_unit"])
def test_card_number_is_refused_in_every_text_of_a_service(field: str) -> None:
    assert (field, "card_number") in problems(**{field: "4111 1111 1111 1111"})


def test_only_visible_service_with_fixed_price_is_payable() -> None:
    assert service().is_payable
    assert not service(is_visible=False).is_payable
    assert not service(deleted_at_us=NOW_US).is_payable
    assert not service(price_kind=PriceKind.FROM).is_payable
    assert not service(price_kind=PriceKind.AGREEMENT, amount=None).is_payable


def test_invoice_draft_is_filled_from_service_template() -> None:
    questions = (Question("wish", QuestionKind.TEXT, "Пожелания"),)
    template = InvoiceTemplate(questions, 3, "https://vk.me/studio")
    draft = draft_invoice(service(description="Полтора часа", invoice_template=template), NOW_US)
    assert draft.amount == Money(150_000)
    assert draft.questions == questions
    assert draft.expires_at_us == NOW_US + 3 * DAY_US
    assert draft.return_url == "https://vk.me/studio"
    assert draft.service_id == "svc_1"
    unlimited = service(invoice_template=InvoiceTemplate(expires_days=None))
    assert draft_invoice(unlimited, NOW_US).expires_at_us is None


@pytest.mark.parametrize("price_kind", [PriceKind.FROM, PriceKind.AGREEMENT])
def test_draft_of_service_without_fixed_price_needs_agreed_amount(price_kind: PriceKind) -> None:
    amount = Money(100) if price_kind is PriceKind.FROM else None
    no_fixed_price = service(price_kind=price_kind, amount=amount)
    with pytest.raises(RefusedError, match="service_not_payable"):
        draft_invoice(no_fixed_price, NOW_US)
    assert draft_invoice(no_fixed_price, NOW_US, Money(5)).amount == Money(5)


def test_reordering_returns_only_services_with_new_position() -> None:
    rows = [service(id=f"svc_{n}", position=n) for n in range(4)]
    assert {(s.id, s.position) for s in reordered(rows, "svc_2", -1)} == {
        ("svc_2", 1),
        ("svc_1", 2),
    }
    assert reordered(rows, "svc_0", -1) == []
    assert reordered(rows, "svc_9", 1) == []
    unordered = [replace(s, position=0) for s in rows]
    assert {(s.id, s.position) for s in reordered(unordered, "svc_3", 1)} == {
        ("svc_1", 1),
        ("svc_2", 2),
        ("svc_3", 3),
    }


@pytest.mark.parametrize("slug", ["lak", "studio-lak", "a1b", "a" * 40, "2-2", "a--b"])
def test_valid_slug_is_accepted(slug: str) -> None:
    assert check_slug(slug) is None


@pytest.mark.parametrize(
    "slug", ["", "ab", "a" * 41, "Lak", "лак", "a_b", "-ab", "ab-", "a b", "a/b", "lak\n", "١٢٣"]
)
def test_malformed_slug_is_refused(slug: str) -> None:
    problem = check_slug(slug)
    assert problem is not None
    assert problem.code == "slug_format"


@pytest.mark.parametrize("slug", ["admin", "sigma", "pay", "vkontakte"])
def test_reserved_slug_is_refused_as_taken(slug: str) -> None:
    problem = check_slug(slug)
    assert problem is not None
    assert problem.code == "slug_taken"


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"price_kind": PriceKind.RANGE}, [("max_amount", "required")]),
        ({"price_kind": PriceKind.RANGE, "max_amount": Money(5)}, []),
        (
            {"price_kind": PriceKind.RANGE, "amount": Money(5), "max_amount": Money(5)},
            [("max_amount", "price_range")],
        ),
        (
            {"price_kind": PriceKind.RANGE, "amount": Money(5), "max_amount": Money(6, "USD")},
            [("max_amount", "money_currency")],
        ),
        ({"price_kind": PriceKind.FREE, "amount": Money(5)}, []),
        ({"category": "я" * 101}, [("category", "too_long")]),
        ({"price_unit": "я" * 31, "price_kind": PriceKind.FROM}, [("price_unit", "too_long")]),
    ],
)
def test_price_model_is_checked(fields: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    base: dict[str, Any] = {
        "title": "Зал",
        "price_kind": PriceKind.FIXED,
        "amount": Money(100),
    } | fields
    if fields.get("price_kind") is PriceKind.RANGE and "amount" not in fields:
        base["amount"] = None
    if problems:
        with pytest.raises(RefusedError) as caught:
            with_fields(service(), ServiceFields(**base))
        assert [(p.field, p.code) for p in caught.value.problems] == problems
    else:
        changed = with_fields(service(), ServiceFields(**base))
        assert changed.amount is None or changed.price_kind is not PriceKind.FREE


@pytest.mark.parametrize(
    ("unit", "is_payable"),
    [("", True), ("шт.", True), ("Сеанс", True), ("час", False), ("м²", False)],
)
def test_price_for_a_measure_is_not_payable_without_an_operator(
    unit: str, is_payable: bool
) -> None:
    priced = replace(service(), price_kind=PriceKind.FIXED, amount=Money(100), price_unit=unit)
    assert priced.is_payable is is_payable


def test_services_are_grouped_and_moved_within_their_category() -> None:
    rows = [
        replace(service(), id=f"svc_{n}", category=category, position=n)
        for n, category in enumerate(("Б", "А", "б ", "", "А"))
    ]
    groups = [(name, [s.id[-1] for s in members]) for name, members in grouped(rows)]
    assert groups == [("", ["3"]), ("Б", ["0", "2"]), ("А", ["1", "4"])]

    def order(moved: list[Service]) -> str:
        after = {s.id: s for s in rows} | {s.id: s for s in moved}
        return "".join(s.id[-1] for s in sorted(after.values(), key=lambda s: s.position))

    assert order(reordered(rows, "svc_2", -1)) == "32014"
    assert order(reordered(rows, "svc_0", -1)) == "30214"
    assert order(reordered_category(rows, "А", -1)) == "31402"
    assert order(reordered_category(rows, "А", 1)) == "30214"
    assert reordered_category(rows, "нет", 1) == []
