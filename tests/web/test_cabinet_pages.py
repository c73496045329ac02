"""Rules of every page of the cabinet; the home page; the failed-jobs page."""

import re
from pathlib import Path

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.change import Change, Job
from sigma.domain.job_lanes import LANES
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US
from sigma.services.billing import payments, refunds
from sigma.store import changes, job_claims, jobs
from sigma.web import rendering
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_value,
    open_browser,
    set_role,
    visible_text,
)
from tests.world import World

TEMPLATES = Path(rendering.__file__).parent / "templates"
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
    "/settings/team",
    "/shops",
    "/installation/shops",
    "/reports/statement",
)
CYRILLIC = re.compile(r"[А-Яа-яЁё]+")


@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_pages_contain_no_inline_script_or_style(
    world: World, owner_browser: CabinetBrowser, locale: str
) -> None:
    await owner_browser.submit("/locale", locale=locale, next="/")
    for path in (*PAGES, f"/settings/connections/{world.connection.id}"):
        page = (await owner_browser.open(path)).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", page), path
        forms = page.count('method="post"')
        assert page.count('name="csrf"') == forms, f"every form of {path} carries its token"
        assert page.count("<h1>") == 1, path


async def test_english_pages_contain_no_russian(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.submit("/locale", locale="en", next="/")
    await owner_browser.submit("/settings/mail", from_name="", reply_to="", smtp_url="")
    allowed = {"Студия", "Пётр", "Ю"}  # the shop, its owner, ЮKassa
    for path in PAGES:
        page = (await owner_browser.open(path)).text
        page = re.sub(r"«[^»]*»|<(textarea|input|option|button)[^>]*>[^<]*", "", page)
        assert set(CYRILLIC.findall(visible_text(page))) <= allowed, path


async def test_viewer_opens_only_home_and_own_password_page(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await set_role(world.ctx, Role.VIEWER)
    assert (await owner_browser.open("/")).status_code == 200
    assert (await owner_browser.open("/settings/access")).status_code == 200
    settings_text = visible_text((await owner_browser.open("/settings")).text)
    assert "Вход и безопасность" in settings_text
    assert "Ключи API" not in settings_text
    for path in ("connections", "keys", "jobs", f"connections/{world.connection.id}"):
        assert (await owner_browser.open(f"/settings/{path}")).status_code == 403
    await owner_browser.open("/settings/access")
    response = await owner_browser.submit("/settings/shop", name="Чужая", tz="UTC", kind="npd")
    assert response.status_code == 403


async def _create_dead_job(world: World, job: Job) -> None:
    """Create a job and mark it dead, as after too many attempts."""
    now_us = world.ctx.now_us()
    await changes.commit(world.ctx.db, Change(jobs=(job,)), now_us)
    for claimed in await job_claims.claim(
        world.ctx.db, LANES[job.kind], now_us=now_us, lease_until_us=now_us + DAY_US, limit=10
    ):
        await jobs.reschedule(world.ctx.db, claimed, now_us, "Boom <b>", is_dead=True)


async def test_home_shows_todays_totals_and_payments_that_need_attention(
    world: World, owner_browser: CabinetBrowser
) -> None:
    invoice = await world.create_invoice(150_000)
    paid, extra = [await world.start_payment(invoice, payer=payer) for payer in ("a", "b")]
    for payment in (paid, extra):
        await world.pay(payment)
        await payments.advance(world.ctx, payment.id)
    await refunds.request(world.ctx, world.member, paid.id, Money(50_000), "подарок")
    await world.run_jobs()
    page = await owner_browser.open("/")
    text = visible_text(page.text).replace("\xa0", " ")
    for named in (
        "Чистыми 2 395 ₽",  # the fee of the bank is 3.5 %
        "Поступления 3 000 ₽",
        "Возвраты 500 ₽",
        "Комиссия эквайера 105 ₽",
        "Средний платёж 1 500 ₽",
        "Оплачено 1 из 1 открытого счёта",
        "Без услуги 3 000 ₽",
        "Нужно вернуть клиентам: 1 500 ₽",
    ):
        assert named in text
    assert "Требует внимания 1 500,00 ₽" in text
    assert "Счёт оплатили второй раз" in text
    assert f'href="/payments/{extra.id}"' in page.text
    assert "До первой оплаты" not in text, "everything is set up"
    assert "Возвращён частично" in text


async def test_failed_job_is_listed_retried_and_dismissed(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await world.run_jobs()  # the mail about the sign-in
    job = Job("mail.send", "mail_nobody", world.shop.id)
    await _create_dead_job(world, job)
    assert "1 фоновая задача не выполнена" in visible_text((await owner_browser.open("/")).text)
    page = await owner_browser.open("/settings/jobs")
    assert "Отправить письмо" in page.text
    assert "Boom &lt;b&gt;" in page.text
    assert field_value(page.text, "job") == "mail.send:mail_nobody"
    await owner_browser.submit("/settings/jobs/retry", job="mail.send:mail_nobody")
    assert "Задача запущена снова" in (await owner_browser.open("/settings/jobs")).text
    await _create_dead_job(world, job)
    await owner_browser.submit("/settings/jobs/dismiss", job="mail.send:mail_nobody")
    page = await owner_browser.open("/settings/jobs")
    assert "Ошибок нет" in page.text
    response = await owner_browser.submit("/settings/jobs/retry", job="mail.send:mail_nobody")
    assert response.status_code == 404


async def test_forged_flash_cookie_is_ignored(world: World, owner_browser: CabinetBrowser) -> None:
    odd = "WyJnb29kIiwiY2FiaW5ldC5zaWduX2luIix7fV0"  # pragma: allowlist secret
    for cookie in ("x", "W10", odd, "A" * 3000):
        owner_browser.http.cookies.set("sigma_flash", cookie)
        page = await owner_browser.open("/settings")
        assert page.status_code == 200
        assert "flash" not in page.text


async def test_error_page_without_a_session_links_to_sign_in(world: World) -> None:
    async with open_browser(world.ctx) as browser:
        page = await browser.submit("/sign-in", {"origin": "https://evil.example"})
        assert page.status_code == 403
        assert 'href="/sign-in"' in page.text


def test_each_icon_has_a_name_of_its_own() -> None:
    """Of two icons with one name Jinja takes the second, and the first is lost."""
    source = (TEMPLATES / "cabinet" / "parts.html").read_text()
    table = source.partition("set ICONS = {")[2].partition("} -%}")[0]
    names = re.findall(r'^  "([a-z]+)": "', table, re.MULTILINE)
    assert len(names) > 20
    assert len(names) == len(set(names))
