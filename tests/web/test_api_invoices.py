"""Invoices of the API: issue, read, list, void; all problems of a request are reported by field."""

import json
from typing import Any

import pytest

from tests.web.api_harness import INVOICE_REQUEST, RUB_1500, ApiClient
from tests.world import World

FULL_REQUEST: dict[str, Any] = {
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


def error_codes(response: Any) -> set[tuple[str, str]]:
    """Return field and code of every error of a problem document."""
    assert response.headers["content-type"] == "application/problem+json"
    return {(error["field"], error["code"]) for error in response.json()["errors"]}


async def test_invoice_is_issued_with_every_requested_field(api_client: ApiClient) -> None:
    response = await api_client.post("/invoices", FULL_REQUEST)
    invoice = response.json()
    assert response.status_code == 201
    assert invoice["id"].startswith("inv_")
    assert invoice["number"] == "1"
    assert invoice["status"] == "open"
    assert invoice["url"].startswith("http://127.0.0.1:8000/i/")
    assert (invoice["title"], invoice["amount"]) == ("Маникюр", RUB_1500)
    assert invoice["items"][1]["price"] == {"value": "250.00", "currency": "RUB"}
    assert invoice["ask"][0] == {
        "key": "email",
        "kind": "email",
        "label": "",
        "required": True,
        "options": [],
        "hint": "",
        "show_on_receipt": False,
    }
    assert invoice["ask"][3]["options"] == ["S", "M"]
    assert invoice["expires_at"] == "2036-12-31T20:59:59Z"
    assert (invoice["max_payments"], invoice["paid_count"]) == (None, 0)
    assert invoice["metadata"] == {"order": "42"}
    assert invoice["created_at"].endswith("Z")
    assert (await api_client.get(f"/invoices/{invoice['id']}")).json() == invoice


async def test_invoice_url_opens_the_payment_page(api_client: ApiClient) -> None:
    invoice = await api_client.create_invoice()
    page = await api_client.http.get(invoice["url"])
    assert page.status_code == 200
    assert "Маникюр" in page.text


async def test_latest_allowed_expiry_is_rendered(api_client: ApiClient) -> None:
    invoice = await api_client.create_invoice(expires_at="2200-01-01T23:59:59Z")
    assert invoice["expires_at"] == "2200-01-01T23:59:59Z"
    assert (await api_client.http.get(invoice["url"])).status_code == 200


async def test_invoices_are_listed_newest_first_page_by_page(api_client: ApiClient) -> None:
    issued = [(await api_client.create_invoice(title=f"Счёт {n}"))["id"] for n in range(5)]
    first = (await api_client.get("/invoices?limit=2")).json()
    second = (await api_client.get(f"/invoices?limit=2&cursor={first['next_cursor']}")).json()
    third = (await api_client.get(f"/invoices?limit=2&cursor={second['next_cursor']}")).json()
    listed = [invoice["id"] for part in (first, second, third) for invoice in part["data"]]
    assert listed == issued[::-1]
    assert third["next_cursor"] is None


async def test_invoices_are_filtered_by_status_and_query(api_client: ApiClient) -> None:
    open_invoice = await api_client.create_invoice(title="Массаж")
    void_invoice = await api_client.create_invoice(title="Стрижка")
    await api_client.post(f"/invoices/{void_invoice['id']}/void")
    by_status = (await api_client.get("/invoices?status=open")).json()["data"]
    by_query = (await api_client.get("/invoices?query=стрижки")).json()["data"]
    assert [invoice["id"] for invoice in by_status] == [open_invoice["id"]]
    assert [invoice["id"] for invoice in by_query] == [void_invoice["id"]]


async def test_voiding_a_void_invoice_changes_nothing(api_client: ApiClient) -> None:
    invoice = await api_client.create_invoice()
    for _ in range(2):
        response = await api_client.post(f"/invoices/{invoice['id']}/void")
        assert (response.status_code, response.json()["status"]) == (200, "void")


async def test_paid_invoice_cannot_be_voided(api_client: ApiClient, world: World) -> None:
    payment = await world.complete_payment()
    response = await api_client.post(f"/invoices/{payment.invoice_id}/void")
    assert (response.status_code, response.json()["code"]) == (409, "invoice_already_paid")


async def test_open_invoice_past_its_expiry_is_expired(api_client: ApiClient, world: World) -> None:
    invoice = await api_client.create_invoice(expires_at="2036-01-01T00:00:00Z")
    world.clock.advance(days=365 * 12)
    assert (await api_client.get(f"/invoices/{invoice['id']}")).json()["status"] == "expired"


@pytest.mark.parametrize(
    ("body", "errors"),
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
async def test_all_schema_errors_are_reported_together(
    api_client: ApiClient, body: bytes, errors: set[tuple[str, str]]
) -> None:
    response = await api_client.post("/invoices", body)
    assert response.status_code == 422
    assert error_codes(response) == errors


async def test_all_validation_errors_are_reported_together(api_client: ApiClient) -> None:
    response = await api_client.post(
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
    assert error_codes(response) == {
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
    ("changes", "error"),
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
async def test_invalid_value_is_reported_with_its_field(
    api_client: ApiClient, changes: dict[str, Any], error: tuple[str, str]
) -> None:
    response = await api_client.post("/invoices", INVOICE_REQUEST | changes)
    assert response.status_code == 422, response.text
    assert error in error_codes(response)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("limit=0", ("limit", "range")),
        ("limit=101", ("limit", "range")),
        ("limit=ten", ("limit", "range")),
        ("cursor=x", ("cursor", "cursor")),
        ("status=lost", ("status", "choose")),
        ("state=open", ("state", "unknown_field")),
    ],
)
async def test_invalid_list_parameter_is_reported(
    api_client: ApiClient, query: str, error: tuple[str, str]
) -> None:
    response = await api_client.get(f"/invoices?{query}")
    assert response.status_code == 422
    assert error_codes(response) == {error}


async def test_show_on_receipt_is_stored_and_returned(api_client: ApiClient) -> None:
    question = {"key": "wish", "kind": "text", "label": "Пожелания", "show_on_receipt": True}
    invoice = await api_client.create_invoice(ask=[{"key": "email"}, question])
    assert [question["show_on_receipt"] for question in invoice["ask"]] == [False, True]
    wrong = {"title": "x", "amount": RUB_1500, "ask": [question | {"show_on_receipt": "yes"}]}
    response = await api_client.post("/invoices", wrong)
    assert ("ask.0.show_on_receipt", "shape") in error_codes(response)


async def test_shape_and_value_errors_are_reported_together(api_client: ApiClient) -> None:
    response = await api_client.post(
        "/invoices",
        {
            "titel": "Маникюр",
            "title": " ",
            "amount": {"value": "0", "currency": "RUB", "vat": 1},
            "items": [{"name": 5, "price": RUB_1500}, {"name": "", "price": "1500"}],
            "ask": [{"key": "wish", "kind": "text", "label": ""}, "email"],
            "expires_at": "tomorrow",
            "max_payments": 0,
            "return_url": "shop",
            "metadata": {"order": 42},
        },
    )
    assert response.status_code == 422
    assert error_codes(response) == {
        ("titel", "unknown_field"),
        ("title", "required"),
        ("amount.vat", "unknown_field"),
        ("amount", "money_positive"),
        ("items.0.name", "shape"),
        ("items.1.name", "required"),
        ("items.1.price", "shape"),
        ("ask.0.label", "required"),
        ("ask.1", "shape"),
        ("expires_at", "shape"),
        ("max_payments", "range"),
        ("return_url", "url"),
        ("metadata.order", "shape"),
    }


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"expires_at": "tomorrow"}, "expires_at", "RFC 3339"),
        ({"expires_at": "2030-12-31"}, "expires_at", "2030-12-31T20:59:59Z"),
        ({"expires_at": 1893456000}, "expires_at", "RFC 3339"),
        ({"title": 5}, "title", "строка"),
        ({"amount": "1500"}, "amount", "объект"),
        ({"items": {}}, "items", "массив"),
        ({"max_payments": "1"}, "max_payments", "целое число"),
        ({"ask": [{"key": "email", "required": "yes"}]}, "ask.0.required", "true или false"),
    ],
)
async def test_wrong_type_is_named_in_words(
    api_client: ApiClient, changes: dict[str, Any], field: str, words: str
) -> None:
    response = await api_client.post("/invoices", INVOICE_REQUEST | changes, accept_language="ru")
    (error,) = response.json()["errors"]
    assert (error["field"], error["code"]) == (field, "shape")
    assert error["message"].startswith("Ожидается ")
    assert words in error["message"]


async def test_texts_are_cleaned(api_client: ApiClient) -> None:
    created = await api_client.create_invoice(
        title="\ufeff Мани\u202eкюр\u2028x\u200b",
        description="а\r\nб",
        metadata={"order\u200b": "\u20664\u2069"},
        ask=[{"key": "wish", "kind": "text", "label": "Поже\u00adлания"}],
    )
    assert created["title"] == "Маникюр x"
    assert created["description"] == "а\nб"
    assert created["metadata"] == {"order": "4"}
    assert created["ask"][0]["label"] == "Пожелания"


@pytest.mark.parametrize("title", ["\u3164", "\u200b\u202e", "\u2800", "\u00ad", "\ufe0f"])
async def test_title_of_invisible_characters_is_empty(api_client: ApiClient, title: str) -> None:
    response = await api_client.post("/invoices", INVOICE_REQUEST | {"title": title})
    assert error_codes(response) == {("title", "required")}


@pytest.mark.parametrize("character", ["\x7f", "\x1b", "\x00", "\x9b", "\x0b"])
async def test_control_character_is_refused_in_every_text(
    api_client: ApiClient, character: str
) -> None:
    text = f"а{character}б"
    changes = {"title": text, "description": text, "metadata": {"order": text}}
    for ensure_ascii in (True, False):  # as an escape and, where JSON allows it, as it is
        if ensure_ascii or character in "\x7f\x9b":
            body = json.dumps(INVOICE_REQUEST | changes, ensure_ascii=ensure_ascii).encode()
            assert error_codes(await api_client.post("/invoices", body)) == {
                ("title", "characters"),
                ("description", "characters"),
                ("metadata.order", "characters"),
            }


async def test_card_number_is_refused_in_every_text_and_not_echoed(api_client: ApiClient) -> None:
    card = "4111 1111 1111 1111"
    response = await api_client.post(
        "/invoices",
        INVOICE_REQUEST
        | {
            "title": card,
            "description": f"карта {card}",
            "items": [{"name": card, "price": RUB_1500}],
            "metadata": {card: "x"},
            "ask": [{"key": "wish", "kind": "text", "label": card, "hint": card}],
            card: 1,
        },
    )
    assert error_codes(response) == {
        ("title", "card_number"),
        ("description", "card_number"),
        ("items.0.name", "card_number"),
        ("metadata", "card_number"),
        ("ask.0.label", "card_number"),
        ("ask.0.hint", "card_number"),
        ("••••", "unknown_field"),
    }
    assert card not in response.text


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/xml",
        "application/json; charset=windows-1251",
        "jsonx",
    ],
)
async def test_body_of_another_media_type_is_refused(
    api_client: ApiClient, content_type: str
) -> None:
    response = await api_client.post("/invoices", b"title=x", content_type=content_type)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["accept"] == "application/json"
    assert "application/json" in response.json()["detail"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"],
)
async def test_json_of_any_spelling_is_accepted(api_client: ApiClient, content_type: str) -> None:
    response = await api_client.post("/invoices", INVOICE_REQUEST, content_type=content_type)
    assert response.status_code == 201


async def test_very_many_problems_are_cut(api_client: ApiClient) -> None:
    body = INVOICE_REQUEST | {f"x{n}": 1 for n in range(60_000)}
    response = await api_client.post("/invoices", body)
    assert (response.status_code, len(response.json()["errors"])) == (422, 50)
