"""The page of the audit log: sentences, filters, pages, export."""

import csv
import io
import json
from dataclasses import fields
from pathlib import Path

import pytest

import sigma
from sigma.domain.accounts.member import Role
from sigma.domain.accounts.second_factor import SecondFactorRule
from sigma.domain.accounts.session import Proof
from sigma.domain.accounts.shop import SellerKind
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import EntryFilter
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.auto_reply import AutoReplySettings
from sigma.domain.messaging.community import DELIVERY_CHOICES
from sigma.services.accounts import api_keys, users
from sigma.services.platform import audit_log
from sigma.store.accounts import members
from sigma.texts import LOCALES, Translator
from sigma.web.cabinet.settings.audit_log import csv_chunks
from sigma.web.cabinet.settings.audit_values import change_text, value_text
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


@pytest.mark.parametrize("loss", ["role", "session"])
async def test_export_stops_when_the_right_is_lost_meanwhile(world: World, loss: str) -> None:
    for n in range(audit_log.EXPORT_BATCH + 1):
        await audit_log.record_alone(world.ctx, world.member, Deed.PRICE_LIST_EXPORTED, count=n)
    signed = await users.sign_in(world.ctx, "owner@example.org", world.password, ip="192.0.2.1")
    session = await users.find_session(world.ctx, signed.secret)
    assert session is not None
    parts = csv_chunks(world.ctx, session, signed.secret, EntryFilter(), {})
    await anext(parts)
    assert (await anext(parts)).count("\r\n") == audit_log.EXPORT_BATCH
    if loss == "session":
        await users.sign_out(world.ctx, session, ip="192.0.2.1")
    else:
        async with world.ctx.db.write() as tx:
            await members.set_role(tx, world.shop.id, session.user.id, Role.OPERATOR)
    with pytest.raises(RefusedError):
        await anext(parts)


@pytest.mark.parametrize(
    ("name", "pair", "text"),
    [
        ("role", ["operator", "viewer"], "Роль: оператор → наблюдатель"),
        ("kind", ["npd", "ip"], "Форма: самозанятый → индивидуальный предприниматель"),
        ("provider", [None, "yookassa"], "Эквайер: пусто → ЮKassa"),
        ("operator", [0, 50_000], "Оператор: 0\u00a0₽ → 500\u00a0₽"),
        ("admin", [None, 12_345], "Администратор: без ограничения → 123,45\u00a0₽"),
        (
            "refund_confirmation",
            [1_000_000, None],
            "Подтверждать возвраты больше: 10\u00a0000\u00a0₽ → не спрашивать",
        ),
        ("invoices_per_day", [None, 1200], "Счетов в день: без ограничения → 1\u00a0200"),
        ("storage_bytes", [None, 10_500_000], "Место для фото: без ограничения → 10,5\u00a0МБ"),
        ("two_stage", ["False", "True"], "Двухстадийная оплата: нет → да"),
        ("enabled", [False, True], "Отвечать автоматически: нет → да"),
        ("hours", [[], [[540, 1080], None]], "Рабочее время: изменено"),
        ("answers_days", [365, 30], "Ответы клиентов, дней: 365 → 30"),
        ("role", ["later", "viewer"], "Роль: later → наблюдатель"),
        ("consent_text", ["", {"chars": 900}], "Текст согласия: пусто → текст, символов: 900"),
    ],
)
def test_changes_show_words_and_amounts_not_stored_codes(
    name: str, pair: list[object], text: str
) -> None:
    assert change_text(name, pair, Translator("ru")) == text


def test_every_stored_choice_has_a_text() -> None:
    translator = Translator("ru")
    choices = {
        "role": Role,
        "second_factor_rule": SecondFactorRule,
        "kind": SellerKind,
        "delivery": DELIVERY_CHOICES,
        "factor": [*Proof, "all"],
        "locale": LOCALES,
    }
    for name, values in choices.items():
        for value in values:
            assert value_text(name, str(value), translator) != str(value), (name, value)
    for name in (field.name for field in fields(AutoReplySettings)):
        assert translator.has(f"audit.field.{name}"), name
