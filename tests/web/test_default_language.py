"""SIGMA_LOCALE and the shop's language: what a reader sees who asks for neither language."""

import sqlite3
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sigma.main import build_app
from sigma.services.authentication.setup_codes import setup_code
from sigma.services.checkout import checkout
from sigma.services.context import Context
from sigma.settings import load_settings
from sigma.store.accounts import shops
from tests.web.cabinet_harness import BASE_URL
from tests.world import World

KEY = "m2VhK8s1QxTz7LpR4cNd9WbY3fGj6UaE"  # pragma: allowlist secret


def browser(ctx: Any, **environ: str) -> httpx.AsyncClient:
    """Return a browser at an application built as `sigma serve` builds it."""
    settings = load_settings({"SIGMA_SECRET_KEY": KEY, **environ}, dotenv=None)
    app: Any = build_app(ctx, settings)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)


@pytest.mark.parametrize(
    ("locale", "header", "language"),
    [
        ("en", "", "en"),
        ("ru", "", "ru"),
        ("en", "de-DE,fr;q=0.8", "en"),
        ("en", "*", "en"),
        ("en", "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("ru", "en-GB", "en"),
        ("en", "ru;q=0.5,en;q=0.5", "en"),
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/i/nothing", "/s/nothing", "/nothing"])
async def test_setting_is_the_language_of_readers_without_a_preference(
    world: World, path: str, locale: str, header: str, language: str
) -> None:
    async with browser(world.ctx, SIGMA_LOCALE=locale) as client:
        page = await client.get(path, headers={"accept-language": header})
    assert f'<html lang="{language}"' in page.text


async def test_client_without_a_preference_reads_the_language_of_the_shop(
    world: World, sqlite_database_url: str
) -> None:
    with sqlite3.connect(sqlite_database_url.removeprefix("sqlite:///")) as con:
        con.execute("UPDATE shops SET locale = 'en'")
    invoice = await world.create_invoice()
    path = f"/i/{invoice.token}"
    async with browser(world.ctx, SIGMA_LOCALE="ru") as client:
        page = await client.get(path, headers={"accept-language": "de"})
        assert '<html lang="en"' in page.text
        chosen = await client.get(f"{path}?lang=ru", headers={"accept-language": "de"})
        assert '<html lang="ru"' in chosen.text
    form = replace(world.pay_form(), locale="")  # as the page posts it without a preference
    payment = await checkout.start(world.ctx, invoice.token, form)
    assert payment.locale == "en", "its mails are in the language of its page"


async def test_new_shop_and_owner_get_the_language_of_the_setting(
    empty_installation: Context,
) -> None:
    ctx = empty_installation
    async with browser(ctx, SIGMA_LOCALE="en") as client:
        page = await client.get("/start", headers={"accept-language": "fr"})
        assert '<html lang="en"' in page.text
        form = {"shop_name": "Studio", "name": "Ann", "login": "ann@example.org"}
        form["code"] = setup_code(ctx)
        response = await client.post(
            "/start",
            data=form | {"password": "correct horse battery"},
            headers={"origin": BASE_URL, "accept-language": "fr"},
        )
        assert response.status_code == 303, response.text
    async with ctx.db.read() as tx:
        shop = await shops.oldest(tx)
    assert shop is not None
    assert shop.locale == "en"
