"""The page of the audit log: sentences, filters, pages, export."""

import csv
import io
import json
from pathlib import Path

import pytest

import sigma
from sigma.domain.audit.deed import Deed
from sigma.services.accounts import api_keys
from sigma.services.platform import audit_log
from sigma.texts import LOCALES, Translator
from tests.web.cabinet_harness import CabinetBrowser, create_key, visible_text
from tests.world import World

HERE = "/settings/audit"


@pytest.mark.parametrize("locale", LOCALES)
def test_every_deed_has_a_sentence(locale: str) -> None:
    translator = Translator(locale)
    assert [d.value for d in Deed if not translator.has(f"audit.deed.{d.value}")] == []


def test_every_deed_is_recorded_somewhere() -> None:
    # The team's pages record these; see `docs/security/audit-log.md`.
    elsewhere = {Deed.MEMBER_ADDED, Deed.MEMBER_REMOVED, Deed.ROLE_CHANGED}
    folder = Path(sigma.__file__).parent
    sources = "".join(
        path.read_text() for part in ("services", "web") for path in (folder / part).rglob("*.py")
    )
    unused = {deed for deed in Deed if f"Deed.{deed.name}" not in sources}
    assert unused <= elsewhere


async def test_page_shows_who_did_what_from_where(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.open("/settings/keys")
    await create_key(owner_browser, "Касса")
    page = await owner_browser.open(HERE)
    text = visible_text(page.text)
    for expected in ("Ключ API создан", "Касса", "Пётр", "127.0.0.1", "Вход в кабинет"):
        assert expected in text, expected
    assert "Название: Студия" not in text
    found = await owner_browser.open(f"{HERE}?deed=api_key.created")
    assert "Ключ API создан" in visible_text(found.text)
    rows = found.text.partition("<tbody")[2]
    assert "Вход в кабинет" not in rows
    nothing = await owner_browser.open(
        f"{HERE}?since=2990-01-01&until=x&actor=%00".replace("%00", "")
    )
    assert "Таких записей нет" in visible_text(nothing.text)


async def test_pages_of_the_log_continue_without_gaps(
    world: World, owner_browser: CabinetBrowser
) -> None:
    for n in range(30):
        await audit_log.record_alone(world.ctx, world.member, Deed.PRICE_LIST_EXPORTED, count=n)
    first = await owner_browser.open(f"{HERE}?deed=price_list.exported")
    assert "Количество: 29" in first.text
    assert "Количество: 4<" not in first.text
    cursor = first.text.partition("cursor=")[2].partition('"')[0]
    second = await owner_browser.open(f"{HERE}?deed=price_list.exported&cursor={cursor}")
    assert "Количество: 4<" in second.text
    assert "Количество: 5<" not in second.text


async def test_export_holds_every_entry_and_no_formulas(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await api_keys.create(world.ctx, world.member, "=HYPERLINK(1)")
    response = await owner_browser.open(f"{HERE}.csv")
    assert response.headers["content-type"].startswith("text/csv")
    text = response.text.removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert rows[0]["deed"] == "audit_log.exported"
    assert [int(row["number"]) for row in rows] == list(range(len(rows), 0, -1))
    assert all(json.loads(row["detail"]) is not None for row in rows)
    assert audit_log.csv_lines([["=1+1", "-1", "a"]]) == "'=1+1;'-1;a\r\n"
