"""Invoices at the API: issued, read, listed, called off; faults told by field, all at once."""

from typing import Any

import pytest

from tests.web.api_stage import ASKED, RUB_1500, Program
from tests.world import World

WHOLE: dict[str, Any] = {
    "title": " Маникюр ",
    "amount": RUB_1500,
    "description": "С покрытием",
    "items": [
        {"name": "Маникюр", "quantity": "1", "price": {"value": "1000.00", "currency": "RUB"}},
        {"name": "Покрытие", "quantity": "2", "price": {"value": "250", "currency": "RUB"}},
    ],
    "ask": [
        {"key": "email", "required": True},
        {"key": "phone"},
        {"key": "wish", "kind": "text", "label": "Пожелания"},
        {"key": "size", "kind": "select", "label": "Размер", "options": ["S", "M"]},
    ],
    "return_url": "https://vk.me/studio",
    "expires_at": "2036-12-31T23:59:59+03:00",
    "max_payments": None,
    "metadata": {"order": "42"},
}


def codes(answer: Any) -> set[tuple[str, str]]:
    """Field and code of every fault of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    return {(fault["field"], fault["code"]) for fault in answer.json()["errors"]}


async def test_an_invoice_is_issued_with_everything_that_was_asked(program: Program) -> None:
    answer = await program.post("/invoices", WHOLE)
    made = answer.json()
    assert answer.status_code == 201
    assert made["id"].startswith("inv_")
    assert made["number"] == "1"
    assert made["status"] == "open"
    assert made["url"].startswith("http://127.0.0.1:8000/i/")
    assert (made["title"], made["amount"]) == ("Маникюр", RUB_1500)
    assert made["items"][1]["price"] == {"value": "250.00", "currency": "RUB"}
    assert made["ask"][0] == {
        "key": "email",
        "kind": "email",
        "label": "",
        "required": True,
        "options": [],
        "hint": "",
    }
    assert made["ask"][3]["options"] == ["S", "M"]
    assert made["expires_at"] == "2036-12-31T20:59:59Z"
    assert (made["max_payments"], made["paid_count"]) == (None, 0)
    assert made["metadata"] == {"order": "42"}
    assert made["created_at"].endswith("Z")
    assert (await program.get(f"/invoices/{made['id']}")).json() == made


async def test_the_link_opens_the_payment_page(program: Program) -> None:
    made = await program.issued()
    page = await program.http.get(made["url"])
    assert page.status_code == 200
    assert "Маникюр" in page.text


async def test_the_latest_expiry_there_is_can_be_shown_everywhere(program: Program) -> None:
    made = await program.issued(expires_at="2200-01-01T23:59:59Z")
    assert made["expires_at"] == "2200-01-01T23:59:59Z"
    assert (await program.http.get(made["url"])).status_code == 200


async def test_invoices_are_listed_newest_first_in_parts(program: Program) -> None:
    made = [(await program.issued(title=f"Счёт {n}"))["id"] for n in range(5)]
    first = (await program.get("/invoices?limit=2")).json()
    second = (await program.get(f"/invoices?limit=2&cursor={first['next_cursor']}")).json()
    third = (await program.get(f"/invoices?limit=2&cursor={second['next_cursor']}")).json()
    seen = [one["id"] for part in (first, second, third) for one in part["data"]]
    assert seen == made[::-1]
    assert third["next_cursor"] is None


async def test_a_list_is_narrowed_by_state_and_words(program: Program) -> None:
    kept, gone = await program.issued(title="Массаж"), await program.issued(title="Стрижка")
    await program.post(f"/invoices/{gone['id']}/void")
    opened = (await program.get("/invoices?status=open")).json()["data"]
    found = (await program.get("/invoices?query=стриж")).json()["data"]
    assert [one["id"] for one in opened] == [kept["id"]]
    assert [one["id"] for one in found] == [gone["id"]]


async def test_an_invoice_is_called_off_and_again_without_harm(program: Program) -> None:
    made = await program.issued()
    for _ in range(2):
        answer = await program.post(f"/invoices/{made['id']}/void")
        assert (answer.status_code, answer.json()["status"]) == (200, "void")


async def test_a_paid_invoice_cannot_be_called_off(program: Program, world: World) -> None:
    payment = await world.paid()
    answer = await program.post(f"/invoices/{payment.invoice_id}/void")
    assert (answer.status_code, answer.json()["code"]) == (409, "invoice_already_paid")


async def test_an_open_invoice_whose_time_is_over_reads_as_expired(
    program: Program, world: World
) -> None:
    made = await program.issued(expires_at="2036-01-01T00:00:00Z")
    world.clock.move(days=365 * 12)
    assert (await program.get(f"/invoices/{made['id']}")).json()["status"] == "expired"


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (b"{}", {("title", "required"), ("amount", "required")}),
        (b"[]", {("", "shape")}),
        (b'"text"', {("", "shape")}),
        (
            b'{"title": 1, "amount": {"value": 1500}, "ask": [{"key": 1}], "colour": "red"}',
            {
                ("title", "shape"),
                ("amount.value", "shape"),
                ("amount.currency", "required"),
                ("ask.0.key", "shape"),
                ("colour", "unknown_field"),
            },
        ),
        (
            (
                b'{"title": "\\u0000", "amount": {"value": "1", "currency": "RUB"},'
                b' "metadata": {"\\u0001": "a"}}'
            ),
            {("title", "characters"), ("metadata", "characters")},
        ),
    ],
)
async def test_every_fault_of_the_shape_is_told_at_once(
    program: Program, body: bytes, faults: set[tuple[str, str]]
) -> None:
    answer = await program.post("/invoices", body)
    assert answer.status_code == 422
    assert codes(answer) == faults


async def test_every_fault_of_the_meaning_is_told_at_once(program: Program) -> None:
    answer = await program.post(
        "/invoices",
        {
            "title": " ",
            "amount": {"value": "15,00", "currency": "RUB"},
            "items": [{"name": "", "price": {"value": "1.005", "currency": "RUB"}}],
            "ask": [{"key": "wish"}, {"key": "size", "kind": "shoe", "label": "Размер"}],
            "return_url": "javascript:alert(1)",
            "expires_at": "2020-01-01T00:00:00Z",
            "max_payments": 0,
        },
    )
    assert codes(answer) == {
        ("title", "required"),
        ("amount.value", "money_format"),
        ("items.0.name", "required"),
        ("items.0.price.value", "money_fraction"),
        ("ask.0.kind", "required"),
        ("ask.0.label", "required"),
        ("ask.1.kind", "choose"),
        ("return_url", "url"),
        ("expires_at", "in_the_past"),
        ("max_payments", "range"),
    }


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"amount": {"value": "0", "currency": "RUB"}}, ("amount", "money_positive")),
        ({"amount": {"value": "-1", "currency": "RUB"}}, ("amount.value", "money_format")),
        ({"amount": {"value": "1", "currency": "XXX"}}, ("amount.currency", "money_currency")),
        ({"amount": {"value": "9" * 12, "currency": "RUB"}}, ("amount.value", "money_too_large")),
        ({"items": [{"name": "x", "price": RUB_1500, "quantity": "2"}]}, ("items", "items_sum")),
        ({"expires_at": "2036-01-01T00:00:00"}, ("expires_at", "shape")),
        ({"expires_at": "tomorrow"}, ("expires_at", "shape")),
        ({"expires_at": "2200-01-02T00:00:00Z"}, ("expires_at", "too_far")),
        ({"expires_at": "9999-12-31T23:59:59Z"}, ("expires_at", "too_far")),
        ({"expires_at": "9999-12-31T23:59:59-23:59"}, ("expires_at", "too_far")),
        ({"max_payments": 1.5}, ("max_payments", "shape")),
        ({"max_payments": 10**30}, ("max_payments", "range")),
        ({"metadata": {"k" * 41: "v"}}, ("metadata", "metadata")),
        ({"ask": [{"key": "email"}, {"key": "email"}]}, ("ask.1.key", "key_twice")),
    ],
)
async def test_one_fault_is_told_by_its_field(
    program: Program, more: dict[str, Any], fault: tuple[str, str]
) -> None:
    answer = await program.post("/invoices", ASKED | more)
    assert answer.status_code == 422, answer.text
    assert fault in codes(answer)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("limit=0", ("limit", "range")),
        ("limit=101", ("limit", "range")),
        ("limit=ten", ("limit", "range")),
        ("cursor=x", ("cursor", "cursor")),
        ("status=lost", ("status", "choose")),
        ("state=open", ("state", "unknown_field")),
    ],
)
async def test_a_list_asked_wrongly_says_what_is_wrong(
    program: Program, query: str, fault: tuple[str, str]
) -> None:
    answer = await program.get(f"/invoices?{query}")
    assert answer.status_code == 422
    assert codes(answer) == {fault}
