"""What every page of the cabinet keeps to, and the pages that tell: home and failed jobs."""

import re
import sqlite3

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.change import Change, Job
from sigma.domain.money import Money
from sigma.services.billing import payments, refunds
from sigma.services.context import DAY
from sigma.store import changes, jobs
from tests.web.cabinet_stage import Browser, field, open_browser, words
from tests.world import World

PAGES = (
    "/",
    "/settings",
    "/settings/shop",
    "/settings/connections",
    "/settings/connections/new",
    "/settings/mail",
    "/settings/keys",
    "/settings/jobs",
    "/settings/access",
)
CYRILLIC = re.compile(r"[А-Яа-яЁё]+")


@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_pages_hold_no_script_and_no_style_of_their_own(
    world: World, owner: Browser, locale: str
) -> None:
    await owner.send("/locale", locale=locale, next="/")
    for path in (*PAGES, f"/settings/connections/{world.connection.id}"):
        page = (await owner.open(path)).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", page), path
        forms = page.count('method="post"')
        assert page.count('name="csrf"') == forms, f"every form of {path} carries its token"
        assert page.count("<h1>") == 1, path


async def test_english_pages_hold_no_russian(world: World, owner: Browser) -> None:
    await owner.send("/locale", locale="en", next="/")
    await owner.send("/settings/mail", from_name="", reply_to="", smtp_url="")
    own = {"Студия", "Пётр", "Ю"}  # the shop, its owner, ЮKassa
    for path in PAGES:
        page = (await owner.open(path)).text
        page = re.sub(r"«[^»]*»|<(textarea|input|option|button)[^>]*>[^<]*", "", page)
        assert set(CYRILLIC.findall(words(page))) <= own, path


async def test_a_viewer_sees_home_and_his_own_password_only(
    world: World, owner: Browser, sqlite_database_url: str
) -> None:
    _become(sqlite_database_url, Role.VIEWER)
    assert (await owner.open("/")).status_code == 200
    assert (await owner.open("/settings/access")).status_code == 200
    index = words((await owner.open("/settings")).text)
    assert "Доступ" in index
    assert "Ключи API" not in index
    for path in ("connections", "keys", "jobs", f"connections/{world.connection.id}"):
        assert (await owner.open(f"/settings/{path}")).status_code == 403
    await owner.open("/settings/access")
    sent = await owner.send("/settings/shop", name="Чужая", tz="UTC", kind="npd")
    assert sent.status_code == 403


def _become(database_url: str, role: Role) -> None:
    """Nobody gives roles away yet, so the row is written by hand."""
    with sqlite3.connect(database_url.removeprefix("sqlite:///")) as database:
        changed = database.execute("UPDATE members SET role = ?", (str(role),)).rowcount
    database.close()
    assert changed == 1


async def _bury(world: World, job: Job) -> None:
    """A job that was tried too often."""
    now = world.ctx.now()
    await changes.commit(world.ctx.db, Change(jobs=(job,)), now)
    for claimed in await jobs.claim(world.ctx.db, now=now, until=now + DAY, limit=10):
        await jobs.later(world.ctx.db, claimed, now, "Boom <b>", dead=True)


async def test_home_counts_todays_money_and_names_what_needs_a_person(
    world: World, owner: Browser
) -> None:
    invoice = await world.invoice(150_000)
    one, two = [await world.started(invoice, payer=who) for who in ("a", "b")]
    for payment in (one, two):
        await world.pay(payment)
        await payments.advance(world.ctx, payment.id)
    await refunds.request(world.ctx, world.member, one.id, Money(50_000), "подарок")
    await world.work()
    page = await owner.open("/")
    said = words(page.text).replace("\xa0", " ")
    assert "Требует внимания 1 500,00 ₽" in said
    assert "Счёт уже был оплачен, это лишняя оплата" in said
    assert f'href="/payments/{two.id}#refund"' in page.text
    assert "До первой оплаты" not in said, "everything is set up"
    assert "Возвращён частично" in said


async def test_a_failed_job_is_shown_repeated_and_put_away(world: World, owner: Browser) -> None:
    job = Job("mail.send", "mail_nobody", world.shop.id)
    await _bury(world, job)
    assert "1 задание не выполнено" in words((await owner.open("/")).text)
    page = await owner.open("/settings/jobs")
    assert "Отправить письмо" in page.text
    assert "Boom &lt;b&gt;" in page.text
    assert field(page.text, "job") == "mail.send:mail_nobody"
    await owner.send("/settings/jobs/retry", job="mail.send:mail_nobody")
    assert "Задание запущено снова" in (await owner.open("/settings/jobs")).text
    await _bury(world, job)
    await owner.send("/settings/jobs/dismiss", job="mail.send:mail_nobody")
    page = await owner.open("/settings/jobs")
    assert "Всё выполнено" in page.text
    gone = await owner.send("/settings/jobs/retry", job="mail.send:mail_nobody")
    assert gone.status_code == 404


async def test_a_flash_made_by_hand_says_nothing(world: World, owner: Browser) -> None:
    for cookie in ("x", "W10", "WyJnb29kIiwiY2FiaW5ldC5zaWduX2luIix7fV0", "A" * 3000):
        owner.http.cookies.set("sigma_flash", cookie)
        page = await owner.open("/settings")
        assert page.status_code == 200
        assert "flash" not in page.text


async def test_a_page_that_is_not_there_says_so_to_a_stranger_too(world: World) -> None:
    async with open_browser(world.ctx) as browser:
        page = await browser.send("/sign-in", headers={"origin": "https://evil.example"})
        assert page.status_code == 403
        assert 'href="/sign-in"' in page.text
