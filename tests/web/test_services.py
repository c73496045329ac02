"""Services in the cabinet: the form with photo and questions, the list, links, price lists."""

import re
import sqlite3
import zlib

import httpx
import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from sigma.web.forms import date_time_texts
from tests.photos import make_photo
from tests.price_lists import hostile_field
from tests.sandbox_communities import connect_community, create_community
from tests.service_factories import create_service, list_services
from tests.web.cabinet_harness import (
    BASE_URL,
    CabinetBrowser,
    field_error,
    field_value,
    visible_text,
)
from tests.world import World

HOSTILE = '"><script>alert(1)</script>{{7*7}}'


def service_form(**changes: str) -> dict[str, str]:
    """Return the service form as a browser posts it: required e-mail, one custom question."""
    fields = {
        "do": "save",
        "title": "Маникюр",
        "price": "fixed",
        "amount": "1 500,50",
        "description": "Полтора часа",
        "visible": "1",
        "expires_days": "3",
        "ask.0.kind": "email",
        "ask.0.on": "1",
        "ask.0.required": "1",
        "ask.1.kind": "text",
        "ask.1.label": "Пожелания",
    }
    return fields | changes


def set_role(database_url: str, role: Role) -> None:
    """Change the role of every member."""
    path = database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as con:
        con.execute("UPDATE members SET role = ?", (str(role),))


async def post_form(
    owner: CabinetBrowser, path: str, typed: dict[str, str], photo_bytes: bytes | None = None
) -> httpx.Response:
    """Post the form with its photo as multipart data."""
    files = {"photo": ("a.jpg", photo_bytes if photo_bytes is not None else b"", "image/jpeg")}
    same_origin = {"origin": BASE_URL, "sec-fetch-site": "same-origin"}
    data = {"csrf": owner.csrf} | typed
    return await owner.http.post(path, data=data, files=files, headers=same_origin)


async def test_service_is_added_with_its_photo(world: World, owner_browser: CabinetBrowser) -> None:
    nonce = field_value((await owner_browser.open("/services/new")).text, "nonce")
    response = await post_form(
        owner_browser, "/services/new", service_form(nonce=nonce), make_photo(1300, 1400)
    )
    assert response.status_code == 303, visible_text(response.text)
    (service,) = await list_services(world)
    assert response.headers["location"] == f"/services/{service.id}"
    assert (service.title, service.amount, service.is_visible) == ("Маникюр", Money(150_050), True)
    assert service.photo_id is not None
    assert service.invoice_template.expires_days == 3
    questions = [(q.key, q.required) for q in service.invoice_template.questions]
    assert questions == [("email", True), ("pozhelaniya", False)]
    page = (await owner_browser.open(response.headers["location"])).text
    assert "Услуга добавлена." in visible_text(page)
    assert field_value(page, "amount") == "1500,50"
    await post_form(
        owner_browser, "/services/new", service_form(nonce=nonce), make_photo(1300, 1400)
    )
    assert len(await list_services(world)) == 1, "a nonce works once"


async def test_invalid_form_keeps_the_input_and_the_photo(
    world: World, owner_browser: CabinetBrowser
) -> None:
    nonce = field_value((await owner_browser.open("/services/new")).text, "nonce")
    typed = service_form(
        nonce=nonce,
        title="",
        amount="1.500",
        expires_days="год",
        return_url="vk.me",
        description=HOSTILE,
        **{"ask.1.label": ""},
    )
    response = await post_form(owner_browser, "/services/new", typed, make_photo(100, 100))
    assert response.status_code == 422
    page = response.text
    assert "Заполните" in field_error(page, "title")
    assert "копейки" in field_error(page, "amount")
    assert "целое число" in field_error(page, "expires_days")
    assert "https://" in field_error(page, "return_url")
    assert "Заполните" in field_error(page, "ask.1.label")
    assert field_value(page, "amount") == "1.500"
    assert "<script>alert" not in page
    photo_id = field_value(page, "photo_id")
    assert photo_id.startswith("pho_")
    await post_form(owner_browser, "/services/new", service_form(nonce=nonce, photo_id=photo_id))
    (service,) = await list_services(world)
    assert service.photo_id == photo_id


@pytest.mark.parametrize(
    "file_bytes", [b"<svg onload=alert(1)>", b"\xff\xd8\xff\xe0" + b"\0" * 50, make_photo()[:900]]
)
async def test_invalid_photo_shows_an_error(
    world: World, owner_browser: CabinetBrowser, file_bytes: bytes
) -> None:
    await owner_browser.open("/services/new")
    response = await post_form(owner_browser, "/services/new", service_form(), file_bytes)
    assert response.status_code == 422
    assert "JPEG, PNG и WebP" in field_error(response.text, "photo")
    assert await list_services(world) == []


async def test_oversized_file_is_refused(owner_browser: CabinetBrowser) -> None:
    await owner_browser.open("/services/new")
    response = await post_form(
        owner_browser, "/services/new", service_form(), b"\xff\xd8\xff" + b"\0" * 9_500_000
    )
    assert response.status_code == 413


async def test_questions_move_and_price_by_agreement_needs_no_amount(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.open("/services/new")
    response = await post_form(owner_browser, "/services/new", service_form(do="ask-up-1"))
    assert field_value(response.text, "ask.0.label") == "Пожелания"
    assert await list_services(world) == []
    response = await post_form(
        owner_browser, "/services/new", service_form(price="agreement", amount="сто")
    )
    assert response.status_code == 303, visible_text(response.text)
    (service,) = await list_services(world)
    assert (service.price_kind, service.amount) == (PriceKind.AGREEMENT, None)


async def test_service_is_changed_and_its_photo_removed(
    world: World, owner_browser: CabinetBrowser
) -> None:
    stored_photo = await services.add_photo(world.ctx, world.member, make_photo(50, 50))
    service = await create_service(world, photo_id=stored_photo.id)
    page = (await owner_browser.open(f"/services/{service.id}")).text
    typed = service_form(photo_id=field_value(page, "photo_id"), title="Педикюр", do="photo-remove")
    response = await post_form(owner_browser, f"/services/{service.id}", typed)
    assert field_value(response.text, "photo_id") == ""
    assert (await list_services(world))[0].photo_id == stored_photo.id, "nothing is saved yet"
    response = await post_form(
        owner_browser, f"/services/{service.id}", typed | {"photo_id": "", "do": "save"}
    )
    assert response.status_code == 303
    (changed,) = await list_services(world)
    assert (changed.title, changed.photo_id) == ("Педикюр", None)


async def test_services_are_moved_hidden_and_deleted(
    world: World, owner_browser: CabinetBrowser
) -> None:
    first, second = await create_service(world, HOSTILE), await create_service(world, "Педикюр")
    page = (await owner_browser.open("/services")).text
    assert "<script>alert" not in page
    assert "1 500 ₽" in visible_text(page).replace("\u00a0", " ")
    await owner_browser.submit(f"/services/{second.id}/move", way="up")
    assert [s.id for s in await list_services(world)] == [second.id, first.id]
    await owner_browser.submit(f"/services/{second.id}/show", visible="0")
    assert not (await services.get(world.ctx, world.member, second.id)).is_visible
    response = await owner_browser.submit(f"/services/{second.id}/delete")
    assert response.headers["location"] == "/services"
    assert [s.id for s in await list_services(world)] == [first.id]
    assert "удалена" in visible_text((await owner_browser.open("/services")).text)
    assert (await owner_browser.open(f"/services/{second.id}")).status_code == 404


async def test_operator_can_invoice_but_not_change_services(
    world: World, owner_browser: CabinetBrowser, sqlite_database_url: str
) -> None:
    service = await create_service(world)
    set_role(sqlite_database_url, Role.OPERATOR)
    page = (await owner_browser.open("/services")).text
    assert f"/invoices/new?service={service.id}" in page
    assert "/services/new" not in page
    page = (await owner_browser.open(f"/services/{service.id}")).text
    assert 'name="title"' not in page
    for path in ("new", "page", "exchange"):
        assert (await owner_browser.open(f"/services/{path}")).status_code == 403
    await owner_browser.open("/settings")
    for path in (f"{service.id}/delete", f"{service.id}/move", f"{service.id}", "page"):
        response = await owner_browser.submit(f"/services/{path}", **service_form())
        assert response.status_code == 403, path
    assert await list_services(world) == [service]


async def test_forms_without_a_valid_csrf_token_change_nothing(
    world: World, owner_browser: CabinetBrowser
) -> None:
    service = await create_service(world)
    owner_browser.csrf = "forged"
    assert (await owner_browser.submit(f"/services/{service.id}/delete")).status_code == 403
    response = await post_form(owner_browser, "/services/new", service_form(), make_photo(50, 50))
    assert response.status_code == 403
    assert len(await list_services(world)) == 1


async def test_public_page_is_opened_named_and_closed(
    world: World, owner_browser: CabinetBrowser
) -> None:
    page = (await owner_browser.open("/services/page")).text
    assert field_value(page, "slug") == "studiya"
    response = await owner_browser.submit("/services/page", on="1", slug="Студия")
    assert response.status_code == 422
    assert "Латинские буквы" in field_error(response.text, "slug")
    response = await owner_browser.submit("/services/page", on="1", slug="Admin")
    assert "Этот адрес занят" in field_error(response.text, "slug")
    await owner_browser.submit("/services/page", on="1", slug="Studio-Lak")
    page = (await owner_browser.open("/services/page")).text
    assert f"{world.ctx.settings.base_url}/s/studio-lak" in page
    svg = await owner_browser.open("/services/page/qr/page.svg")
    assert svg.headers["content-type"].startswith("image/svg+xml")
    await owner_browser.submit("/services/page", slug="studio-lak")
    assert (await owner_browser.open("/services/page/qr/page.svg")).status_code == 404


async def test_service_page_links_to_a_conversation_about_this_service(
    world: World, owner_browser: CabinetBrowser
) -> None:
    service = await create_service(world)
    page = (await owner_browser.open(f"/services/{service.id}")).text
    assert "link-conversation" not in page, "there is no conversation link without a community"
    await connect_community(world, create_community(world, screen_name="lak"))
    await storefront.save_slug(world.ctx, world.member, "studio")
    page = (await owner_browser.open(f"/services/{service.id}")).text
    assert f"/me/lak?ref={service.id}&amp;ref_source=sigma" in page
    assert f"/s/studio/{service.id}" in page
    for kind in ("conversation.svg", "page.png"):
        response = await owner_browser.open(f"/services/{service.id}/qr/{kind}")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("image/")
    for kind in ("conversation.exe", "secret.svg", "svg"):
        assert (await owner_browser.open(f"/services/{service.id}/qr/{kind}")).status_code == 404


async def test_invoice_form_is_filled_from_the_service(
    world: World, owner_browser: CabinetBrowser
) -> None:
    service = await create_service(
        world, description="Полтора часа", invoice_template=InvoiceTemplate(expires_days=30)
    )
    page = (await owner_browser.open(f"/invoices/new?service={service.id}")).text
    assert field_value(page, "title") == "Маникюр"
    assert field_value(page, "amount") == "1500"
    assert "Полтора часа" in page
    day, _ = date_time_texts(world.ctx.now_us() + 30 * DAY_US, world.shop.tz)
    assert field_value(page, "expires_on") == day
    assert field_value(page, "service") == service.id


async def upload_price_list(owner: CabinetBrowser, data: bytes) -> httpx.Response:
    same_origin = {"origin": BASE_URL, "sec-fetch-site": "same-origin"}
    files = {"file": ("list.csv", data, "text/csv")}
    path = "/services/exchange/file"
    return await owner.http.post(path, data={"csrf": owner.csrf}, files=files, headers=same_origin)


async def test_price_list_is_previewed_before_import(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.open("/services/exchange")
    hostile = HOSTILE.replace('"', '""')
    csv = f'Название;Цена\nМаникюр;1500\n"{hostile}";сто\n'.encode("cp1251")
    previewed = await upload_price_list(owner_browser, csv)
    assert previewed.status_code == 200
    assert "<script>alert" not in previewed.text
    assert "Добавится: 1. Изменится: 0. Без изменений: 0. С ошибками: 1." in visible_text(
        previewed.text
    )
    assert "Цена: Здесь нет суммы." in visible_text(previewed.text)
    assert await list_services(world) == []
    body = re.search(r'name="body" value="([^"]+)"', previewed.text)
    assert body is not None
    for _ in range(2):
        response = await owner_browser.submit("/services/exchange/file/apply", body=body[1])
        assert response.headers["location"] == "/services"
    assert [s.title for s in await list_services(world)] == ["Маникюр"]
    exported = await owner_browser.open("/services/export.csv")
    assert exported.headers["content-type"].startswith("text/csv")
    assert "Маникюр" in exported.content.decode("utf-8-sig")


async def test_invalid_price_list_shows_an_error(owner_browser: CabinetBrowser) -> None:
    await owner_browser.open("/services/exchange")
    for data, error in ((b"", "Заполните"), (b"a;b\n1;2", "Название"), (b"\0\0", "CSV")):
        response = await upload_price_list(owner_browser, data)
        assert response.status_code == 422
        assert error in field_error(response.text, "file")
    for body in ("не base64", hostile_field(b"\0"), hostile_field(zlib.compress(b"{}"))):
        response = await owner_browser.submit("/services/exchange/file/apply", body=body)
        assert response.status_code in (400, 422)


async def test_closed_market_is_explained_and_open_market_is_compared(
    world: World, owner_browser: CabinetBrowser
) -> None:
    club = create_community(world, market="basic")
    community = await connect_community(world, club)
    path = f"/services/exchange/vk/{community.id}"
    text = visible_text((await owner_browser.open(path)).text)
    assert "не показывает товары и услуги по ключу сообщества" in text
    assert "Загрузить из файла" in text
    rule = {"vk_market_open": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    item = club.vk.add_item(club.group_id, HOSTILE, "Полтора часа работы", price_minor=150_000)
    page = (await owner_browser.open(path)).text
    assert "<script>alert" not in page
    assert "Только во ВКонтакте" in visible_text(page)
    fingerprint = field_value(page, f"fingerprint.item-{item.id}")
    applied = await owner_browser.submit(
        path, **{f"do.item-{item.id}": "pull", f"fingerprint.item-{item.id}": fingerprint}
    )
    assert "Загружено в Sigma: 1." in visible_text(applied.text)
    assert (await list_services(world))[0].amount == Money(150_000)
    again = await owner_browser.submit(
        path, **{f"do.item-{item.id}": "pull", f"fingerprint.item-{item.id}": fingerprint}
    )
    assert "Загружено в Sigma: 0." in visible_text(again.text)
    assert len(await list_services(world)) == 1
    assert (await owner_browser.open("/services/exchange/vk/con_nosuch")).status_code == 404
