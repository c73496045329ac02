"""VK is asked for names and texts in the shop's language, on every call."""

from dataclasses import replace

import httpx
import pytest

from sigma.channels.vk.client import VkClients
from sigma.domain.change import Change
from sigma.services.communities import communities
from sigma.services.conversations import history_sync, inbox
from sigma.store import changes
from sigma.store.accounts import shops
from tests.sandbox_communities import connect_community, create_community
from tests.vk_checked_client import CheckedTransport
from tests.vk_world import VkWorld


async def set_locale(world: VkWorld, locale: str) -> None:
    async with world.ctx.db.write() as tx:
        shop = await shops.get(tx, world.shop.id)
        assert shop is not None
        await changes.write(tx, Change((replace(shop, locale=locale),)), world.ctx.now_us())


@pytest.mark.parametrize(
    ("locale", "name", "query"),
    [("ru", "Иван Клиентов", "клиентов"), ("en", "Ivan Klientov", "klientov")],
)
async def test_names_are_in_the_shops_language(
    vk_world: VkWorld, locale: str, name: str, query: str
) -> None:
    await set_locale(vk_world, locale)
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    assert (await vk_world.conversation()).name == name
    await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    assert (await vk_world.conversation()).name == name, "the conversation list agrees"
    found = await inbox.list_conversations(vk_world.ctx, vk_world.member, query=query)
    assert len(found.rows) == 1


@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_every_call_has_the_language(vk_world: VkWorld, locale: str) -> None:
    await set_locale(vk_world, locale)
    transport = CheckedTransport()
    vk = VkClients(lambda _: httpx.AsyncClient(transport=transport, timeout=10))
    vk_world.ctx = replace(vk_world.ctx, vk=vk)
    community = await connect_community(vk_world, create_community(vk_world, "", messages=True))
    await communities.verify(vk_world.ctx, vk_world.member, community.id)
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    await vk_world.post_message("Добрый день")
    await vk_world.run_jobs()
    await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    languages: dict[str, set[str]] = {}
    for method, form in transport.calls:
        languages.setdefault(method, set()).add(form.get("lang", "none"))
    assert {"users.get", "groups.getById", "messages.getConversations", "messages.send"} <= set(
        languages
    )
    assert {method: langs for method, langs in languages.items() if langs != {locale}} == {}
    await vk.close()
