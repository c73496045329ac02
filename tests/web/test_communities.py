"""VK communities in the cabinet: connecting, checklist, errors; access keys are never shown."""

import re
from dataclasses import replace

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.change import Change
from sigma.services.communities import communities
from sigma.store import changes
from sigma.web.middleware.security import SecurityHeaders
from tests.sandbox_communities import connect_community, create_community
from tests.web.cabinet_harness import CabinetBrowser, field_error, set_role, visible_text
from tests.world import World


def ticket(page: str) -> str:
    """Return the encrypted access key in the form of the confirmation page."""
    match = re.search(r'name="ticket" value="([^"]+)"', page)
    assert match
    return match[1]


async def test_community_is_connected_after_confirmation(
    world: World, owner_browser: CabinetBrowser
) -> None:
    club = create_community(world, "Студия <b>Лак</b>", description="Маникюр")
    guide = await owner_browser.open("/vk")
    assert "Подключите сообщество" in guide.text
    assert f"{world.sandbox.base_url}/vk/create" in guide.text
    confirmation = await owner_browser.submit("/vk/connect", key=club.access_key)
    assert confirmation.status_code == 200
    assert "Это ваше сообщество?" in confirmation.text
    assert "Студия &lt;b&gt;Лак&lt;/b&gt;" in confirmation.text
    assert club.access_key not in confirmation.text
    response = await owner_browser.submit("/vk/connect/confirm", ticket=ticket(confirmation.text))
    assert response.status_code == 303
    page = await owner_browser.open(response.headers["location"])
    text = visible_text(page.text)
    assert "подключено. Проверьте" in text
    assert "ВКонтакте отвечает, ключ работает" in text
    assert "Sigma сама запрашивает новые события" in text
    assert club.access_key not in page.text
    assert "Студия &lt;b&gt;" in (await owner_browser.open("/vk")).text


async def test_invalid_access_key_shows_an_error_and_is_not_echoed(
    owner_browser: CabinetBrowser,
) -> None:
    await owner_browser.open("/vk")
    response = await owner_browser.submit("/vk/connect", key="vk1.a." + "y" * 40)
    assert response.status_code == 422
    assert "не приняла ключ" in field_error(response.text, "key")
    assert "y" * 40 not in response.text


async def test_access_key_without_required_rights_is_refused(
    world: World, owner_browser: CabinetBrowser
) -> None:
    club = create_community(world, "", "messages")
    confirmation = await owner_browser.submit("/vk/connect", key=club.access_key)
    assert "Этому ключу не хватает прав" in confirmation.text
    assert 'name="ticket"' not in confirmation.text
    assert f"/vk/club{club.group_id}/tokens" in confirmation.text


async def test_forged_or_expired_confirmation_connects_nothing(
    world: World, owner_browser: CabinetBrowser
) -> None:
    confirmation = await owner_browser.submit("/vk/connect", key=create_community(world).access_key)
    for forged in ("", "rubbish", ticket(confirmation.text)[:-4] + "AAAA"):
        response = await owner_browser.submit("/vk/connect/confirm", ticket=forged)
        assert response.status_code == 422
        assert "Страница устарела" in field_error(response.text, "key")
    world.clock.advance(hours=2)
    response = await owner_browser.submit("/vk/connect/confirm", ticket=ticket(confirmation.text))
    assert "Страница устарела" in field_error(response.text, "key")


async def test_new_key_of_a_connected_community_replaces_the_old_one(
    world: World, owner_browser: CabinetBrowser
) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    confirmation = await owner_browser.submit("/vk/connect", key=club.create_access_key())
    assert "уже подключено" in confirmation.text
    assert f'action="/vk/{community.id}/key"' in confirmation.text
    replaced = await owner_browser.submit(
        f"/vk/{community.id}/key", ticket=ticket(confirmation.text)
    )
    assert replaced.headers["location"] == f"/vk/{community.id}"


async def test_revoked_key_is_reported_on_every_page_until_replaced(
    world: World, owner_browser: CabinetBrowser
) -> None:
    club = create_community(world, "Студия Зари")
    community = await connect_community(world, club)
    club.revoke_access_key()
    await owner_browser.submit(f"/vk/{community.id}/check")
    assert "Ключ отозван" in (await owner_browser.open(f"/vk/{community.id}")).text
    for path in ("/", "/invoices", "/settings", "/vk"):
        page = await owner_browser.open(path)
        assert "«Студия Зари»: ключ отозван" in visible_text(page.text), path
    refused = await owner_browser.submit(
        f"/vk/{community.id}/key", key=create_community(world, "Чужая").access_key
    )
    assert refused.status_code == 422
    assert "Это ключ другого сообщества: «Чужая»" in field_error(refused.text, "key")
    replaced = await owner_browser.submit(f"/vk/{community.id}/key", key=club.create_access_key())
    assert replaced.status_code == 303
    assert "ключ отозван" not in (await owner_browser.open("/")).text


@pytest.mark.parametrize("code", ["5", "14", "42", "1117", "banned", "9999"])
async def test_every_community_error_has_a_text(
    world: World, owner_browser: CabinetBrowser, code: str
) -> None:
    connection = await connect_community(world, create_community(world))
    community = (await communities.get(world.ctx, world.member, connection.id)).community
    await changes.commit(
        world.ctx.db,
        Change((replace(community, error_code=code, error_since_us=1),)),
        world.ctx.now_us(),
    )
    page = await owner_browser.open("/invoices")
    assert "error-bar" in page.text
    # The code itself is shown only when there is no text for it.
    assert (f"код {code}" in visible_text(page.text)) is (code == "9999")


async def test_checklist_buttons_change_the_community(
    world: World, owner_browser: CabinetBrowser
) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    await owner_browser.open(f"/vk/{community.id}")
    list_url = f"/vk/{community.id}/checklist"
    response = await owner_browser.submit(f"{list_url}/messages")
    assert response.headers["location"] == f"/vk/{community.id}#item-messages"
    assert club.vk.get_community(club.group_id).messages
    await owner_browser.submit(f"{list_url}/description", description="Маникюр\r\nПедикюр")
    assert club.vk.get_community(club.group_id).description == "Маникюр\nПедикюр"
    await owner_browser.submit(f"{list_url}/services", on="1")
    assert "вы это подтвердили" in (await owner_browser.open(f"/vk/{community.id}")).text
    empty = await owner_browser.submit(f"{list_url}/description", description=" ")
    assert empty.status_code == 422
    assert "Заполните это поле" in empty.text
    assert (await owner_browser.submit(f"{list_url}/nothing")).status_code == 404
    fragment = await owner_browser.submit(list_url, {"hx-request": "true"})
    assert fragment.status_code == 200
    assert 'id="list"' in fragment.text


async def test_unreachable_vk_is_reported_and_the_page_still_works(
    world: World, owner_browser: CabinetBrowser
) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    rule = {"vk_http_500": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    fragment = await owner_browser.submit(f"/vk/{community.id}/checklist", {"hx-request": "true"})
    assert fragment.status_code == 200
    assert "ВКонтакте не отвечает" in fragment.text
    assert 'hx-trigger="load"' not in fragment.text, "polling must stop after an error"
    response = await owner_browser.submit(f"/vk/{community.id}/delivery", delivery="long_poll")
    assert response.status_code == 422
    assert "ВКонтакте не отвечает" in response.text


async def test_disconnected_community_can_be_connected_again(
    world: World, owner_browser: CabinetBrowser
) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    disconnected = await owner_browser.submit(f"/vk/{community.id}/disconnect")
    assert disconnected.headers["location"] == "/vk"
    page = await owner_browser.open(f"/vk/{community.id}")
    assert "Диалоги сохранены" in page.text
    assert "Подключить снова" in page.text
    confirmation = await owner_browser.submit("/vk/connect", key=club.create_access_key())
    assert "сообщество уже подключали" in confirmation.text
    reconnected = await owner_browser.submit(
        "/vk/connect/confirm", ticket=ticket(confirmation.text)
    )
    assert reconnected.headers["location"] == f"/vk/{community.id}"


async def test_unknown_community_is_not_found(owner_browser: CabinetBrowser) -> None:
    assert (await owner_browser.open("/vk/con_nope")).status_code == 404
    for path in ("/check", "/key", "/delivery", "/disconnect", "/checklist", "/checklist/bots"):
        response = await owner_browser.submit(f"/vk/con_nope{path}", delivery="auto", key="x" * 30)
        assert response.status_code in (404, 409), path


async def test_community_is_not_found_among_acquirer_connections(
    world: World, owner_browser: CabinetBrowser
) -> None:
    community = await connect_community(world, create_community(world))
    assert (await owner_browser.open(f"/settings/connections/{community.id}")).status_code == 404
    assert (
        await owner_browser.submit(f"/settings/connections/{community.id}/check")
    ).status_code == 404


async def test_operator_sees_the_error_bar_without_a_link_to_settings(
    world: World, owner_browser: CabinetBrowser
) -> None:
    connection = await connect_community(world, create_community(world))
    community = (await communities.get(world.ctx, world.member, connection.id)).community
    broken = replace(community, error_code="5", error_since_us=1)
    await changes.commit(world.ctx.db, Change((broken,)), world.ctx.now_us())
    await set_role(world.ctx, Role.OPERATOR)
    page = await owner_browser.open("/")
    assert "ключ отозван" in page.text
    assert f"/vk/{connection.id}" not in page.text
    assert (await owner_browser.open("/vk")).status_code == 403


async def test_english_pages_contain_no_russian_except_names(
    world: World, owner_browser: CabinetBrowser
) -> None:
    community = await connect_community(world, create_community(world, "Studio"))
    await owner_browser.open("/settings")
    await owner_browser.submit("/locale", locale="en", next="/vk")
    for path in ("/vk", "/vk/connect?club=studio", f"/vk/{community.id}"):
        page = await owner_browser.open(path)
        main = page.text.split("<main", 1)[1].split("</main>")[0]
        assert not re.search("[а-яё]", visible_text(main).replace("Студия", ""), re.IGNORECASE), (
            path
        )


def test_external_images_are_allowed_only_on_vk_pages() -> None:
    def image_policy(path: str, secure: bool) -> str:
        policy = dict(SecurityHeaders(secure=secure).for_path(path))[
            b"content-security-policy"
        ].decode()
        return next(
            directive for directive in policy.split("; ") if directive.startswith("img-src")
        )

    for path in ("/vk", "/vk/connect", "/vk/con_1", "/invoices", "/payments", "/customers/cus_1"):
        assert image_policy(path, True) == "img-src 'self' data: https:"
        assert "http:" in image_policy(path, False)
    for path in ("/", "/vkontakte", "/settings", "/i/token"):
        assert image_policy(path, True) == "img-src 'self' data:"
