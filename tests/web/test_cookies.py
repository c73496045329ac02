"""Cookies of single pages: their names keep them apart, and their number is bounded."""

from sigma.web.checkout.responses import PAYER_COOKIE
from sigma.web.cookies import MAX_PAGE_COOKIES, page_cookie_name
from tests.web.checkout_harness import open_client, started_token, submit_form
from tests.world import World


async def test_each_invoice_has_cookies_of_its_own(world: World) -> None:
    first, second = await world.create_invoice(), await world.create_invoice()
    async with open_client(world) as client:
        await submit_form(client, f"/i/{first.token}")
        await submit_form(client, f"/i/{second.token}")
        tokens = {started_token(client, f"/i/{one.token}") for one in (first, second)}
        payers = {client.cookies[page_cookie_name(PAYER_COOKIE, i.token)] for i in (first, second)}
    assert len(tokens) == len(payers) == 2


async def test_cookie_names_do_not_contain_the_token_of_the_invoice(world: World) -> None:
    invoice = await world.create_invoice()
    async with open_client(world) as client:
        await submit_form(client, f"/i/{invoice.token}")
        assert client.cookies
        assert not any(invoice.token in name for name in client.cookies)


async def test_oldest_cookies_make_room_for_new_ones(world: World) -> None:
    """The header of a browser that has opened many invoices stays small."""
    invoices = [await world.create_invoice() for _ in range(MAX_PAGE_COOKIES + 3)]
    async with open_client(world) as client:
        for invoice in invoices:
            await client.get(f"/i/{invoice.token}")
        names = {name for name in client.cookies if name.startswith(PAYER_COOKIE)}
        latest = {page_cookie_name(PAYER_COOKIE, i.token) for i in invoices[-MAX_PAGE_COOKIES:]}
        await client.get(f"/i/{invoices[-1].token}")
        after = {name for name in client.cookies if name.startswith(PAYER_COOKIE)}
    assert names == latest == after
