"""What people see above a limit: a sentence with the time, what they typed, a way on."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import httpx
import pytest

from sigma.domain.errors import RefusedError
from sigma.domain.limits import ACQUIRER_QUERY_MANUAL, RECEIPT_MAILS_PAYMENT, SIGN_IN_ADDRESS
from sigma.services.accounts import api_keys
from sigma.services.billing import payments
from sigma.services.billing.payment_details import get_details
from sigma.services.checkout import checkout
from sigma.store.database import open_database
from sigma.web.config import WebConfig
from sigma_sandbox.app import Sandbox
from tests.web.apps import web_app
from tests.web.cabinet_harness import BASE_URL, CabinetBrowser, field_value, visible_text
from tests.web.checkout_harness import consent_box, open_client, submit_form
from tests.world import TestSettings, World, fast_passwords, open_world

OWNER = "owner@example.org"
PROXY = "10.0.0.1"


@asynccontextmanager
async def open_at(
    world: World, ip: str, *, trusted_proxies: tuple[str, ...] = ()
) -> AsyncIterator[CabinetBrowser]:
    """Open a browser whose connection comes from an address."""
    with web_app(world.ctx, WebConfig(trusted_proxies=trusted_proxies)) as app:
        transport = httpx.ASGITransport(app, client=(ip, 40_000))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            yield CabinetBrowser(http)


async def sign_in(browser: CabinetBrowser, password: str, **headers: str) -> httpx.Response:
    """Post the sign-in form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await browser.submit("/sign-in", named, login=OWNER, password=password, next="/")


async def test_owner_on_a_known_device_gets_in_while_strangers_guess(world: World) -> None:
    world.clock.stop()
    async with open_at(world, "203.0.113.7") as known:
        assert (await sign_in(known, world.password)).status_code == 303
        for n in range(12):
            async with open_at(world, f"198.51.100.{n}") as stranger:
                guessed = await sign_in(stranger, f"guess {n}")
                assert guessed.status_code == (422 if n < 5 else 429)
        async with open_at(world, "198.51.100.99") as stranger:
            response = await sign_in(stranger, "guess")
        assert "Повторите через 1 секунду" in visible_text(response.text)
        assert response.headers["retry-after"] == "1"
        assert field_value(response.text, "login") == OWNER
        known.http.cookies.delete("sigma_session")
        assert (await sign_in(known, world.password)).status_code == 303
        assert (await known.open("/settings")).status_code == 200
    async with open_at(world, "203.0.113.7") as unknown:
        assert (await sign_in(unknown, world.password)).status_code == 429


async def test_device_cookie_is_http_only_lasts_long_and_opens_nothing(world: World) -> None:
    async with open_at(world, "203.0.113.7") as browser:
        response = await sign_in(browser, world.password)
        (cookie,) = [
            line for line in response.headers.get_list("set-cookie") if "sigma_device" in line
        ]
        assert "httponly" in cookie.lower()
        assert "samesite=lax" in cookie.lower()
        assert re.search(r"max-age=31536000\b", cookie.lower())
        browser.http.cookies.delete("sigma_session")
        assert (await browser.open("/settings")).status_code == 303


async def test_limits_hold_across_two_applications_on_postgresql(
    postgres_database_url: str, sandbox: Sandbox
) -> None:
    """Each application has connections and memory of its own, as two processes have."""
    async with open_world(postgres_database_url, sandbox) as world:
        world.clock.stop()
        settings = world.ctx.settings
        assert isinstance(settings, TestSettings)
        first = replace(world.ctx, settings=replace(settings, api_requests_per_minute=5))
        database = await open_database(postgres_database_url)
        second = replace(first, db=database, passwords=fast_passwords())
        _, key = await api_keys.create(first, world.member, "Касса")
        invoice = await world.create_invoice()
        api_codes, sign_in_codes, pay_codes = [], [], []
        for n in range(12):
            with web_app((first, second)[n % 2]) as app:
                transport = httpx.ASGITransport(app, client=(f"198.51.100.{n}", 1))
                async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
                    headers = {"authorization": f"Bearer {key}"}
                    listed = await http.get("/api/v1/invoices", headers=headers)
                    api_codes.append(listed.status_code)
                    guessed = await sign_in(CabinetBrowser(http), f"guess {n}")
                    sign_in_codes.append(guessed.status_code)
                    paid = await submit_form(http, f"/i/{invoice.token}")
                    pay_codes.append(paid.status_code)
        await database.close()
    assert api_codes == [200] * 5 + [429] * 7
    assert sign_in_codes == [422] * 5 + [429] * 7
    assert pay_codes == [303] * 5 + [429] * 7


@pytest.mark.parametrize(
    ("connection", "trusted", "forwarded", "is_shared"),
    [
        ("203.0.113.7", (), "198.51.100.{n}", True),  # nobody is trusted
        ("203.0.113.7", (PROXY,), "198.51.100.{n}", True),  # not from the proxy
        (PROXY, (PROXY,), "198.51.100.{n}", False),
        (f"::ffff:{PROXY}", (PROXY,), "198.51.100.{n}", False),  # the server listens on "::"
        (PROXY, (PROXY,), "198.51.100.{n}, 192.0.2.1", True),  # the client made up the first
        (PROXY, (PROXY, "10.1.0.0/16"), "8.8.8.8, 198.51.100.{n}, 10.1.2.3", False),
        (PROXY, (PROXY,), "2001:db8:5:6::{n}", True),  # one /64 network
        (PROXY, (PROXY,), "2001:db8:5:{n}::1", False),
        (PROXY, (PROXY,), "198.51.100.7:{n}", True),  # ports do not count
        (PROXY, (PROXY,), "junk-{n}", True),
    ],
)
async def test_address_of_a_limit_is_the_last_one_that_no_trusted_proxy_has(
    world: World, connection: str, trusted: tuple[str, ...], forwarded: str, is_shared: bool
) -> None:
    statuses = set()
    async with open_at(world, connection, trusted_proxies=trusted) as browser:
        for n in range(1, SIGN_IN_ADDRESS.amount + 2):
            form = {"login": f"somebody-{n}@example.org", "password": "guess", "next": "/"}
            headers = {"x-forwarded-for": forwarded.format(n=n)}
            statuses.add((await browser.submit("/sign-in", headers, **form)).status_code)
    assert statuses == ({422, 429} if is_shared else {422})


async def test_wrong_old_passwords_show_when_to_try_again(
    world: World, owner_browser: CabinetBrowser
) -> None:
    world.clock.stop()
    await owner_browser.open("/settings/access")
    for _ in range(5):
        wrong = await owner_browser.submit("/settings/access", old="guess", new="long enough now")
        assert wrong.status_code == 422
    refused = await owner_browser.submit(
        "/settings/access", old=world.password, new="long enough now"
    )
    assert refused.status_code == 429
    assert "Повторите через 1 секунду" in visible_text(refused.text)
    assert refused.headers["retry-after"] == "1"


async def test_client_above_the_limit_reads_when_to_pay_and_keeps_the_form(world: World) -> None:
    world.clock.stop()
    invoice = await world.create_invoice()
    for _ in range(5):
        await checkout.start(world.ctx, invoice.token, world.pay_form(f"b{world.form_count}"))
    async with open_client(world) as client:
        response = await submit_form(client, f"/i/{invoice.token}", wish="Красный лак")
        text = visible_text(response.text)
        assert response.status_code == 429
        assert "Слишком много попыток оплаты Деньги не списаны" in text
        assert "Повторите через 15 минут или напишите продавцу" in text
        assert response.headers["retry-after"] == "900"
        assert field_value(response.text, "wish") == "Красный лак"
        assert field_value(response.text, "email") == "client@example.net"
        assert consent_box(response.text)[1], "the tick stays"
        world.clock.advance(minutes=16)
        again = await submit_form(client, f"/i/{invoice.token}")
        assert again.status_code == 303
    async with open_client(world, "en") as client:
        for _ in range(6):
            client.cookies.clear()
            response = await submit_form(client, f"/i/{invoice.token}")
        assert "Try again in 15 minutes" in visible_text(response.text)


async def test_client_with_an_open_payment_goes_to_the_bank(world: World) -> None:
    invoice = await world.create_invoice()
    async with open_client(world) as client:
        own = await submit_form(client, f"/i/{invoice.token}")
        for _ in range(6):
            form = world.pay_form(f"b{world.form_count}")
            with suppress(RefusedError):
                await checkout.start(world.ctx, invoice.token, form)
        again = await submit_form(client, f"/i/{invoice.token}")
        assert again.status_code == 303
        assert again.headers["location"] == own.headers["location"]


async def test_receipt_is_mailed_by_hand_a_few_times_a_day(
    world: World, owner_browser: CabinetBrowser
) -> None:
    world.clock.stop()
    payment = await world.complete_payment()
    page = f"/payments/{payment.id}"
    assert "Отправить ещё раз" in (await owner_browser.open(page)).text
    for _ in range(RECEIPT_MAILS_PAYMENT.amount):
        assert (await owner_browser.submit(f"{page}/mail")).status_code == 303
    opened = await owner_browser.open(page)
    assert "Отправить ещё раз" not in opened.text
    assert "Отправить квитанцию снова можно через 24 часа" in visible_text(opened.text)
    refused = await owner_browser.submit(f"{page}/mail")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "86400")
    assert "Отправить снова можно через 24 часа" in visible_text(refused.text)
    board = await owner_browser.submit(f"/board/mails/{payment.id}/again")
    assert "через 24 часа" in visible_text((await owner_browser.open("/board")).text)
    assert board.status_code == 303
    world.clock.advance(hours=25)
    assert (await owner_browser.submit(f"{page}/mail")).status_code == 303
    await world.run_jobs()
    details = await get_details(world.ctx, world.member, payment.id)
    receipts = [mail.status for mail in details.mails if mail.kind == "receipt"]
    assert receipts == ["sent"] * (RECEIPT_MAILS_PAYMENT.amount + 2), "the first one, and one later"


async def test_mails_by_hand_of_a_shop_are_limited(
    world: World, owner_browser: CabinetBrowser
) -> None:
    settings = world.ctx.settings
    assert isinstance(settings, TestSettings)
    ctx = replace(world.ctx, settings=replace(settings, manual_mails_per_day=2))
    world.ctx = ctx
    paid = await world.complete_payment()
    async with open_at(world, "203.0.113.7") as browser:
        await browser.sign_in(OWNER, world.password)
        assert (await browser.submit("/settings/mail/test")).status_code == 303
        assert (await browser.submit(f"/payments/{paid.id}/mail")).status_code == 303
        test_mail = await browser.submit("/settings/mail/test")
        assert test_mail.status_code == 429
        assert "Отправить снова можно через" in visible_text(test_mail.text)
        assert (await browser.submit(f"/payments/{paid.id}/mail")).status_code == 429
    other = await world.complete_payment()
    await payments.advance(ctx, other.id)
    await world.run_jobs()  # the receipts that follow from payments are sent
    details = await checkout.get_public(ctx, other.token)
    assert details.mail is not None
    assert details.mail.status == "sent"


async def test_member_reads_when_to_ask_the_acquirer_again(
    world: World, owner_browser: CabinetBrowser
) -> None:
    world.clock.stop()
    payment = await world.start_payment()
    path = f"/payments/{payment.id}/ask"
    for _ in range(ACQUIRER_QUERY_MANUAL.amount):
        assert (await owner_browser.submit(path)).status_code == 303
    refused = await owner_browser.submit(path)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) <= ACQUIRER_QUERY_MANUAL.window_s
    assert "Повторите через" in visible_text(refused.text)
    world.clock.advance(minutes=2)
    assert (await owner_browser.submit(path)).status_code == 303


async def test_change_of_the_password_renews_the_cookie_of_this_device(
    owner_browser: CabinetBrowser, world: World
) -> None:
    before = owner_browser.http.cookies["sigma_device"]
    new = "another horse battery"
    changed = await owner_browser.submit("/settings/access", old=world.password, new=new)
    assert changed.status_code == 303
    assert owner_browser.http.cookies["sigma_device"] != before
