"""The team page: invite, change roles, hand over, remove; the page of an invitation."""

import re
from dataclasses import replace

import pytest

from sigma.domain.accounts.member import RefundLimits, Role
from sigma.services.accounts import invitations, team
from tests.people import PASSWORD, add_person, other_shop
from tests.web.cabinet_harness import CabinetBrowser, field_error, open_browser, visible_text
from tests.web.test_second_factor_pages import add_app
from tests.world import World


def link_of(page: str) -> str:
    """Return the path of the invitation link on a page."""
    match = re.search(r'value="http://127.0.0.1:8000(/invitations/[0-9a-f]{40})"', page)
    assert match, "no link on the page"
    return match[1]


async def test_invited_person_gets_into_the_cabinet(
    world: World, owner_browser: CabinetBrowser
) -> None:
    invited = await owner_browser.submit(
        "/settings/team/invitations", login="new@example.org", role="operator"
    )
    assert invited.status_code == 201
    path = link_of(invited.text)
    page = await owner_browser.open("/settings/team")
    assert "new@example.org" in page.text
    assert path not in page.text, "the link is shown once"
    async with open_browser(world.ctx) as newcomer:
        form = await newcomer.open(path)
        assert "Студия" in form.text
        assert 'name="password"' in form.text
        wrong = await newcomer.submit(path, name="", password="short")
        assert wrong.status_code == 422
        assert field_error(wrong.text, "name")
        assert field_error(wrong.text, "password")
        joined = await newcomer.submit(path, name="Новая", password=PASSWORD)
        assert (joined.status_code, joined.headers["location"]) == (303, "/")
        assert "Вы в команде" in (await newcomer.open("/")).text
        again = await newcomer.open(path)
        assert "Вы уже в команде магазина «Студия»" in again.text
        assert 'href="/"' in again.text
    async with open_browser(world.ctx) as later:
        used = visible_text((await later.open(path)).text)
        assert "Приглашение уже принято" in used
        assert "Войти" in used
    page = await owner_browser.open("/settings/team")
    assert "Новая" in page.text


async def test_person_with_an_account_signs_in_to_accept(
    world: World, owner_browser: CabinetBrowser
) -> None:
    shop_id = await other_shop(world)
    await add_person(world.ctx, shop_id, "b@example.org", Role.OWNER)
    await add_person(world.ctx, shop_id, "c@example.org", Role.OWNER)
    _, url, _ = await invitations.invite(world.ctx, world.member, "b@example.org", Role.VIEWER)
    path = url.removeprefix("http://127.0.0.1:8000")
    async with open_browser(world.ctx) as stranger:
        await stranger.sign_in("c@example.org", PASSWORD)
        page = await stranger.open(path)
        assert "Вы вошли как c@example.org" in visible_text(page.text)
        assert (await stranger.submit(path)).status_code == 409
        signed_out = await stranger.submit("/sign-out", next=path)
        assert signed_out.headers["location"] == path, "the invitation opens again"
    async with open_browser(world.ctx) as person:
        page = await person.open(path)
        assert f"/sign-in?next={path}" in page.text.replace("%2F", "/")
        assert 'name="password"' not in page.text
        refused = await person.submit(path, name="Вор", password=PASSWORD)
        assert refused.status_code == 409, "an account is not taken over by a link"
        await person.sign_in("b@example.org", PASSWORD)
        await person.open(path)
        forged = await person.submit(path, csrf="guess")
        assert forged.status_code == 403
        joined = await person.submit(path)
        assert joined.status_code == 303
        assert "Студия" in (await person.open("/")).text
        await person.open("/settings")
        await person.submit("/shops/switch", shop=shop_id)
        other = await person.open(path)
        assert "Открыть «Студия»" in visible_text(other.text)


async def test_person_who_left_every_team_returns_by_password(
    world: World, owner_browser: CabinetBrowser
) -> None:
    """Nobody signs in without a shop: the page of the invitation asks for the password."""
    person = await add_person(world.ctx, world.shop.id, "b@example.org", Role.OWNER)
    async with open_browser(world.ctx) as browser:
        await browser.sign_in("b@example.org", PASSWORD)
        await add_app(world, browser)
    await team.remove(world.ctx, world.member, person.actor)
    _, url, _ = await invitations.invite(world.ctx, world.member, "b@example.org", Role.VIEWER)
    path = url.removeprefix("http://127.0.0.1:8000")
    async with open_browser(world.ctx) as browser:
        page = await browser.open(path)
        assert 'name="password"' in page.text
        assert 'name="name"' not in page.text
        wrong = await browser.submit(path, password="guess")
        assert field_error(wrong.text, "password")
        assert (await invitations.find(world.ctx, path.rpartition("/")[2])).state == "open"
        joined = await browser.submit(path, password=PASSWORD)
        assert joined.headers["location"] == "/sign-in/second-factor"
        assert (await browser.open("/")).headers["location"].startswith("/sign-in/second-factor")
        assert "Приглашение уже принято" in (await browser.open(path)).text


async def test_unknown_invitation_is_not_found(anonymous_browser: CabinetBrowser) -> None:
    for token in ("0" * 40, "x", "%00"):
        response = await anonymous_browser.open(f"/invitations/{token}")
        assert response.status_code in (400, 404)
        if response.status_code == 404:
            assert "ссылка скопирована целиком" in visible_text(response.text)


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example/invitations/x", "/"])
async def test_sign_out_leads_nowhere_else(owner_browser: CabinetBrowser, url: str) -> None:
    await owner_browser.open("/settings")
    response = await owner_browser.submit("/sign-out", next=url)
    assert response.headers["location"] == "/sign-in"


async def test_only_owner_is_offered_to_hand_the_shop_over(
    world: World, owner_browser: CabinetBrowser
) -> None:
    alone = await owner_browser.open("/settings")
    assert "Вы единственный владелец" in alone.text
    assert "/settings/leave" not in alone.text
    await add_person(world.ctx, world.member.shop_id, "b@example.org", Role.OWNER)
    assert "/settings/leave" in (await owner_browser.open("/settings")).text


@pytest.mark.parametrize(
    ("role", "name"), [(Role.ACCOUNTANT, "бухгалтер"), (Role.OPERATOR, "оператор")]
)
async def test_refused_section_names_the_role(world: World, role: Role, name: str) -> None:
    await add_person(world.ctx, world.member.shop_id, "b@example.org", role)
    async with open_browser(world.ctx) as person:
        await person.sign_in("b@example.org", PASSWORD)
        page = await person.open("/settings/keys")
        assert page.status_code == 403
        assert f"Ваша роль — {name}" in visible_text(page.text)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"login": "", "role": "viewer"}, "login"),
        ({"login": "b@", "role": "viewer"}, "login"),
        ({"login": "owner@example.org", "role": "viewer"}, "login"),
        ({"login": "b@example.org", "role": "king"}, "role"),
        ({"login": "b@example.org"}, "role"),
    ],
)
async def test_wrong_invitation_shows_errors_and_keeps_the_input(
    owner_browser: CabinetBrowser, form: dict[str, str], field: str
) -> None:
    response = await owner_browser.submit("/settings/team/invitations", **form)
    assert response.status_code == 422
    assert field_error(response.text, field)
    assert f'value="{form["login"]}"' in response.text


async def test_owner_changes_roles_hands_over_and_removes(
    world: World, owner_browser: CabinetBrowser
) -> None:
    person = await add_person(world.ctx, world.shop.id, "b@example.org", Role.VIEWER, "Борис")
    path = f"/settings/team/members/{person.actor}"
    async with open_browser(world.ctx) as other:
        await other.sign_in("b@example.org", PASSWORD)
        assert (await other.open("/settings/team")).status_code == 403
        assert (await owner_browser.submit(f"{path}/role", role="admin")).status_code == 303
        assert (await other.open("/settings/team")).status_code == 200, "at once"
        assert (await other.submit(f"{path}/role", role="owner")).status_code == 403
        assert (await owner_browser.submit(f"{path}/role", role="king")).status_code == 422
        await owner_browser.submit(f"{path}/hand-over")
        page = visible_text((await owner_browser.open("/settings/team")).text)
        assert "Магазин передан" in page
        await other.open("/settings/team")
        refused = await other.submit(f"{path}/remove")
        assert refused.status_code == 409
        assert "единственный владелец" in refused.text
        removed = await other.submit(f"/settings/team/members/{world.member.actor}/remove")
        assert removed.status_code == 303
    gone = await owner_browser.open("/")
    assert gone.headers["location"].startswith("/sign-in")


async def test_member_leaves_the_team(world: World, anonymous_browser: CabinetBrowser) -> None:
    await add_person(world.ctx, world.shop.id, "b@example.org", Role.VIEWER)
    await anonymous_browser.sign_in("b@example.org", PASSWORD)
    await anonymous_browser.open("/settings")
    response = await anonymous_browser.submit("/settings/leave")
    assert response.headers["location"] == "/sign-in?note=left"
    assert "Вы вышли из команды" in (await anonymous_browser.open("/sign-in?note=left")).text
    assert (await anonymous_browser.open("/")).headers["location"].startswith("/sign-in")
    found = await team.get(world.ctx, world.member)
    assert [one.login for one in found.members.data] == ["owner@example.org"]


async def test_only_owner_reads_why_leaving_is_refused(owner_browser: CabinetBrowser) -> None:
    await owner_browser.open("/settings")
    refused = await owner_browser.submit("/settings/leave")
    assert refused.status_code == 409
    assert "Это единственный владелец" in refused.text


async def test_refund_limits_are_saved_and_stay_in_the_form_on_an_error(
    world: World, owner_browser: CabinetBrowser
) -> None:
    form = {"limit_admin": "", "limit_operator": "1 500,50", "limit_accountant": "0"}
    assert (await owner_browser.submit("/settings/team/limits", **form)).status_code == 303
    found = await team.get(world.ctx, world.member)
    assert found.refund_limits == RefundLimits(None, 150_050, 0)
    assert 'value="1500.50"' in (await owner_browser.open("/settings/team")).text
    wrong = await owner_browser.submit("/settings/team/limits", limit_operator="много")
    assert wrong.status_code == 422
    assert field_error(wrong.text, "limit_operator")
    assert 'value="много"' in wrong.text


async def test_operator_under_a_limit_reads_why_a_refund_is_refused(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.complete_payment()
    await team.set_refund_limits(world.ctx, world.member, RefundLimits(operator=10_000))
    await add_person(world.ctx, world.shop.id, "b@example.org", Role.OPERATOR)
    path = f"/payments/{payment.id}"
    async with open_browser(world.ctx) as operator:
        await operator.sign_in("b@example.org", PASSWORD)
        page = await operator.open(path)
        assert f"{path}/refund" in page.text
        assert "100,00" in visible_text(page.text)
        form = {"amount": "100.01", "how": "part", "nonce": "n-1"}
        refused = await operator.submit(f"{path}/refund/sure", **form)
        assert refused.status_code == 403
        assert "Ваша роль может вернуть" in refused.text
        accepted = await operator.submit(f"{path}/refund/sure", amount="100", nonce="n-2")
        assert accepted.status_code == 303


async def test_invitation_without_a_mail_server_says_so(
    world: World, owner_browser: CabinetBrowser
) -> None:
    form = {"login": "b@example.org", "role": "viewer"}
    sent = await owner_browser.submit("/settings/team/invitations", **form)
    assert "Письмо со ссылкой отправлено" in sent.text
    silent = replace(world.ctx, mailer_factory=lambda _: None)
    async with open_browser(silent) as browser:
        await browser.sign_in("owner@example.org", world.password)
        unsent = await browser.submit("/settings/team/invitations", **form)
        assert "подходящий почтовый сервер не настроен" in unsent.text
        assert link_of(unsent.text)


@pytest.mark.parametrize(
    ("role", "on_phone"),
    [
        (Role.OWNER, ["/", "/inbox", "/invoices"]),
        (Role.ACCOUNTANT, ["/", "/invoices", "/payments"]),
    ],
)
async def test_bottom_bar_has_the_sections_of_the_role(
    world: World, anonymous_browser: CabinetBrowser, role: Role, on_phone: list[str]
) -> None:
    await add_person(world.ctx, world.shop.id, "b@example.org", role)
    await anonymous_browser.sign_in("b@example.org", PASSWORD)
    page = (await anonymous_browser.open("/")).text
    items = re.findall(r'<a class="menu-item ([^"]*)" href="([^"]+)"', page)
    on_bar = [url for classes, url in items if "menu-item-wide" not in classes]
    assert on_bar == [*on_phone, "/settings"]
