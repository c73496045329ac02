"""Pages of the price list import: columns that the seller changes, old and new values, left out."""

import html
import re
from typing import Any

import httpx

from sigma.domain.catalogue.service import PriceKind
from sigma.domain.money import Money
from tests.price_lists import packed_file, xlsx
from tests.service_factories import create_service, list_services
from tests.web.cabinet_harness import BASE_URL, CabinetBrowser, field_value, visible_text
from tests.world import World

FILE = """Салон «Лак»;;;
Услуга;Мастер;Топ-мастер;Фото
НОГТИ;;;
Маникюр;1500;2500;a.jpg
Педикюр;сто;3000;b.jpg
Итого;;5500;
"""


async def upload(owner: CabinetBrowser, data: bytes, name: str = "прайс.csv") -> httpx.Response:
    return await owner.http.post(
        "/services/exchange/file",
        data={"csrf": owner.csrf},
        files={"file": (name, data, "application/vnd.ms-excel")},
        headers={"origin": BASE_URL, "sec-fetch-site": "same-origin"},
    )


def form_of(page: str) -> dict[str, str]:
    """Return the fields of the preview's form with their values."""
    fields = {name: html.unescape(value) for name, value in _HIDDEN.findall(page)}
    for name, options in _SELECT.findall(page):
        chosen = re.search(r'value="([^"]*)" selected', options)
        fields[name] = html.unescape(chosen[1]) if chosen else ""
    return fields


_HIDDEN = re.compile(r'<input type="hidden" name="((?:before|body)[^"]*)" value="([^"]*)"')
_SELECT = re.compile(r'<select id="[^"]*" name="([^"]*)"[^>]*>(.*?)</select>', re.DOTALL)


async def test_preview_shows_columns_old_and_new_values_and_what_is_left_out(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await create_service(world, amount=Money(100_000))
    await owner_browser.open("/services/exchange")
    page = (await upload(owner_browser, FILE.encode("cp1251"))).text
    text = visible_text(page).replace("\u00a0", " ")
    assert form_of(page) | {"body": ""} == {
        "body": "",
        "column.0": "title",
        "column.1": "price",
        "column.2": "",
        "column.3": "",
        "before.0": "title",
        "before.1": "price",
        "before.2": "",
        "before.3": "",
    }
    assert "у услуги одна цена, она взята из другого столбца" in text
    assert "картинки и ссылки" in text
    assert "1 000 ₽ → 1 500 ₽" in text
    assert "пусто → НОГТИ" in text
    assert "Цена: Здесь нет суммы." in text
    for left_out in ("Салон «Лак» Над таблицей", "НОГТИ Категория для строк", "5500 Итог"):
        assert left_out in text
    assert (await list_services(world))[0].amount == Money(100_000)


async def test_changed_column_is_previewed_without_upload_and_then_applied(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.open("/services/exchange")
    form = form_of((await upload(owner_browser, FILE.encode())).text)
    chosen = form | {"column.2": "price"}
    again = await owner_browser.submit("/services/exchange/file/preview", **chosen)
    assert again.status_code == 200
    previewed = form_of(again.text)
    assert (previewed["column.1"], previewed["column.2"]) == ("", "price")
    assert "2 500 ₽" in visible_text(again.text).replace("\u00a0", " ")
    assert await list_services(world) == []
    response = await owner_browser.submit("/services/exchange/file/apply", **previewed)
    assert response.headers["location"] == "/services"
    assert [(s.title, s.category, s.amount) for s in await list_services(world)] == [
        ("Маникюр", "НОГТИ", Money(250_000)),
        ("Педикюр", "НОГТИ", Money(300_000)),
    ]


async def test_apply_with_columns_that_were_not_previewed_shows_them_first(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.open("/services/exchange")
    form = form_of((await upload(owner_browser, FILE.encode())).text)
    response = await owner_browser.submit(
        "/services/exchange/file/apply", **(form | {"column.2": "price"})
    )
    assert response.status_code in (200, 201)
    assert "Столбцы изменены" in visible_text(response.text)
    assert await list_services(world) == []


async def test_another_sheet_is_chosen_in_the_preview(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.open("/services/exchange")
    first: list[list[Any]] = [["Услуга", "Цена"], ["А", 1]]
    second: list[list[Any]] = [["Цена", "Услуга"], [2, "Б"]]
    page = (await upload(owner_browser, xlsx(first, Второй=second), "прайс.XLSX")).text
    assert "Лист «Второй» не загружен" in visible_text(page)
    form = form_of(page) | {"sheet": "Второй"}
    page = (await owner_browser.submit("/services/exchange/file/preview", **form)).text
    await owner_browser.submit("/services/exchange/file/apply", **form_of(page))
    assert [(s.title, s.amount) for s in await list_services(world)] == [("Б", Money(200))]


async def test_hostile_choices_change_nothing(world: World, owner_browser: CabinetBrowser) -> None:
    await owner_browser.open("/services/exchange")
    body = packed_file("Услуга;Цена\nМаникюр;1500\n")
    fields = {"column.0": "rm -rf", "column.99999": "title", "sheet": "нет такого"}
    response = await owner_browser.submit("/services/exchange/file/apply", body=body, **fields)
    assert response.status_code == 422
    assert "Листа «нет такого» в файле нет" in visible_text(response.text)
    for broken in ("", "AAAA", body[:-30], body + "AAAA"):
        response = await owner_browser.submit("/services/exchange/file/preview", body=broken)
        assert response.status_code == 400
    assert await list_services(world) == []


async def test_service_form_saves_range_unit_category_and_code(
    world: World, owner_browser: CabinetBrowser
) -> None:
    service = await create_service(world)
    path = f"/services/{service.id}"
    await owner_browser.open(path)
    fields = {"do": "save", "title": "Зал", "price": "range", "amount": "1000", "currency": "RUB"}
    fields |= {
        "max_amount": "500",
        "price_unit": "час",
        "category": " Аренда  зала ",
        "visible": "1",
    }
    refused = await owner_browser.submit(path, **fields)
    assert "Наибольшая цена должна быть выше наименьшей" in visible_text(refused.text)
    await owner_browser.submit(path, **(fields | {"max_amount": "2000", "external_id": "К-1"}))
    (saved,) = await list_services(world)
    assert (saved.price_kind, saved.amount, saved.max_amount) == (
        PriceKind.RANGE,
        Money(100_000),
        Money(200_000),
    )
    assert (saved.price_unit, saved.category, saved.external_id) == ("час", "Аренда зала", "К-1")
    page = (await owner_browser.open(path)).text
    names = ("amount", "max_amount", "price_unit", "category", "external_id")
    assert [field_value(page, name) for name in names] == [
        *("1000", "2000", "час", "Аренда зала", "К-1")
    ]


async def test_list_groups_services_and_moves_a_category(
    world: World, owner_browser: CabinetBrowser
) -> None:
    for title, category in (("А", "Ногти"), ("Б", "Волосы"), ("В", "Ногти"), ("Г", "")):
        await create_service(world, title, category=category)
    text = visible_text((await owner_browser.open("/services")).text)
    order = [text.index(word) for word in ("Г", "Ногти", "Волосы")]
    assert order == sorted(order)
    await owner_browser.submit("/services/categories/move", category="Волосы", way="up")
    assert [s.title for s in await list_services(world)] == ["Г", "Б", "А", "В"]
    await owner_browser.submit("/services/categories/move", category="Волосы", way="up")
    assert [s.title for s in await list_services(world)] == ["Г", "Б", "А", "В"]
