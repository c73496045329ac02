"""The public page of services: what anybody sees, buying, limits, and what strangers may not do."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sigma.domain.billing.question import Kind, Question
from sigma.domain.catalogue.service import PriceKind, Service, Template
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.catalogue import services
from sigma.services.catalogue.services import offer_of, small_of
from sigma.services.checkout import storefront
from sigma.web.app import create_app
from tests import offers
from tests.clubs import connected, open_club
from tests.photos import photo
from tests.web.cabinet_stage import BASE, field, words
from tests.world import World

ASK = (Question("email", Kind.EMAIL, required=True),)
HOSTILE = '"><script>alert(1)</script>{{7*7}}'
OURS = {"origin": BASE, "sec-fetch-site": "same-origin"}


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of somebody at the shop's open page."""
    await storefront.save_slug(world.ctx, world.member, "lak")
    transport = httpx.ASGITransport(create_app(world.ctx))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        yield http


async def made(world: World, title: str = "Маникюр", **more: Any) -> Service:
    return await offers.made(world, title, **({"template": Template(ASK, 3)} | more))


async def bought(world: World) -> int:
    return len((await invoices.listing(world.ctx, world.member, limit=100)).data)


async def test_the_page_shows_what_is_offered_with_its_price(
    world: World, client: httpx.AsyncClient
) -> None:
    kept = await services.add_photo(world.ctx, world.member, photo(1000, 800))
    fixed = await made(world, photo_id=kept.id)
    await made(world, "Наращивание", price=PriceKind.FROM, amount=Money(250_050))
    await made(world, "Образ", price=PriceKind.AGREEMENT)
    await made(world, "Тайная", visible=False)
    answer = await client.get("/s/lak")
    said = words(answer.text).replace("\u00a0", " ")
    assert "1 500 ₽" in said
    assert "от 2 500,50 ₽" in said
    assert "по договорённости" in said
    assert "Тайная" not in said
    assert "ИП Проверкин Пётр Петрович" in said
    assert f"/s/lak/{fixed.id}" in answer.text
    assert f"/photos/{small_of(kept.id)} 320w" in answer.text
    assert 'width="1000" height="800"' in answer.text
    english = words((await client.get("/s/lak?lang=en")).text)
    assert "from ₽2,500.50" in english
    assert "price on request" in english


async def test_headers_let_nothing_foreign_in(world: World, client: httpx.AsyncClient) -> None:
    service = await made(world)
    for path in ("/s/lak", f"/s/lak/{service.id}", "/s/nope"):
        answer = await client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http:" not in policy.replace("form-action 'self' https: http:", "")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "http://" not in answer.text.replace(BASE, "").replace("http://www.w3", "")


async def test_buying_leads_to_an_invoice_and_twice_to_the_same(
    world: World, client: httpx.AsyncClient
) -> None:
    service = await made(world)
    path = f"/s/lak/{service.id}"
    page = await client.get(path)
    assert "Оплатить 1 500 ₽" in words(page.text).replace("\u00a0", " ")
    cookie = page.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Path=/s/lak" in cookie
    sent = {"nonce": field(page.text, "nonce")}
    first = await client.post(path, data=sent, headers=OURS)
    assert first.status_code == 303
    assert first.headers["location"].startswith("/i/")
    second = await client.post(path, data={"nonce": "another"}, headers=OURS)
    assert second.headers["location"] == first.headers["location"]
    assert await bought(world) == 1
    pay = await client.get(first.headers["location"])
    assert "Маникюр" in words(pay.text)
    assert 'name="email"' in pay.text


async def test_a_browser_without_cookies_buys_once_with_one_form(
    world: World, client: httpx.AsyncClient
) -> None:
    service = await made(world)
    path = f"/s/lak/{service.id}"
    sent = {"nonce": field((await client.get(path)).text, "nonce")}
    client.cookies.clear()
    places = set()
    for _ in range(2):
        answer = await client.post(path, data=sent, headers=OURS)
        places.add(answer.headers["location"])
        client.cookies.clear()
    assert len(places) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": BASE, "sec-fetch-site": "cross-site"},
        {"origin": BASE, "sec-fetch-site": "same-site"},
        {"origin": "null"},
    ],
)
async def test_another_site_cannot_buy_for_its_visitors(
    world: World, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    service = await made(world)
    answer = await client.post(f"/s/lak/{service.id}", headers=headers)
    assert answer.status_code == 403
    assert await bought(world) == 0


async def test_a_crowd_from_one_address_is_asked_to_wait(
    world: World, client: httpx.AsyncClient
) -> None:
    service = await made(world)
    path = f"/s/lak/{service.id}"
    for n in range(storefront.PER_ADDRESS):
        client.cookies.clear()
        assert (await client.post(path, data={"nonce": str(n)}, headers=OURS)).status_code == 303
    client.cookies.clear()
    answer = await client.post(path, data={"nonce": "one more"}, headers=OURS)
    assert answer.status_code == 429
    assert "слишком много счетов" in words(answer.text)
    assert "Маникюр" in words(answer.text), "the page stays"
    assert await bought(world) == storefront.PER_ADDRESS


async def test_what_cannot_be_bought_says_so(world: World, client: httpx.AsyncClient) -> None:
    service = await made(world)
    path = f"/s/lak/{service.id}"
    await client.get(path)
    changed = replace(offer_of(service), price=PriceKind.FROM)
    await services.save(world.ctx, world.member, service.id, changed)
    answer = await client.post(path, headers=OURS)
    assert answer.status_code == 409
    assert "Цена этой услуги изменилась" in words(answer.text)
    assert 'method="post"' not in answer.text
    await services.show(world.ctx, world.member, service.id, False)
    assert (await client.post(path, headers=OURS)).status_code == 404
    assert await bought(world) == 0


async def test_writing_leads_to_the_dialog_about_this_service(
    world: World, client: httpx.AsyncClient
) -> None:
    service = await made(world, price=PriceKind.AGREEMENT)
    page = await client.get(f"/s/lak/{service.id}")
    assert "Чтобы заказать, свяжитесь с продавцом" in words(page.text)
    await connected(world, open_club(world, screen_name="lak"))
    page = await client.get(f"/s/lak/{service.id}")
    assert f"/me/lak?ref={service.id}&amp;ref_source=sigma" in page.text
    assert "Написать" in words(page.text)


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
async def test_what_is_not_there_is_kindly_not_there(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert "<script>" not in answer.text
    assert "Такой страницы нет" in words(answer.text)


async def test_another_shops_service_is_not_on_this_page(
    world: World, client: httpx.AsyncClient
) -> None:
    service = await made(world)
    await storefront.save_slug(world.ctx, world.member, "other")
    assert (await client.get(f"/s/lak/{service.id}")).status_code == 404
    assert (await client.post(f"/s/lak/{service.id}", headers=OURS)).status_code == 404
    assert (await client.get(f"/s/other/{service.id}")).status_code == 200


async def test_hostile_texts_stay_texts(world: World, client: httpx.AsyncClient) -> None:
    service = await made(world, HOSTILE, description=HOSTILE * 20)
    for path in ("/s/lak", f"/s/lak/{service.id}"):
        page = (await client.get(path)).text
        assert "<script>alert" not in page
        assert "{{7*7}}" in page
        assert "&lt;script&gt;alert" in page


async def test_a_photo_is_served_to_who_knows_its_name_and_kept(
    world: World, client: httpx.AsyncClient
) -> None:
    kept = await services.add_photo(world.ctx, world.member, photo(800, 600))
    for name in (kept.id, small_of(kept.id)):
        answer = await client.get(f"/photos/{name}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
    for name in ("pho_nosuch", "%2e%2e%2f", "%00", kept.id[:-1], "a" * 3000):
        answer = await client.get(f"/photos/{name}")
        assert answer.status_code in (400, 404), name
