"""Confirmation of identity: which forms demand it, and that nothing typed is lost by it."""

import re
from html import unescape

import httpx
import pytest
from litestar.enums import RequestEncodingType
from litestar.routes import HTTPRoute
from litestar.testing import RequestFactory

from sigma.domain.accounts.session import RECENT_AUTHENTICATION_US
from sigma.domain.limits import OLD_PASSWORD
from sigma.domain.money import Money
from sigma.services.accounts import api_keys, shops, users
from sigma.services.billing import connections, payments, refunds
from sigma.web.app import build_router
from sigma.web.submitted_form import read_form, submitted_fields
from tests.authenticators import app_code
from tests.web.cabinet_harness import (
    CabinetBrowser,
    create_key,
    field_error,
    field_value,
    open_browser,
    visible_text,
)
from tests.web.test_second_factor_pages import add_app, add_passkey
from tests.world import World

LOGIN = "owner@example.org"
# Add routes that a stolen session must not use: keys, connections, team, personal data.
GUARDED = {
    "POST /customers/{subject_id}/data/erase",
    "POST /customers/{subject_id}/data/export",
    "POST /exports",
    "POST /exports/{export_id}/file",
    "POST /installation/shops",
    "POST /installation/shops/{shop_id}",
    "POST /settings/access/app",
    "POST /settings/access/app/new",
    "POST /settings/access/app/remove",
    "POST /settings/access/passkeys",
    "POST /settings/access/passkeys/{passkey_id}/remove",
    "POST /settings/access/recovery-codes",
    "POST /settings/access/rules",
    "POST /settings/access/sessions/end-others",
    "POST /settings/access/sessions/{session_id}/end",
    "POST /settings/connections/new",
    "POST /settings/connections/{connection_id}",
    "POST /settings/connections/{connection_id}/switch",
    "POST /settings/data",
    "POST /settings/keys",
    "POST /settings/mail",
    "POST /settings/notifications/link",
    "POST /settings/notifications/push",
    "POST /settings/notifications/telegram",
    "POST /settings/notifications/telegram/remove",
    "POST /settings/team/invitations",
    "POST /settings/team/limits",
    "POST /settings/team/members/{user_id}/hand-over",
    "POST /settings/team/members/{user_id}/remove",
    "POST /settings/team/members/{user_id}/role",
    "POST /vk/connect",
    "POST /vk/{community_id}/disconnect",
    "POST /vk/{community_id}/key",
}


def waiting_fields(page: str) -> dict[str, str]:
    """Return the fields of the form that waits for the confirmation."""
    form = page[page.rindex('action="/reauthenticate"') :]
    form = form[: form.index("</form>")]
    found = dict(re.findall(r'<textarea name="([^"]+)" hidden>\n(.*?)</textarea>', form, re.DOTALL))
    found |= dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    return {name: unescape(value) for name, value in found.items()}


async def confirm(browser: CabinetBrowser, page: str, **proof: str) -> httpx.Response:
    """Confirm on a page that asks for it, and follow where it leads as a browser does."""
    response = await browser.submit("/reauthenticate", **(waiting_fields(page) | proof))
    if response.status_code == 307:
        fields = waiting_fields(page) | proof
        return await browser.submit(response.headers["location"], **fields)
    return response


def test_routes_that_demand_a_recent_proof_are_listed_here() -> None:
    guarded = set()
    for route in build_router().routes:
        assert isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items():
            if handler.opt.get("recent_authentication"):
                guarded.add(f"{method} {re.sub(r':[a-z]+}', '}', route.path_format)}")
    assert guarded == GUARDED


@pytest.fixture
async def stale_browser(world: World, owner_browser: CabinetBrowser) -> CabinetBrowser:
    """A browser whose owner signed in more than ten minutes ago."""
    world.clock.advance(microseconds=RECENT_AUTHENTICATION_US + 1)
    return owner_browser


async def test_recent_sign_in_needs_no_reauthentication(
    world: World, owner_browser: CabinetBrowser
) -> None:
    world.clock.advance(minutes=9)
    assert (await create_key(owner_browser, "Бот")).status_code == 201


async def test_stale_session_does_nothing_before_the_confirmation(
    world: World, stale_browser: CabinetBrowser
) -> None:
    page = await create_key(stale_browser, "Бот «записи»\nи ещё <b>")
    assert page.status_code == 403
    assert "Подтвердите, что это вы" in visible_text(page.text)
    assert waiting_fields(page.text)["name"] == "Бот «записи»\nи ещё <b>"
    assert await api_keys.list_for_shop(world.ctx, world.member) == []


async def test_password_goes_on_with_the_form_and_is_remembered(
    world: World, stale_browser: CabinetBrowser
) -> None:
    page = await create_key(stale_browser, "Бот")
    before = stale_browser.http.cookies["sigma_session"]
    done = await confirm(stale_browser, page.text, reauthentication_password=world.password)
    assert done.status_code == 201
    assert "Ключ создан" in done.text
    (key,) = await api_keys.list_for_shop(world.ctx, world.member)
    assert key.name == "Бот"
    assert stale_browser.http.cookies["sigma_session"] != before, "a new session id"
    assert await users.find_session(world.ctx, before) is None
    world.clock.advance(minutes=9)
    assert (await create_key(stale_browser, "Второй")).status_code == 201
    world.clock.advance(minutes=2)
    assert (await create_key(stale_browser, "Третий")).status_code == 403


async def test_wrong_password_keeps_the_form_and_is_slowed(
    world: World, stale_browser: CabinetBrowser
) -> None:
    world.clock.stop()
    page = await create_key(stale_browser, "Бот")
    statuses = []
    for _ in range(OLD_PASSWORD.free + 1):
        page = await stale_browser.submit(
            "/reauthenticate", **waiting_fields(page.text), reauthentication_password="guess"
        )
        statuses.append(page.status_code)
        assert waiting_fields(page.text)["name"] == "Бот"
    assert statuses == [422] * 5 + [429]
    assert "guess" not in page.text
    assert await api_keys.list_for_shop(world.ctx, world.member) == []


async def test_empty_reauthentication_is_refused(stale_browser: CabinetBrowser) -> None:
    page = await create_key(stale_browser, "Бот")
    page = await stale_browser.submit("/reauthenticate", **waiting_fields(page.text))
    assert field_error(page.text, "reauthentication_password")


async def test_code_of_the_app_confirms(world: World, owner_browser: CabinetBrowser) -> None:
    secret, _ = await add_app(world, owner_browser)
    world.clock.advance(minutes=11)
    page = await create_key(owner_browser, "Бот")
    assert "Или код из приложения" in page.text
    done = await confirm(
        owner_browser, page.text, reauthentication_code=app_code(world.ctx, secret)
    )
    assert done.status_code == 201


async def test_passkey_confirms(world: World, owner_browser: CabinetBrowser) -> None:
    passkey = await add_passkey(owner_browser)
    world.clock.advance(minutes=11)
    page = await create_key(owner_browser, "Бот")
    request = (await owner_browser.open("/reauthenticate/options")).json()
    proof = {
        "reauthentication_credential": passkey.get(request["options"]),
        "reauthentication_ticket": request["ticket"],
    }
    assert (await confirm(owner_browser, page.text, **proof)).status_code == 201


async def test_long_form_with_line_breaks_survives(
    world: World, stale_browser: CabinetBrowser
) -> None:
    form = {
        "title": "  Банк «Лесной» & сыновья ",
        "account": "100500",
        "secret": "test_secret2",
        "two_stage": "0",
        "base_url": "",
        "timeout_s": "7,5",
        "ca_certificates": "",
    }
    url = f"/settings/connections/{world.connection.id}"
    page = await stale_browser.submit(url, **form)
    assert page.status_code == 403
    fields = waiting_fields(page.text)
    assert {name: fields[name] for name in form} == form
    await confirm(stale_browser, page.text, reauthentication_password=world.password)
    saved = await connections.get(world.ctx, world.member, world.connection.id)
    assert saved.title == "Банк «Лесной» & сыновья"
    assert saved.settings["timeout_s"] == 7.5


async def test_confirmation_leads_only_to_pages_of_this_site(
    world: World, stale_browser: CabinetBrowser
) -> None:
    for url in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        response = await stale_browser.submit(
            "/reauthenticate",
            reauthentication_url=url,
            reauthentication_is_form="1",
            reauthentication_password=world.password,
        )
        assert response.headers["location"] == "/"


async def test_confirmation_before_a_page_returns_to_it(
    world: World, stale_browser: CabinetBrowser
) -> None:
    page = await stale_browser.open("/reauthenticate?next=/payments?status=paid")
    assert field_value(page.text, "reauthentication_url") == "/payments?status=paid"
    done = await confirm(stale_browser, page.text, reauthentication_password=world.password)
    assert (done.status_code, done.headers["location"]) == (303, "/payments?status=paid")


async def test_proof_of_another_person_confirms_nothing(
    world: World, owner_browser: CabinetBrowser
) -> None:
    """A stolen session cannot be confirmed by the thief's own passkey of another account."""
    passkey = await add_passkey(owner_browser)
    async with open_browser(world.ctx) as browser:
        request = (await browser.open("/sign-in/passkey/options")).json()
    world.clock.advance(minutes=4)
    answer = passkey.get(request["options"])
    response = await owner_browser.submit(
        "/reauthenticate",
        reauthentication_credential=answer,
        reauthentication_ticket=request["ticket"],
    )
    assert response.status_code == 422


@pytest.mark.parametrize(
    ("limit_minor", "amount_minor", "expected"),
    [
        (100_000, 100_000, "done"),
        (100_000, 100_001, "asked"),
        (0, 1, "asked"),
        (None, 150_000, "done"),
    ],
)
async def test_refund_over_the_shops_sum_needs_a_confirmation(
    world: World,
    stale_browser: CabinetBrowser,
    limit_minor: int | None,
    amount_minor: int,
    expected: str,
) -> None:
    await shops.save_security_rules(
        world.ctx,
        world.member,
        second_factor_rule=world.shop.second_factor_rule,
        refund_confirmation=None if limit_minor is None else Money(limit_minor),
    )
    payment = await world.complete_payment()
    amount = Money(amount_minor).to_decimal_text()
    await stale_browser.open(f"/payments/{payment.id}")
    form = {"amount": amount, "reason": "Не подошло", "how": "part"}
    page = await stale_browser.submit(f"/payments/{payment.id}/refund", **form)
    assert page.status_code == 200, "the page that asks for the amount needs no proof"
    nonce = field_value(page.text, "nonce")
    response = await stale_browser.submit(
        f"/payments/{payment.id}/refund/sure", **form, nonce=nonce
    )
    if expected == "asked":
        assert response.status_code == 403
        assert await refunds.list_for_payment(world.ctx, world.member, payment.id) == ()
        response = await confirm(
            stale_browser, response.text, reauthentication_password=world.password
        )
    assert response.status_code == 303
    (refund,) = await refunds.list_for_payment(world.ctx, world.member, payment.id)
    assert refund.amount == Money(amount_minor)
    again = await stale_browser.submit(f"/payments/{payment.id}/refund/sure", **form, nonce=nonce)
    assert again.status_code == 303, "the same form, with or without the proof in it"
    assert len(await refunds.list_for_payment(world.ctx, world.member, payment.id)) == 1


@pytest.mark.parametrize("path", ["/payments/{id}/refund-all", "/board/payments/{id}/refund-all"])
async def test_refund_of_a_whole_payment_needs_a_confirmation(
    world: World, stale_browser: CabinetBrowser, path: str
) -> None:
    await shops.save_security_rules(
        world.ctx,
        world.member,
        second_factor_rule=world.shop.second_factor_rule,
        refund_confirmation=Money(100_000),
    )
    invoice = await world.create_invoice()
    first = await world.start_payment(invoice, payer="a")
    second = await world.start_payment(invoice, payer="b")
    for payment in (first, second):
        await world.pay(payment)
    await payments.advance(world.ctx, first.id)
    extra = await payments.advance(world.ctx, second.id)
    url = path.format(id=extra.id)
    page = await stale_browser.submit(url)
    assert page.status_code == 403
    done = await confirm(stale_browser, page.text, reauthentication_password=world.password)
    assert done.status_code == 303
    assert len(await refunds.list_for_payment(world.ctx, world.member, extra.id)) == 1


async def test_small_refunds_count_together_until_a_confirmation(
    world: World, stale_browser: CabinetBrowser
) -> None:
    """A stolen session must not refund a large sum in small parts, or payment by payment."""
    await shops.save_security_rules(
        world.ctx,
        world.member,
        second_factor_rule=world.shop.second_factor_rule,
        refund_confirmation=Money(100_000),
    )
    paid = [await world.complete_payment() for _ in range(2)]

    async def refund(number: int, amount: str, nonce: str) -> httpx.Response:
        form = {"amount": amount, "reason": "", "how": "part", "nonce": f"{nonce:->16}"}
        return await stale_browser.submit(f"/payments/{paid[number].id}/refund/sure", **form)

    assert (await refund(0, "600", "n-1")).status_code == 303
    assert (await refund(1, "400", "n-2")).status_code == 303
    for number in (0, 1):
        assert (await refund(number, "0,01", f"n-3{number}")).status_code == 403
    assert (await refund(1, "400", "n-2")).status_code == 303, "the same form again"
    page = await refund(0, "1", "n-4")
    confirmed = await confirm(stale_browser, page.text, reauthentication_password=world.password)
    assert confirmed.status_code == 303
    world.clock.advance(microseconds=RECENT_AUTHENTICATION_US + 1)
    assert (await refund(1, "999", "n-5")).status_code == 303, "the sum begins anew"
    amounts = [
        [one.amount.minor for one in await refunds.list_for_payment(world.ctx, world.member, p.id)]
        for p in paid
    ]
    assert amounts == [[60_000, 100], [40_000, 99_900]]


async def test_outage_page_does_not_repeat_a_proof() -> None:
    """The page that offers to send a form again must not contain the password."""
    request = RequestFactory().post(
        "/settings/keys",
        data={"name": "Бот", "reauthentication_password": "secret", "csrf": "x"},
        request_media_type=RequestEncodingType.URL_ENCODED,
    )
    request.scope["state"] = {}
    await read_form(request)
    fields = submitted_fields(request)
    assert fields is not None
    assert sorted(fields) == [("csrf", "x"), ("name", "Бот")]
