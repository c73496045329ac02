"""Linking members' VK pages, chats and browsers; the shop's bot; the test button."""

from dataclasses import replace
from typing import cast

import pytest

from sigma.channels.telegram.client import TelegramClient, Update
from sigma.domain.accounts.member import Member, Role
from sigma.domain.limits import NOTIFICATION_CODES
from sigma.domain.notifications.kind import Way
from sigma.services.customers import customer_views
from sigma.services.notifications import links, settings, telegram_bots
from tests.notification_ways import Ways, link_vk
from tests.people import add_person, other_shop
from tests.push_service import PushService
from tests.services.actions import refusal_code
from tests.vk_world import VkWorld

both_databases = pytest.mark.both_databases


@both_databases
async def test_code_links_once_and_expires(vk_world: VkWorld) -> None:
    ctx, member = vk_world.ctx, vk_world.member
    code = await links.create_code(ctx, member, Way.VK)
    vk_world.clock.advance(minutes=16)
    await vk_world.write_as_client(code)
    await vk_world.poll_events()
    assert (await settings.get(ctx, member)).linked(Way.VK) == []
    assert (await vk_world.conversation()).unread_count == 1, "an old code is a message"
    used = await links.create_code(ctx, member, Way.VK)
    await vk_world.write_as_client(used)
    await vk_world.poll_events()
    assert len((await settings.get(ctx, member)).linked(Way.VK)) == 1
    stranger = await vk_world.create_client()
    await vk_world.write_as_client(used, stranger)
    await vk_world.poll_events()
    (linked,) = (await settings.get(ctx, member)).linked(Way.VK)
    assert (await vk_world.conversation(stranger)).unread_count == 1
    assert linked.address_hash


async def test_newer_code_voids_the_older_one(vk_world: VkWorld) -> None:
    ctx, member = vk_world.ctx, vk_world.member
    older = await links.create_code(ctx, member, Way.VK)
    await links.create_code(ctx, member, Way.VK)
    await vk_world.write_as_client(older)
    await vk_world.poll_events()
    assert (await settings.get(ctx, member)).linked(Way.VK) == []


async def test_linking_the_same_page_again_keeps_one(vk_world: VkWorld) -> None:
    person_id = await link_vk(vk_world)
    code = await links.create_code(vk_world.ctx, vk_world.member, Way.VK)
    await vk_world.write_as_client(code, person_id)
    await vk_world.poll_events()
    current = await settings.get(vk_world.ctx, vk_world.member)
    assert len(current.linked(Way.VK)) == 1
    assert (await vk_world.vk_texts(person_id))[1].startswith("Готово: уведомления")


async def test_code_is_no_question_of_a_client(vk_world: VkWorld) -> None:
    person_id = await link_vk(vk_world)
    conversation = await vk_world.conversation(person_id)
    assert conversation.unread_count == 0
    assert not conversation.is_unanswered


async def test_test_button_returns_the_real_answer(vk_world: VkWorld, ways: Ways) -> None:
    await ways.be_quiet(8)
    replies = {}
    for way in Way:
        result = await settings.send_test(vk_world.ctx, vk_world.member, way)
        assert result.is_accepted
        replies[way] = result.reply.partition(",")[0]
    assert replies == {
        Way.VK: "ok",
        Way.PUSH: "HTTP 201",
        Way.EMAIL: "2.0.0 OK",
        Way.TELEGRAM: "ok",
    }
    assert await ways.counts() == dict.fromkeys(Way, 1)


async def test_test_button_returns_the_real_refusal(
    vk_world: VkWorld, ways: Ways, push_service: PushService
) -> None:
    control = f"{vk_world.sandbox.base_url}/control"
    push_service.statuses = [413]
    await vk_world.inject_vk_faults(vk_error={"value": 901, "on": "messages.send", "times": 1})
    fault = {"telegram_error": {"value": 401, "times": 1}, "shop": str(ways.bot_id)}
    await vk_world.http.post(control, json=fault)
    await vk_world.http.post(control, json={"mail_refuse": {"times": 1}})
    expected = {
        Way.VK: "901",
        Way.PUSH: "HTTP 413",
        Way.EMAIL: "550 5.1.1 No such mailbox here",
        Way.TELEGRAM: "401 Unauthorized",
    }
    for way, reply in expected.items():
        result = await settings.send_test(vk_world.ctx, vk_world.member, way)
        assert not result.is_accepted
        assert result.reply.startswith(reply)
    await vk_world.http.post(control, json={"mail_refuse": None})


async def test_telegram_token_is_stored_encrypted_and_refused_with_the_real_answer(
    vk_world: VkWorld,
) -> None:
    ctx, api_url = vk_world.ctx, f"{vk_world.sandbox.base_url}/telegram"
    token = "4000001:" + "Secret_" * 5  # pragma: allowlist secret
    bot = await telegram_bots.save(ctx, vk_world.member, token, api_url)
    assert "Secret" not in str(bot)
    assert bot.username == "sandbox_4000001_bot"
    revoked = "4000001:" + "revoked" * 5  # pragma: allowlist secret
    call = telegram_bots.save(ctx, vk_world.member, revoked, api_url)
    assert await refusal_code(call) == "validation"


async def test_bot_is_called_only_while_a_code_is_awaited(vk_world: VkWorld) -> None:
    vk_world.clock.stop()
    token = "4000002:" + "a" * 35  # pragma: allowlist secret
    api_url = f"{vk_world.sandbox.base_url}/telegram"
    await telegram_bots.save(vk_world.ctx, vk_world.member, token, api_url)
    await telegram_bots.await_code(vk_world.ctx, vk_world.member)
    due = await telegram_bots.poll(vk_world.ctx, vk_world.shop.id)
    assert due == vk_world.ctx.now_us() + 3_000_000
    vk_world.clock.advance(minutes=16)
    assert await telegram_bots.poll(vk_world.ctx, vk_world.shop.id) is None


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://10.0.0.1/x",
        "https://metadata.internal/x",
        "file:///etc/passwd",
        "https://192.168.1.4/",
    ],
)
async def test_push_endpoint_inside_the_network_is_refused(
    vk_world: VkWorld, push_service: PushService, endpoint: str
) -> None:
    p256dh, auth = push_service.new_browser().keys
    call = links.subscribe(vk_world.ctx, vk_world.member, endpoint, p256dh, auth, "Chrome")
    assert await refusal_code(call) == "validation"


@both_databases
async def test_browser_belongs_to_who_has_subscribed_there_last_in_any_shop(
    vk_world: VkWorld, push_service: PushService
) -> None:
    """One person may get the notifications of several shops there, two people may not."""
    ctx, owner = vk_world.ctx, vk_world.member
    browser = push_service.new_browser()
    p256dh, auth = browser.keys
    second_id = await other_shop(vk_world)
    own_second = replace(owner, shop_id=second_id)
    stranger = await add_person(ctx, second_id, "stranger@example.org", Role.OPERATOR)

    async def subscribe(member: Member) -> list[int]:
        await links.subscribe(ctx, member, browser.endpoint, p256dh, auth, "Chrome")
        people = (owner, own_second, stranger)
        return [len((await settings.get(ctx, one)).linked(Way.PUSH)) for one in people]

    assert await subscribe(owner) == [1, 0, 0]
    assert await subscribe(own_second) == [1, 1, 0]
    assert await subscribe(stranger) == [0, 0, 1]


async def test_answer_of_a_bot_server_is_bounded(vk_world: VkWorld) -> None:
    """A shop may name a server of its own: what it returns must not keep the worker busy."""
    token = f"5000099:{'a' * 35}"  # pragma: allowlist secret
    await telegram_bots.save(
        vk_world.ctx, vk_world.member, token, f"{vk_world.sandbox.base_url}/telegram"
    )
    code = await telegram_bots.await_code(vk_world.ctx, vk_world.member)
    offsets: list[int] = []

    class Server:
        async def fetch_updates(self, _url: str, _token: str, offset: int) -> tuple[Update, ...]:
            offsets.append(offset)
            strange = Update(2**62, 7, code)
            return (strange, *(Update(n, 0, "x") for n in range(150)), Update(150, 7, code))

    ctx = replace(vk_world.ctx, telegram=cast("TelegramClient", Server()))
    await telegram_bots.poll(ctx, vk_world.shop.id)
    assert (await settings.get(ctx, vk_world.member)).linked(Way.TELEGRAM) == []
    await telegram_bots.poll(ctx, vk_world.shop.id)
    assert offsets == [0, 100]


async def test_link_codes_have_a_limit(vk_world: VkWorld) -> None:
    for _ in range(NOTIFICATION_CODES.amount):
        await links.create_code(vk_world.ctx, vk_world.member, Way.VK)
    call = links.create_code(vk_world.ctx, vk_world.member, Way.VK)
    assert await refusal_code(call) == "too_many_requests"


@both_databases
async def test_member_who_links_vk_becomes_no_customer(vk_world: VkWorld) -> None:
    """Neither by the code, nor by the greeting, nor by the notifications that follow."""
    ctx, member = vk_world.ctx, vk_world.member
    person_id = await link_vk(vk_world)
    await settings.send_test(ctx, member, Way.VK)
    await vk_world.poll_events()
    assert len(await vk_world.vk_texts(person_id)) == 3
    conversation = await vk_world.conversation(person_id)
    assert conversation.customer_id is None
    assert (await customer_views.list_page(ctx, member)).data == []
    # The same event once more, after a crash between the link and the message.
    await links.create_code(ctx, member, Way.VK)
    await vk_world.write_as_client("sigma-abcdefghjk", person_id)
    await vk_world.poll_events()
    assert (await vk_world.conversation(person_id)).unread_count == 0
    assert (await customer_views.list_page(ctx, member)).data == []


@both_databases
async def test_member_who_asks_like_a_client_becomes_a_customer(vk_world: VkWorld) -> None:
    person_id = await link_vk(vk_world)
    await vk_world.write_as_client("Здравствуйте, сколько стоит маникюр?", person_id)
    await vk_world.poll_events()
    conversation = await vk_world.conversation(person_id)
    assert conversation.unread_count == 1
    (row,) = (await customer_views.list_page(vk_world.ctx, vk_world.member)).data
    assert row.customer.id == conversation.customer_id
