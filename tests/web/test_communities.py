"""VKontakte in the cabinet over HTTP: what is shown, what is asked, what never leaves Sigma."""

import re
from dataclasses import replace

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.change import Change
from sigma.services.communities import communities
from sigma.store import changes
from sigma.web.security import Policy
from tests.clubs import connected, open_club
from tests.web.cabinet_stage import Browser, fault, words
from tests.web.test_invoices import become
from tests.world import World


def ticket(page: str) -> str:
    """The sealed key that the page of confirmation carries."""
    found = re.search(r'name="ticket" value="([^"]+)"', page)
    assert found
    return found[1]


async def test_the_way_from_nothing_to_a_connected_community(world: World, owner: Browser) -> None:
    club = open_club(world, "Студия <b>Лак</b>", description="Маникюр")
    guide = await owner.open("/vk")
    assert "Подключите сообщество" in guide.text
    assert f"{world.sandbox.base_url}/vk/create" in guide.text
    shown = await owner.send("/vk/connect", key=club.key)
    assert shown.status_code == 200
    assert "Это ваше сообщество?" in shown.text
    assert "Студия &lt;b&gt;Лак&lt;/b&gt;" in shown.text
    assert club.key not in shown.text
    made = await owner.send("/vk/connect/confirm", ticket=ticket(shown.text))
    assert made.status_code == 303
    page = await owner.open(made.headers["location"])
    said = words(page.text)
    assert "подключено. Осталось проверить" in said
    assert "ВКонтакте отвечает, ключ работает" in said
    assert "Мы непрерывно спрашиваем ВКонтакте" in said
    assert club.key not in page.text
    assert "Студия &lt;b&gt;" in (await owner.open("/vk")).text


async def test_a_wrong_key_is_told_beside_the_field_and_not_shown_again(owner: Browser) -> None:
    await owner.open("/vk")
    answer = await owner.send("/vk/connect", key="vk1.a." + "y" * 40)
    assert answer.status_code == 422
    assert "не узнала этот ключ" in fault(answer.text, "key")
    assert "y" * 40 not in answer.text


async def test_a_key_that_may_too_little_is_shown_with_what_it_lacks(
    world: World, owner: Browser
) -> None:
    club = open_club(world, "", "messages")
    shown = await owner.send("/vk/connect", key=club.key)
    assert "С этим ключом не получится" in shown.text
    assert 'name="ticket"' not in shown.text
    assert f"/vk/club{club.group_id}/tokens" in shown.text


async def test_a_ticket_of_somebody_else_or_of_yesterday_connects_nothing(
    world: World, owner: Browser
) -> None:
    shown = await owner.send("/vk/connect", key=open_club(world).key)
    for bad in ("", "rubbish", ticket(shown.text)[:-4] + "AAAA"):
        answer = await owner.send("/vk/connect/confirm", ticket=bad)
        assert answer.status_code == 422
        assert "Страница устарела" in fault(answer.text, "key")
    world.clock.move(hours=2)
    answer = await owner.send("/vk/connect/confirm", ticket=ticket(shown.text))
    assert "Страница устарела" in fault(answer.text, "key")


async def test_the_second_time_the_key_is_offered_as_another_one(
    world: World, owner: Browser
) -> None:
    club = open_club(world)
    made = await connected(world, club)
    shown = await owner.send("/vk/connect", key=club.new_key())
    assert "уже подключено" in shown.text
    assert f'action="/vk/{made.id}/key"' in shown.text
    done = await owner.send(f"/vk/{made.id}/key", ticket=ticket(shown.text))
    assert done.headers["location"] == f"/vk/{made.id}"


async def test_a_broken_key_is_said_on_every_page_until_it_is_mended(
    world: World, owner: Browser
) -> None:
    club = open_club(world, "Студия Зари")
    made = await connected(world, club)
    club.revoke()
    await owner.send(f"/vk/{made.id}/check")
    assert "Ключ отозван" in (await owner.open(f"/vk/{made.id}")).text
    for path in ("/", "/invoices", "/settings", "/vk"):
        page = await owner.open(path)
        assert "«Студия Зари»: ключ отозван" in words(page.text), path
    wrong = await owner.send(f"/vk/{made.id}/key", key=open_club(world, "Чужая").key)
    assert wrong.status_code == 422
    assert "Это ключ другого сообщества: «Чужая»" in fault(wrong.text, "key")
    done = await owner.send(f"/vk/{made.id}/key", key=club.new_key())
    assert done.status_code == 303
    assert "ключ отозван" not in (await owner.open("/")).text


@pytest.mark.parametrize("code", ["5", "14", "42", "1117", "banned", "9999"])
async def test_every_trouble_has_its_words(world: World, owner: Browser, code: str) -> None:
    made = await connected(world, open_club(world))
    kept = (await communities.get(world.ctx, world.member, made.id)).community
    await changes.commit(
        world.ctx.db, Change((replace(kept, trouble=code, trouble_at=1),)), world.ctx.now()
    )
    page = await owner.open("/invoices")
    assert "trouble-bar" in page.text
    # Only a code that has no words is shown.
    assert (f"код {code}" in words(page.text)) is (code == "9999")


async def test_buttons_of_the_checklist_do_what_they_say(world: World, owner: Browser) -> None:
    club = open_club(world)
    made = await connected(world, club)
    await owner.open(f"/vk/{made.id}")
    list_url = f"/vk/{made.id}/checklist"
    done = await owner.send(f"{list_url}/messages")
    assert done.headers["location"] == f"/vk/{made.id}#item-messages"
    assert club.vk.community(club.group_id).messages
    await owner.send(f"{list_url}/description", description="Маникюр\r\nПедикюр")
    assert club.vk.community(club.group_id).description == "Маникюр\nПедикюр"
    await owner.send(f"{list_url}/services", on="1")
    assert "вы это подтвердили" in (await owner.open(f"/vk/{made.id}")).text
    empty = await owner.send(f"{list_url}/description", description=" ")
    assert empty.status_code == 422
    assert "Заполните это поле" in empty.text
    assert (await owner.send(f"{list_url}/nothing")).status_code == 404
    asked = await owner.send(list_url, headers={"hx-request": "true"})
    assert asked.status_code == 200
    assert 'id="list"' in asked.text


async def test_a_silent_vk_is_said_and_the_page_stays(world: World, owner: Browser) -> None:
    club = open_club(world)
    made = await connected(world, club)
    rule = {"vk_http_500": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    swapped = await owner.send(f"/vk/{made.id}/checklist", headers={"hx-request": "true"})
    assert swapped.status_code == 200
    assert "ВКонтакте не отвечает" in swapped.text
    assert 'hx-trigger="load"' not in swapped.text, "it is not asked for ever"
    chosen = await owner.send(f"/vk/{made.id}/delivery", wanted="longpoll")
    assert chosen.status_code == 422
    assert "ВКонтакте не отвечает" in chosen.text


async def test_a_disconnected_community_says_so_and_may_come_back(
    world: World, owner: Browser
) -> None:
    club = open_club(world)
    made = await connected(world, club)
    gone = await owner.send(f"/vk/{made.id}/disconnect")
    assert gone.headers["location"] == "/vk"
    page = await owner.open(f"/vk/{made.id}")
    assert "Диалоги сохранены" in page.text
    assert "Подключить снова" in page.text
    shown = await owner.send("/vk/connect", key=club.new_key())
    assert "уже было подключено раньше" in shown.text
    back = await owner.send("/vk/connect/confirm", ticket=ticket(shown.text))
    assert back.headers["location"] == f"/vk/{made.id}"


async def test_another_shops_community_and_none_at_all_are_not_there(owner: Browser) -> None:
    assert (await owner.open("/vk/con_nope")).status_code == 404
    for path in ("/check", "/key", "/delivery", "/disconnect", "/checklist", "/checklist/bots"):
        sent = await owner.send(f"/vk/con_nope{path}", wanted="auto", key="x" * 30)
        assert sent.status_code in (404, 409), path


async def test_the_connections_of_acquirers_do_not_open_a_community(
    world: World, owner: Browser
) -> None:
    made = await connected(world, open_club(world))
    assert (await owner.open(f"/settings/connections/{made.id}")).status_code == 404
    assert (await owner.send(f"/settings/connections/{made.id}/check")).status_code == 404


async def test_who_may_not_set_up_the_shop_sees_the_bar_and_no_way_to_mend(
    world: World, owner: Browser, sqlite_database_url: str
) -> None:
    made = await connected(world, open_club(world))
    kept = (await communities.get(world.ctx, world.member, made.id)).community
    broken = replace(kept, trouble="5", trouble_at=1)
    await changes.commit(world.ctx.db, Change((broken,)), world.ctx.now())
    become(sqlite_database_url, Role.OPERATOR)
    page = await owner.open("/")
    assert "ключ отозван" in page.text
    assert f"/vk/{made.id}" not in page.text
    assert (await owner.open("/vk")).status_code == 403


async def test_english_pages_hold_no_russian_but_names(world: World, owner: Browser) -> None:
    made = await connected(world, open_club(world, "Studio"))
    await owner.open("/settings")
    await owner.send("/locale", locale="en", next="/vk")
    for path in ("/vk", "/vk/connect?club=studio", f"/vk/{made.id}"):
        page = await owner.open(path)
        main = page.text.split("<main", 1)[1].split("</main>")[0]
        assert not re.search("[а-яё]", words(main).replace("Студия", ""), re.IGNORECASE), path


def test_pictures_of_vk_may_be_shown_there_and_nowhere_else() -> None:
    def pictures(path: str, secure: bool) -> str:
        policy = dict(Policy(secure=secure).of(path))[b"content-security-policy"].decode()
        return next(one for one in policy.split("; ") if one.startswith("img-src"))

    for path in ("/vk", "/vk/connect", "/vk/con_1"):
        assert pictures(path, True) == "img-src 'self' data: https:"
        assert "http:" in pictures(path, False)
    for path in ("/", "/vkontakte", "/invoices", "/i/token"):
        assert pictures(path, True) == "img-src 'self' data:"
