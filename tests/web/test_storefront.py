"""The public page of services: content, buying, rate limits, requests from other sites."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.catalogue.service import (
    InvoiceTemplate,
    PriceKind,
    Service,
    fields_of,
    thumbnail_id,
)
from sigma.domain.change import Change
from sigma.domain.limits import PURCHASE_ADDRESS
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from sigma.store import changes
from sigma.web.cookies import page_cookie_name
from sigma.web.storefront.pages import BUYER_COOKIE
from sigma.web.storefront.view_models import PAGE_SIZE
from tests import service_factories
from tests.photos import make_photo
from tests.sandbox_communities import connect_community, create_community
from tests.web.apps import web_app
from tests.web.cabinet_harness import BASE_URL, field_value, visible_text
from tests.web.checkout_harness import submit_form
from tests.world import World

QUESTIONS = (Question("email", QuestionKind.EMAIL, required=True),)
HOSTILE = '"><script>alert(1)</script>{{7*7}}'
SAME_ORIGIN = {"origin": BASE_URL, "sec-fetch-site": "same-origin"}


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client at the public page of the shop."""
    await storefront.save_slug(world.ctx, world.member, "lak")
    with web_app(world.ctx) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            yield http


async def create_service(world: World, title: str = "Маникюр", **fields: Any) -> Service:
    return await service_factories.create_service(
        world, title, **({"invoice_template": InvoiceTemplate(QUESTIONS, 3)} | fields)
    )


async def invoice_count(world: World) -> int:
    return len((await invoices.list_page(world.ctx, world.member, limit=100)).data)


async def test_page_shows_visible_services_with_prices(
    world: World, client: httpx.AsyncClient
) -> None:
    stored_photo = await services.add_photo(world.ctx, world.member, make_photo(1000, 800))
    fixed = await create_service(world, photo_id=stored_photo.id)
    await create_service(world, "Наращивание", price_kind=PriceKind.FROM, amount=Money(250_050))
    await create_service(world, "Образ", price_kind=PriceKind.AGREEMENT)
    await create_service(world, "Тайная", is_visible=False)
    response = await client.get("/s/lak")
    text = visible_text(response.text).replace("\u00a0", " ")
    assert "1 500 ₽" in text
    assert "от 2 500,50 ₽" in text
    assert "по договорённости" in text
    assert "Тайная" not in text
    assert "ИП Проверкин Пётр Петрович" in text
    assert f"/s/lak/{fixed.id}" in response.text
    assert f"/photos/{thumbnail_id(stored_photo.id)} 320w" in response.text
    assert 'width="1000" height="800"' in response.text
    english = visible_text((await client.get("/s/lak?lang=en")).text)
    assert "from ₽2,500.50" in english
    assert "price on request" in english


async def test_page_groups_services_by_category(world: World, client: httpx.AsyncClient) -> None:
    per_hour = await create_service(world, "Кабинет", category="Аренда", price_unit="час")
    await create_service(world, "Маникюр", category="Ногти", price_kind=PriceKind.FREE)
    await create_service(world, "Зал", category="АРЕНДА")
    high = Money(300_000)
    await create_service(world, "Без группы", price_kind=PriceKind.RANGE, max_amount=high)
    text = visible_text((await client.get("/s/lak")).text).replace("\u00a0", " ")
    words = ("1 500 ₽ – 3 000 ₽", "Аренда", "1 500 ₽ / час", "Зал", "Ногти", "бесплатно")
    positions = [text.index(word) for word in words]
    assert positions == sorted(positions)
    assert "АРЕНДА" not in text
    response = await client.post(f"/s/lak/{per_hour.id}", data={}, headers=SAME_ORIGIN)
    assert response.status_code == 409
    assert await invoice_count(world) == 0, "the sum depends on the hours"


async def test_long_list_of_services_has_pages(world: World, client: httpx.AsyncClient) -> None:
    existing = await create_service(world, "Услуга 0")
    copies = [
        replace(existing, id=f"{existing.id[:-4]}u{n:03}", title=f"Услуга {n}", version=0)
        for n in range(1, PAGE_SIZE + 1)
    ]
    await changes.commit(world.ctx.db, Change(tuple(copies)), world.ctx.now_us())
    first, rest = (await client.get("/s/lak")).text, (await client.get("/s/lak?from=200")).text
    assert (first.count("front-card"), rest.count("front-card")) == (PAGE_SIZE, 1)
    assert "/s/lak?from=200" in first
    assert "?from=400" not in rest
    assert (await client.get("/s/lak?from=-1e9")).text.count("front-card") == PAGE_SIZE


async def test_headers_forbid_other_hosts(world: World, client: httpx.AsyncClient) -> None:
    service = await create_service(world)
    for path in ("/s/lak", f"/s/lak/{service.id}", "/s/nope"):
        response = await client.get(path)
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http:" not in policy.replace("form-action 'self' https: http:", "")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "http://" not in response.text.replace(BASE_URL, "").replace("http://www.w3", "")


async def test_buying_twice_leads_to_one_invoice(world: World, client: httpx.AsyncClient) -> None:
    service = await create_service(world)
    path = f"/s/lak/{service.id}"
    page = await client.get(path)
    assert "Оплатить 1 500 ₽" in visible_text(page.text).replace("\u00a0", " ")
    cookie = page.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert cookie.startswith(page_cookie_name(BUYER_COOKIE, "lak") + "=")
    form = {"nonce": field_value(page.text, "nonce")}
    first = await client.post(path, data=form, headers=SAME_ORIGIN)
    assert first.status_code == 303
    assert first.headers["location"].startswith("/i/")
    second = await client.post(path, data={"nonce": "another"}, headers=SAME_ORIGIN)
    assert second.headers["location"] == first.headers["location"]
    assert await invoice_count(world) == 1
    pay = await client.get(first.headers["location"])
    assert "Маникюр" in visible_text(pay.text)
    assert 'name="email"' in pay.text


async def test_next_buyer_on_the_same_device_gets_an_invoice_of_their_own(
    world: World, client: httpx.AsyncClient
) -> None:
    service = await create_service(world)
    path = f"/s/lak/{service.id}"
    await client.get(path)
    first = await client.post(path, data={"nonce": "a"}, headers=SAME_ORIGIN)
    await submit_form(client, first.headers["location"], email="first@example.net")
    second = await client.post(path, data={"nonce": "b"}, headers=SAME_ORIGIN)
    assert second.headers["location"] != first.headers["location"]
    assert "first@example.net" not in (await client.get(second.headers["location"])).text


async def test_browser_without_cookies_buys_once_with_one_form(
    world: World, client: httpx.AsyncClient
) -> None:
    service = await create_service(world)
    path = f"/s/lak/{service.id}"
    form = {"nonce": field_value((await client.get(path)).text, "nonce")}
    client.cookies.clear()
    locations = set()
    for _ in range(2):
        response = await client.post(path, data=form, headers=SAME_ORIGIN)
        locations.add(response.headers["location"])
        client.cookies.clear()
    assert len(locations) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": BASE_URL, "sec-fetch-site": "cross-site"},
        {"origin": BASE_URL, "sec-fetch-site": "same-site"},
        {"origin": "null"},
    ],
)
async def test_purchase_from_another_site_is_refused(
    world: World, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    service = await create_service(world)
    response = await client.post(f"/s/lak/{service.id}", headers=headers)
    assert response.status_code == 403
    assert await invoice_count(world) == 0


async def test_purchases_from_one_address_are_rate_limited(
    world: World, client: httpx.AsyncClient
) -> None:
    service = await create_service(world)
    path = f"/s/lak/{service.id}"
    for n in range(PURCHASE_ADDRESS.amount):
        client.cookies.clear()
        response = await client.post(path, data={"nonce": str(n)}, headers=SAME_ORIGIN)
        assert response.status_code == 303
    client.cookies.clear()
    response = await client.post(path, data={"nonce": "one more"}, headers=SAME_ORIGIN)
    assert response.status_code == 429
    assert "Слишком много запросов" in visible_text(response.text)
    assert "Маникюр" in visible_text(response.text), "the service is still shown"
    assert await invoice_count(world) == PURCHASE_ADDRESS.amount


async def test_changed_or_hidden_service_cannot_be_bought(
    world: World, client: httpx.AsyncClient
) -> None:
    service = await create_service(world)
    path = f"/s/lak/{service.id}"
    await client.get(path)
    changed = replace(fields_of(service), price_kind=PriceKind.FROM)
    await services.save(world.ctx, world.member, service.id, changed)
    response = await client.post(path, headers=SAME_ORIGIN)
    assert response.status_code == 409
    assert "Цена этой услуги изменилась" in visible_text(response.text)
    assert 'method="post"' not in response.text
    await services.set_visible(world.ctx, world.member, service.id, False)
    assert (await client.post(path, headers=SAME_ORIGIN)).status_code == 404
    assert await invoice_count(world) == 0


async def test_page_links_to_a_conversation_about_this_service(
    world: World, client: httpx.AsyncClient
) -> None:
    service = await create_service(world, price_kind=PriceKind.AGREEMENT)
    page = await client.get(f"/s/lak/{service.id}")
    assert "Чтобы заказать, свяжитесь с продавцом" in visible_text(page.text)
    await connect_community(world, create_community(world, screen_name="lak"))
    page = await client.get(f"/s/lak/{service.id}")
    assert f"/me/lak?ref={service.id}&amp;ref_source=sigma" in page.text
    assert "Написать" in visible_text(page.text)


@pytest.mark.parametrize(
    "path",
    [
        "/s/nope",
        "/s/LAK",
        "/s/lak/svc_nosuch",
        "/s/lak/../../etc/passwd",
        "/s/lak/%3Cscript%3E",
        "/s/%D0%BB%D0%B0%D0%BA",
        "/s/lak/inv_1",
    ],
)
async def test_unknown_page_or_service_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert "<script>" not in response.text
    assert "Страница не найдена" in visible_text(response.text)


async def test_old_page_address_is_not_found(world: World, client: httpx.AsyncClient) -> None:
    service = await create_service(world)
    await storefront.save_slug(world.ctx, world.member, "other")
    assert (await client.get(f"/s/lak/{service.id}")).status_code == 404
    assert (await client.post(f"/s/lak/{service.id}", headers=SAME_ORIGIN)).status_code == 404
    assert (await client.get(f"/s/other/{service.id}")).status_code == 200


async def test_service_texts_are_escaped(world: World, client: httpx.AsyncClient) -> None:
    service = await create_service(world, HOSTILE, description=HOSTILE * 20)
    for path in ("/s/lak", f"/s/lak/{service.id}"):
        page = (await client.get(path)).text
        assert "<script>alert" not in page
        assert "{{7*7}}" in page
        assert "&lt;script&gt;alert" in page


async def test_photo_is_served_by_its_id_and_cached(
    world: World, client: httpx.AsyncClient
) -> None:
    stored_photo = await services.add_photo(world.ctx, world.member, make_photo(800, 600))
    for name in (stored_photo.id, thumbnail_id(stored_photo.id)):
        response = await client.get(f"/photos/{name}")
        assert response.headers["content-type"] == "image/jpeg"
        assert "immutable" in response.headers["cache-control"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in response.headers["content-security-policy"]
        assert response.headers["content-disposition"] == 'inline; filename="photo.jpeg"'
        assert "set-cookie" not in response.headers
    for name in ("pho_nosuch", "%2e%2e%2f", "%00", stored_photo.id[:-1], "a" * 3000):
        response = await client.get(f"/photos/{name}")
        assert response.status_code in (400, 404), name
