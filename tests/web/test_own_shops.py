"""A person with several shops: the switcher, pages of another shop, stale forms, quotas."""

import asyncio
import html
import re
from urllib.parse import urlencode

import pytest

from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.quota import Quotas
from sigma.domain.billing.invoice import Draft
from sigma.domain.money import Money
from sigma.services.accounts import installation
from sigma.services.billing import invoices
from sigma.store.accounts import members, shops
from sigma.store.engine.statements import text_statement
from tests.people import PASSWORD, add_person, other_shop
from tests.web.cabinet_harness import CabinetBrowser, field_error, open_browser, visible_text
from tests.web.test_team import link_of
from tests.world import World

FORM_HEADERS = {
    "origin": "http://127.0.0.1:8000",
    "sec-fetch-site": "same-origin",
    "content-type": "application/x-www-form-urlencoded",
}


def hidden_fields(page: str) -> list[tuple[str, str]]:
    """Return the fields of the form in the page's content, in their order."""
    form = page.partition('<form class="form-foot"')[2].partition("</form>")[0]
    found = re.findall(
        r'<input type="hidden" name="([^"]+)" value="([^"]*)">'
        r'|<textarea name="([^"]+)" hidden>\n(.*?)</textarea>',
        form,
        re.DOTALL,
    )
    return [(a or c, html.unescape(b or d)) for a, b, c, d in found]


async def test_switcher_lists_only_own_shops(world: World, owner_browser: CabinetBrowser) -> None:
    home = await owner_browser.open("/")
    assert "menu-shops" not in home.text, "one shop needs no switcher"
    shop_id = await other_shop(world)
    foreign = await installation.create_shop(
        world.ctx, installation.Administrator("cli"), "Чужой магазин", "x@example.org"
    )
    home = await owner_browser.open("/")
    assert "menu-shops" in home.text
    page = await owner_browser.open("/shops")
    assert "Второй" in page.text
    assert "Чужой магазин" not in page.text
    refused = await owner_browser.submit("/shops/switch", shop=foreign.shop.id)
    assert refused.status_code == 404
    for query in (f"?shop={foreign.shop.id}", "?shop=shp_none", ""):
        offer = await owner_browser.open(f"/shops/switch{query}")
        assert offer.status_code == 404
        assert "Чужой магазин" not in offer.text
    switched = await owner_browser.submit("/shops/switch", shop=shop_id, next="/settings")
    assert (switched.status_code, switched.headers["location"]) == (303, "/settings")
    assert "Открыт магазин «Второй»" in (await owner_browser.open("/settings")).text


async def test_page_of_another_own_shop_offers_to_switch(
    world: World, owner_browser: CabinetBrowser
) -> None:
    shop_id = await other_shop(world)
    other = Member(world.member.actor, shop_id, Role.OWNER)
    theirs = await invoices.create(world.ctx, other, Draft(title="Тайна", amount=Money(100)))
    path = f"/invoices/{theirs.id}"
    response = await owner_browser.open(f"{path}?x=1")
    location = response.headers["location"]
    assert (response.status_code, location.startswith("/shops/switch?shop=")) == (303, True)
    offer = await owner_browser.open(location)
    assert "Открыть магазин «Второй»?" in visible_text(offer.text)
    assert "Тайна" not in offer.text
    assert f'value="{path}?x=1"' in offer.text
    swapped = await owner_browser.open(path, **{"hx-request": "true"})
    assert swapped.headers["hx-redirect"].startswith("/shops/switch")
    switched = await owner_browser.submit("/shops/switch", shop=shop_id, next=path)
    assert switched.headers["location"] == path
    assert "Тайна" in (await owner_browser.open(path)).text


async def test_page_of_a_foreign_shop_looks_like_an_unknown_one(world: World) -> None:
    shop_id = await other_shop(world)
    await add_person(world.ctx, shop_id, "b@example.org", Role.OWNER)
    ours = await world.create_invoice()
    async with open_browser(world.ctx) as stranger:
        await stranger.sign_in("b@example.org", PASSWORD)
        foreign = await stranger.open(f"/invoices/{ours.id}")
        unknown = await stranger.open("/invoices/inv_0000000000000000000")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert "Студия" not in foreign.text


async def test_form_of_the_former_shop_changes_nothing_after_a_switch(
    world: World, owner_browser: CabinetBrowser
) -> None:
    """Another tab has switched the session: the open form must not write into the other shop."""
    shop_id = await other_shop(world)
    await owner_browser.open("/settings/shop")
    stale = owner_browser.csrf
    await owner_browser.submit("/shops/switch", shop=shop_id)
    refused = await owner_browser.submit("/settings/shop", csrf=stale, name="Взлом", tz="UTC")
    assert refused.status_code == 409
    async with world.ctx.db.read() as tx:
        names = {one.name for one in await shops.list_page(tx, query="", limit=9, before_id="~")}
    assert names == {"Студия", "Второй"}


async def test_form_of_another_shop_is_resubmitted_after_switching_back(
    world: World, owner_browser: CabinetBrowser
) -> None:
    shop_id = await other_shop(world)
    await owner_browser.open("/invoices/new")
    stale = owner_browser.csrf
    await owner_browser.submit("/shops/switch", shop=shop_id)
    form = {
        "title": "Долгая форма",
        "amount": "777",
        "description": "первая\nвторая",
        "do": "issue",
    }
    offer = await owner_browser.submit("/invoices/new?x=1", csrf=stale, **form)
    text = visible_text(offer.text)
    assert "Форма из магазина «Студия»" in text
    assert "сейчас в другой вкладке открыт «Второй»" in text
    posted = hidden_fields(offer.text)
    assert {("title", "Долгая форма"), ("description", "первая\nвторая")} <= set(posted)
    response = await owner_browser.http.post(
        "/shops/switch", content=urlencode(posted), headers=FORM_HEADERS
    )
    location = response.headers["location"]
    assert (response.status_code, location) == (307, "/invoices/new?x=1")
    sent = await owner_browser.http.post(location, content=urlencode(posted), headers=FORM_HEADERS)
    assert sent.status_code == 303, visible_text(sent.text)
    async with world.ctx.db.read() as tx:
        found = await tx.fetch_all(text_statement("SELECT shop_id FROM invoices"))
    assert [row["shop_id"] for row in found] == [world.member.shop_id]


async def test_form_is_not_offered_to_a_shop_that_the_person_has_left(
    world: World, owner_browser: CabinetBrowser
) -> None:
    shop_id = await other_shop(world)
    await add_person(world.ctx, shop_id, "b@example.org", Role.OWNER)
    await owner_browser.submit("/shops/switch", shop=shop_id)
    await owner_browser.open("/invoices/new")
    stale = owner_browser.csrf
    await owner_browser.submit("/shops/switch", shop=world.member.shop_id)
    await owner_browser.open("/")
    async with world.ctx.db.write() as tx:
        await members.remove(tx, shop_id, world.member.actor, world.ctx.now_us())
    refused = await owner_browser.submit("/invoices/new", csrf=stale, title="Чужое", amount="1")
    assert (refused.status_code, "Форма устарела" in refused.text) == (403, True)


@pytest.mark.parametrize("token", ["", "x", ".", "shp_1.", "shp_" + "1" * 300, "é.ж", "\ud83d"])
async def test_unknown_form_token_is_refused(
    world: World, owner_browser: CabinetBrowser, token: str
) -> None:
    await other_shop(world)
    text = token.encode("utf-8", "replace").decode()
    refused = await owner_browser.submit("/invoices/new", csrf=text, title="Форма", amount="1")
    assert (refused.status_code, "Форма устарела" in refused.text) == (403, True)


async def test_shops_are_searched_and_paged(world: World, owner_browser: CabinetBrowser) -> None:
    administrator = installation.Administrator("cli")
    for number in range(30):
        await installation.create_shop(
            world.ctx, administrator, f"Ёлка {number:02}", "owner@example.org"
        )
    for path in ("/shops", "/installation/shops"):
        first = await owner_browser.open(path)
        assert first.text.count("Ёлка") >= 20
        next_path = first.text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
        second = await owner_browser.open(next_path)
        assert "Ёлка" in second.text
        found = visible_text((await owner_browser.open(f"{path}?q=елка+17")).text)
        assert "Ёлка 17" in found.partition("Найти")[2]
        assert "Ёлка 18" not in found.partition("Найти")[2]
        assert "Такого магазина нет" in (await owner_browser.open(f"{path}?q=%25")).text


async def test_administrator_creates_a_shop_for_somebody_else(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await owner_browser.open("/installation/shops")
    wrong = await owner_browser.submit("/installation/shops", name=" ", login="x")
    assert wrong.status_code == 422
    assert field_error(wrong.text, "name")
    assert field_error(wrong.text, "login")
    created = await owner_browser.submit(
        "/installation/shops", name="Ромашка", login="new@example.org"
    )
    assert created.status_code == 201
    path = link_of(created.text)
    async with open_browser(world.ctx) as newcomer:
        joined = await newcomer.submit(path, name="Новый владелец", password=PASSWORD)
        assert joined.status_code == 303
        team_page = await newcomer.open("/settings/team")
        assert "владелец" in team_page.text
        assert (await newcomer.open("/installation/shops")).status_code == 403
        assert "Магазины Sigma" not in (await newcomer.open("/settings")).text


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"invoices": "-1"}, "invoices"),
        ({"messages": "много"}, "messages"),
        ({"storage": str(10**16)}, "storage"),
    ],
)
async def test_wrong_quota_shows_its_error(
    world: World, owner_browser: CabinetBrowser, form: dict[str, str], field: str
) -> None:
    path = f"/installation/shops/{world.shop.id}"
    response = await owner_browser.submit(path, **form)
    assert response.status_code == 422
    assert field_error(response.text, field)


async def test_quota_refuses_kindly_in_the_cabinet(
    world: World, owner_browser: CabinetBrowser
) -> None:
    path = f"/installation/shops/{world.shop.id}"
    saved = await owner_browser.submit(path, invoices="1", messages="", storage="7")
    assert saved.status_code == 303
    async with world.ctx.db.read() as tx:
        shop = await shops.get(tx, world.shop.id)
    assert shop is not None
    assert shop.quotas == Quotas(1, None, 7_000_000)
    assert 'value="7"' in (await owner_browser.open(path)).text
    form = {"title": "Маникюр", "amount": "100", "do": "issue"}
    assert (await owner_browser.submit("/invoices/new", nonce="n1", **form)).status_code == 303
    refused = await owner_browser.submit("/invoices/new", nonce="n2", **form)
    assert refused.status_code == 429
    assert "Магазин выставил все счета" in refused.text
    assert int(refused.headers["retry-after"]) > 0
    assert 'value="Маникюр"' in refused.text, "what was typed stays"


async def test_two_switches_at_once_end_in_one_of_the_shops(
    world: World, owner_browser: CabinetBrowser
) -> None:
    shop_id = await other_shop(world)
    await owner_browser.open("/shops")
    responses = await asyncio.gather(
        owner_browser.submit("/shops/switch", shop=shop_id),
        owner_browser.submit("/shops/switch", shop=world.shop.id),
    )
    assert {response.status_code for response in responses} <= {303, 403}
    assert (await owner_browser.open("/")).status_code == 200
