"""Forms, queries, cookies and bodies of a permitted size must not block the event loop.

The tests count work or check bounds; they measure no time. Work in quadratic time would make them
run for minutes.
"""

import gc
import json
from typing import Any
from urllib.parse import quote

import pytest
from litestar import _parsers as cached_parsers

from sigma.domain.bank_cards import mask_card_numbers
from sigma.domain.billing.question import Question, QuestionKind
from sigma.web.api import body as api_body
from sigma.web.bounded_request import MAX_FIELD_CHARS, MAX_FORM_FIELDS, MAX_QUERY_FIELDS
from sigma.web.checkout.invoice import MAX_FORM_BYTES
from sigma.web.rendering import MAX_LANGUAGE_CHARS, preferred_language
from tests.web.api_harness import INVOICE_REQUEST, ApiClient
from tests.web.cabinet_harness import CabinetBrowser, field_error, field_value
from tests.web.checkout_harness import open_client
from tests.world import World

FORM = {"content-type": "application/x-www-form-urlencoded"}
SIZE = 24_000  # characters: up to 216 KB when they are encoded for a form
# What took minutes: spaces between letters, joiners, marks in the wrong order, runs of one value.
HOSTILE = {
    "spaces": "x" + "\n \t" * (SIZE // 3) + "x",
    "joiners": "\u0627\u200c" * (SIZE // 2),
    "marks": "e" + "\u0301\u0323" * (SIZE // 2),
    "double marks": "\u0f73" * SIZE,
    "compatibility marks": "\u0301\uff9e" * (SIZE // 2),
    "digits": "1" * SIZE,
    "groups": "4 " * (SIZE // 2),
    "line breaks": "y" + "\r\n" * (SIZE // 2) + "x",
    "zero width": "a\u200b" * (SIZE // 2),
}
QUESTIONS = (
    Question("email", QuestionKind.EMAIL, required=True),
    Question("phone", QuestionKind.PHONE),
    Question("wish", QuestionKind.TEXTAREA, "Пожелания"),
    Question("amount", QuestionKind.NUMBER, "Сколько"),
    Question("day", QuestionKind.DATE, "Когда"),
    Question("colours", QuestionKind.MULTISELECT, "Цвета", options=("белый", "синий")),
)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("key", ["email", "phone", "wish", "amount", "day"])
async def test_too_long_answer_is_refused_at_its_field_and_displayed(
    world: World, key: str, text: str
) -> None:
    invoice = await world.create_invoice(questions=QUESTIONS)
    async with open_client(world) as client:
        page = await client.post(f"/i/{invoice.token}", data={key: text})
    assert page.status_code == 422
    assert field_error(page.text, key).startswith("Слишком длинно")
    assert len(page.text) > len(mask_card_numbers(text.strip())) * 0.9, "nothing typed is lost"


async def test_values_above_those_of_a_question_are_not_read(world: World) -> None:
    invoice = await world.create_invoice(questions=QUESTIONS)
    async with open_client(world) as client:
        body = "&".join(["colours=" + quote("синий")] * 6000)
        page = await client.post(f"/i/{invoice.token}", content=body, headers=FORM)
    assert page.status_code == 422
    assert field_error(page.text, "colours")
    assert len(page.text) < 50_000


async def test_form_with_more_fields_or_text_than_any_form_is_refused(world: World) -> None:
    invoice = await world.create_invoice()
    async with open_client(world) as client:
        path = f"/i/{invoice.token}"
        for body, status in (
            ("a&" * (MAX_FORM_FIELDS - 1), 422),
            ("a&" * MAX_FORM_FIELDS, 413),
            ("&".join(f"{n:x}=" for n in range(MAX_FORM_FIELDS)), 422),
        ):
            assert len(body) < MAX_FORM_BYTES
            assert (await client.post(path, content=body, headers=FORM)).status_code == status


async def test_text_beside_a_photo_is_bounded(owner_browser: CabinetBrowser) -> None:
    """The route accepts 8 MB for the photo; a text must not use them."""
    csrf = {"csrf": owner_browser.csrf}
    for size, status in ((1000, 422), (MAX_FIELD_CHARS + 1, 413)):
        answer = await owner_browser.http.post(
            "/services/new",
            data={**csrf, "title": "", "description": "ё" * size},
            files={"other": b""},
            headers={"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"},
        )
        assert answer.status_code == status


async def test_nothing_that_was_sent_stays_in_a_cache_of_the_process(world: World) -> None:
    """The router's parsers kept 1024 forms with their passwords, queries and cookie headers."""
    invoice = await world.create_invoice()
    caches: list[Any] = [
        cached_parsers.parse_url_encoded_form_data,
        cached_parsers.parse_query_string,
        cached_parsers.parse_cookie_string,
    ]
    for cache in caches:
        cache.cache_clear()
    async with open_client(world) as client:
        cookies = {"cookie": "sigma_lang=en; other=1"}
        await client.get(f"/i/{invoice.token}?payment=secret-token", headers=cookies)
        await client.post(f"/i/{invoice.token}", data={"wish": "secret wish"}, headers=cookies)
        await client.post("/sign-in", data={"login": "a@b.ru", "password": "secret"})
    gc.collect()
    assert [cache.cache_info().currsize for cache in caches] == [0, 0, 0]


async def test_query_with_too_many_fields_is_refused(
    world: World, owner_browser: CabinetBrowser
) -> None:
    invoice = await world.create_invoice()
    path = f"/i/{invoice.token}"
    fields = "a=1&" * MAX_QUERY_FIELDS + "a=1"
    async with open_client(world) as client:
        assert (await client.get(f"{path}?{fields[:-4]}")).status_code == 200
        assert (await client.get(f"{path}?{fields}")).status_code == 400
    assert (await owner_browser.http.get(f"/inbox?{fields}")).status_code == 400


async def test_foreign_cookies_do_not_matter(world: World) -> None:
    quoted = 'a="' + "\\" * 50_000
    async with open_client(world) as client:
        page = await client.get("/sign-in", headers={"cookie": f"{quoted}; sigma_lang=en; b=c"})
    assert 'lang="en"' in page.text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_invoice_form_with_hostile_texts_is_shown_again(
    owner_browser: CabinetBrowser, text: str
) -> None:
    for names in (("title", "amount", "items.0.quantity"), ("ask.7.options", "expires_on")):
        form = dict.fromkeys(names, text[:8000]) | {"ask.7.kind": "select", "ask.7.label": "x"}
        form |= {"items.0.name": "a", "items.0.price": "1", "expiry": "date", "do": "issue"}
        page = await owner_browser.submit("/invoices/new", **form)
        assert page.status_code == 422
        assert field_value(page.text, "items.0.name") == "a"


@pytest.mark.parametrize("quantity", ["99999", "abc", "1e5", "1" * 300])
async def test_item_without_a_total_is_left_out_of_the_preview(
    owner_browser: CabinetBrowser, quantity: str
) -> None:
    item = {"items.0.name": "a", "items.0.price": "9000000000000", "items.0.quantity": quantity}
    page = await owner_browser.submit("/invoices/new", title="b", amount="1", do="preview", **item)
    assert page.status_code == 200


def test_accept_language_with_long_spaces_is_read() -> None:
    for header in ("en" + " " * 900 + "x", " " * 400 + "en" + "\t" * 500 + ";x"):
        assert preferred_language(header, "ru") == "ru"
    assert preferred_language("," * MAX_LANGUAGE_CHARS + "en", "ru") == "ru", "not read so far"
    assert preferred_language(" en ; q=0.9 , ru;q=0.1", "ru") == "en"


@pytest.mark.parametrize(
    "body",
    [
        {"items": [1] * 6000},
        {"metadata": {str(n): "" for n in range(6000)}},
        {"ask": [{"key": "a", "options": ["x"] * 100}] * 60},
        {"a": [[[[1] * 10] * 10] * 10] * 6},
    ],
    ids=["items", "metadata", "options", "nested"],
)
async def test_api_body_with_too_many_values_is_refused(
    api_client: ApiClient, body: dict[str, Any]
) -> None:
    answer = await api_client.post("/invoices", INVOICE_REQUEST | body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_largest_invoice_of_the_api_is_accepted(api_client: ApiClient) -> None:
    price = {"value": "1.00", "currency": "RUB"}
    body = {
        "title": "ё" * 128,
        "amount": {"value": "100.00", "currency": "RUB"},
        "items": [{"name": "ё" * 128, "quantity": "1", "price": price}] * 100,
        "ask": [
            {
                "key": f"q{n}",
                "kind": "multiselect",
                "label": "ё" * 120,
                "options": [f"{k} " + "ё" * 90 for k in range(50)],
                "hint": "ё" * 200,
                "required": True,
                "show_on_receipt": False,
            }
            for n in range(30)
        ],
        "metadata": {str(n): "ё" * 500 for n in range(20)},
    }
    content = json.dumps(body, ensure_ascii=False).encode()
    assert len(content) > api_body.THREAD_BYTES
    answer = await api_client.post("/invoices", content)
    assert answer.status_code == 201, answer.text


async def test_unknown_query_parameters_of_the_api_are_reported_up_to_a_bound(
    api_client: ApiClient,
) -> None:
    names = "&".join(f"p{n}" for n in range(MAX_QUERY_FIELDS))
    answer = await api_client.get(f"/invoices?{names}")
    assert len(answer.json()["errors"]) == api_body.MAX_PROBLEMS
