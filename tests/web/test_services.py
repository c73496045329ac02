"""Услуги in the cabinet: the form with its photo and questions, the list, links, the exchange."""

import base64
import re
import sqlite3

import httpx
import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.catalogue.service import DAY, PriceKind, Template
from sigma.domain.money import Money
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from sigma.web.forms import moment_text
from tests.clubs import connected, open_club
from tests.offers import listing, made
from tests.photos import photo
from tests.web.cabinet_stage import BASE, Browser, fault, field, words
from tests.world import World

HOSTILE = '"><script>alert(1)</script>{{7*7}}'


def form(**typed: str) -> dict[str, str]:
    """The form as a browser posts it: an e-mail asked, one own field."""
    usual = {
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
    return usual | typed


def become(database_url: str, role: Role) -> None:
    """Gives everybody another role."""
    path = database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as con:
        con.execute("UPDATE members SET role = ?", (str(role),))


async def post(
    owner: Browser, path: str, typed: dict[str, str], sent: bytes | None = None
) -> httpx.Response:
    """The form with its file, as multipart."""
    files = {"photo": ("a.jpg", sent if sent is not None else b"", "image/jpeg")}
    own = {"origin": BASE, "sec-fetch-site": "same-origin"}
    data = {"csrf": owner.csrf} | typed
    return await owner.http.post(path, data=data, files=files, headers=own)


async def test_a_service_is_added_from_the_form_with_its_photo(
    world: World, owner: Browser
) -> None:
    nonce = field((await owner.open("/services/new")).text, "nonce")
    answer = await post(owner, "/services/new", form(nonce=nonce), photo(1300, 1400))
    assert answer.status_code == 303, words(answer.text)
    (service,) = await listing(world)
    assert answer.headers["location"] == f"/services/{service.id}"
    assert (service.title, service.amount, service.visible) == ("Маникюр", Money(150_050), True)
    assert service.photo_id is not None
    assert service.template.expires_days == 3
    asked = [(q.key, q.required) for q in service.template.questions]
    assert asked == [("email", True), ("pozhelaniya", False)]
    page = (await owner.open(answer.headers["location"])).text
    assert "Услуга добавлена." in words(page)
    assert field(page, "amount") == "1500,50"
    await post(owner, "/services/new", form(nonce=nonce), photo(1300, 1400))
    assert len(await listing(world)) == 1, "a form works once"


async def test_a_wrong_form_keeps_everything_typed_and_the_photo(
    world: World, owner: Browser
) -> None:
    nonce = field((await owner.open("/services/new")).text, "nonce")
    typed = form(
        nonce=nonce,
        title="",
        amount="1.500",
        expires_days="год",
        return_url="vk.me",
        description=HOSTILE,
        **{"ask.1.label": ""},
    )
    answer = await post(owner, "/services/new", typed, photo(100, 100))
    assert answer.status_code == 422
    page = answer.text
    assert "Заполните" in fault(page, "title")
    assert "копейки" in fault(page, "amount")
    assert "целое число" in fault(page, "expires_days")
    assert "https://" in fault(page, "return_url")
    assert "Заполните" in fault(page, "ask.1.label")
    assert field(page, "amount") == "1.500"
    assert "<script>alert" not in page
    kept = field(page, "photo_id")
    assert kept.startswith("pho_")
    await post(owner, "/services/new", form(nonce=nonce, photo_id=kept))
    (service,) = await listing(world)
    assert service.photo_id == kept


@pytest.mark.parametrize(
    "sent", [b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, photo()[:900]]
)
async def test_what_is_no_photo_is_told_beside_the_field(
    world: World, owner: Browser, sent: bytes
) -> None:
    await owner.open("/services/new")
    answer = await post(owner, "/services/new", form(), sent)
    assert answer.status_code == 422
    assert "JPEG, PNG и WebP" in fault(answer.text, "photo")
    assert await listing(world) == []


async def test_a_file_without_end_is_not_read(owner: Browser) -> None:
    await owner.open("/services/new")
    answer = await post(owner, "/services/new", form(), b"\xff\xd8\xff" + b"\0" * 9_500_000)
    assert answer.status_code == 413


async def test_questions_move_and_the_price_by_agreement_needs_no_sum(
    world: World, owner: Browser
) -> None:
    await owner.open("/services/new")
    answer = await post(owner, "/services/new", form(do="ask-up-1"))
    assert field(answer.text, "ask.0.label") == "Пожелания"
    assert await listing(world) == []
    answer = await post(owner, "/services/new", form(price="agreement", amount="сто"))
    assert answer.status_code == 303, words(answer.text)
    (service,) = await listing(world)
    assert (service.price, service.amount) == (PriceKind.AGREEMENT, None)


async def test_a_service_is_changed_and_its_photo_removed(world: World, owner: Browser) -> None:
    kept = await services.add_photo(world.ctx, world.member, photo(50, 50))
    service = await made(world, photo_id=kept.id)
    page = (await owner.open(f"/services/{service.id}")).text
    typed = form(photo_id=field(page, "photo_id"), title="Педикюр", do="photo-remove")
    answer = await post(owner, f"/services/{service.id}", typed)
    assert field(answer.text, "photo_id") == ""
    assert (await listing(world))[0].photo_id == kept.id, "nothing is saved yet"
    answer = await post(owner, f"/services/{service.id}", typed | {"photo_id": "", "do": "save"})
    assert answer.status_code == 303
    (after,) = await listing(world)
    assert (after.title, after.photo_id) == ("Педикюр", None)


async def test_the_list_moves_hides_and_deletes(world: World, owner: Browser) -> None:
    first, second = await made(world, HOSTILE), await made(world, "Педикюр")
    page = (await owner.open("/services")).text
    assert "<script>alert" not in page
    assert "1 500 ₽" in words(page).replace("\u00a0", " ")
    await owner.send(f"/services/{second.id}/move", way="up")
    assert [s.id for s in await listing(world)] == [second.id, first.id]
    await owner.send(f"/services/{second.id}/show", visible="0")
    assert not (await services.get(world.ctx, world.member, second.id)).visible
    answer = await owner.send(f"/services/{second.id}/delete")
    assert answer.headers["location"] == "/services"
    assert [s.id for s in await listing(world)] == [first.id]
    assert "удалена" in words((await owner.open("/services")).text)
    assert (await owner.open(f"/services/{second.id}")).status_code == 404


async def test_an_operator_looks_and_invoices_but_changes_nothing(
    world: World, owner: Browser, sqlite_database_url: str
) -> None:
    service = await made(world)
    become(sqlite_database_url, Role.OPERATOR)
    page = (await owner.open("/services")).text
    assert f"/invoices/new?service={service.id}" in page
    assert "/services/new" not in page
    page = (await owner.open(f"/services/{service.id}")).text
    assert 'name="title"' not in page
    for path in ("new", "page", "exchange"):
        assert (await owner.open(f"/services/{path}")).status_code == 403
    await owner.open("/settings")
    for path in (f"{service.id}/delete", f"{service.id}/move", f"{service.id}", "page"):
        answer = await owner.send(f"/services/{path}", **form())
        assert answer.status_code == 403, path
    assert await listing(world) == [service]


async def test_forms_without_the_token_change_nothing(world: World, owner: Browser) -> None:
    service = await made(world)
    owner.csrf = "forged"
    assert (await owner.send(f"/services/{service.id}/delete")).status_code == 403
    assert (await post(owner, "/services/new", form(), photo(50, 50))).status_code == 403
    assert len(await listing(world)) == 1


async def test_the_public_page_is_opened_named_and_closed(world: World, owner: Browser) -> None:
    page = (await owner.open("/services/page")).text
    assert field(page, "slug") == "studiya"
    answer = await owner.send("/services/page", on="1", slug="Студия")
    assert answer.status_code == 422
    assert "Латинские буквы" in fault(answer.text, "slug")
    answer = await owner.send("/services/page", on="1", slug="Admin")
    assert "занято" in fault(answer.text, "slug")
    await owner.send("/services/page", on="1", slug="Studio-Lak")
    page = (await owner.open("/services/page")).text
    assert f"{world.ctx.settings.base_url}/s/studio-lak" in page
    svg = await owner.open("/services/page/qr/page.svg")
    assert svg.headers["content-type"].startswith("image/svg+xml")
    await owner.send("/services/page", slug="studio-lak")
    assert (await owner.open("/services/page/qr/page.svg")).status_code == 404


async def test_links_lead_to_the_dialog_about_this_very_service(
    world: World, owner: Browser
) -> None:
    service = await made(world)
    page = (await owner.open(f"/services/{service.id}")).text
    assert "link-dialog" not in page, "no community, no dialog"
    await connected(world, open_club(world, screen_name="lak"))
    await storefront.save_slug(world.ctx, world.member, "studio")
    page = (await owner.open(f"/services/{service.id}")).text
    assert f"/me/lak?ref={service.id}&amp;ref_source=sigma" in page
    assert f"/s/studio/{service.id}" in page
    for kind in ("dialog.svg", "page.png"):
        answer = await owner.open(f"/services/{service.id}/qr/{kind}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("image/")
    for kind in ("dialog.exe", "secret.svg", "svg"):
        assert (await owner.open(f"/services/{service.id}/qr/{kind}")).status_code == 404


async def test_an_invoice_begins_with_the_service(world: World, owner: Browser) -> None:
    service = await made(world, description="Полтора часа", template=Template(expires_days=30))
    page = (await owner.open(f"/invoices/new?service={service.id}")).text
    assert field(page, "title") == "Маникюр"
    assert field(page, "amount") == "1500"
    assert "Полтора часа" in page
    day, _ = moment_text(world.ctx.now() + 30 * DAY, world.shop.tz)
    assert field(page, "expires_on") == day
    assert field(page, "service") == service.id


async def upload(owner: Browser, data: bytes) -> httpx.Response:
    own = {"origin": BASE, "sec-fetch-site": "same-origin"}
    files = {"file": ("list.csv", data, "text/csv")}
    path = "/services/exchange/csv"
    return await owner.http.post(path, data={"csrf": owner.csrf}, files=files, headers=own)


async def test_a_price_list_is_shown_before_it_is_written(world: World, owner: Browser) -> None:
    await owner.open("/services/exchange")
    hostile = HOSTILE.replace('"', '""')
    csv = f'Название;Цена\nМаникюр;1500\n"{hostile}";сто\n'.encode("cp1251")
    shown = await upload(owner, csv)
    assert shown.status_code == 200
    assert "<script>alert" not in shown.text
    assert "Добавится: 1. Изменится: 0. Без изменений: 0. С ошибками: 1." in words(shown.text)
    assert "Цена: Введите сумму цифрами" in words(shown.text)
    assert await listing(world) == []
    body = re.search(r'name="body" value="([^"]+)"', shown.text)
    assert body is not None
    for _ in range(2):
        answer = await owner.send("/services/exchange/csv/apply", body=body[1])
        assert answer.headers["location"] == "/services"
    assert [s.title for s in await listing(world)] == ["Маникюр"]
    out = await owner.open("/services/export.csv")
    assert out.headers["content-type"].startswith("text/csv")
    assert "Маникюр" in out.content.decode("utf-8-sig")


async def test_a_file_that_is_no_price_list_is_told_so(owner: Browser) -> None:
    await owner.open("/services/exchange")
    for data, said in ((b"", "Заполните"), (b"a;b\n1;2", "название"), (b"\0\0", "CSV")):
        answer = await upload(owner, data)
        assert answer.status_code == 422
        assert said in fault(answer.text, "file")
    for body in ("не base64", base64.b64encode(b"\0").decode()):
        answer = await owner.send("/services/exchange/csv/apply", body=body)
        assert answer.status_code in (400, 422)


async def test_a_closed_market_is_explained_and_an_open_one_compared(
    world: World, owner: Browser
) -> None:
    club = open_club(world, market="basic")
    community = await connected(world, club)
    path = f"/services/exchange/vk/{community.id}"
    said = words((await owner.open(path)).text)
    assert "не показывает товары и услуги сообщества по ключу доступа" in said
    assert "Загрузить из файла" in said
    rule = {"vk_market_open": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    item = club.vk.add_item(club.group_id, HOSTILE, "Полтора часа работы", price=150_000)
    page = (await owner.open(path)).text
    assert "<script>alert" not in page
    assert "Только во ВКонтакте" in words(page)
    mark = field(page, f"mark.item-{item.id}")
    done = await owner.send(path, **{f"do.item-{item.id}": "take", f"mark.item-{item.id}": mark})
    assert "Взято сюда: 1." in words(done.text)
    assert (await listing(world))[0].amount == Money(150_000)
    again = await owner.send(path, **{f"do.item-{item.id}": "take", f"mark.item-{item.id}": mark})
    assert "Взято сюда: 0." in words(again.text)
    assert len(await listing(world)) == 1
    assert (await owner.open("/services/exchange/vk/con_nosuch")).status_code == 404
