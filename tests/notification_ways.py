"""A shop whose owner gets notifications by all four ways, each at a service on this machine."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

from sigma.domain.change import Change
from sigma.domain.notifications.kind import Kind, Way
from sigma.domain.notifications.notification import Status
from sigma.domain.notifications.preferences import Preferences, QuietHours
from sigma.services.notifications import links, settings, telegram_bots
from sigma.store import changes
from sigma.store.notifications import preferences
from sigma.store.schema.notification_tables import notifications
from sigma.store.schema.tables import timeline_events
from sigma_sandbox.mail import mailbox
from tests.push_service import PushBrowser, PushService
from tests.reconciliation import fetch_rows
from tests.vk_world import VkWorld

bot_numbers = itertools.count(5_000_001)


@dataclass
class Ways:
    """The owner's page in VK, chat with the bot, browser and mailbox."""

    world: VkWorld
    push_service: PushService
    browser: PushBrowser
    bot_id: int
    chat_id: int
    person_id: int
    old_mail_ids: frozenset[str]

    @property
    def mailbox_address(self) -> str:
        return "owner@example.org"

    async def telegram_texts(self) -> list[str]:
        """Return the bot's messages in the owner's chat, without the greeting."""
        chat = self.world.sandbox.telegram.chats[self.bot_id, self.chat_id]
        texts = [one.text for one in chat.messages if one.is_from_bot]
        return [text for text in texts if not text.startswith("Готово")]

    async def vk_texts(self) -> list[str]:
        """Return the community's messages to the owner in VK, without the greeting."""
        talk = await self.world.fetch_vk_conversation(self.person_id)
        texts = [one["text"] for one in talk["messages"] if one["out"]]
        return [text for text in texts if not text.startswith("Готово")]

    def push_payloads(self) -> list[dict[str, Any]]:
        """Return what the browser has got."""
        return self.push_service.payloads(self.browser)

    def mails(self) -> list[str]:
        """Return subject and Message-ID of the owner's mails with notifications."""
        mails = self.world.sandbox.mailbox.list_newest(self.mailbox_address)
        parsed = [mailbox.parse(one) for one in reversed(mails) if one.id not in self.old_mail_ids]
        return [
            f"{mailbox.subject(one)} {message_id}"
            for one in parsed
            if (message_id := mailbox.header(one, "Message-ID")).startswith("<ndl_")
        ]

    async def counts(self) -> dict[Way, int]:
        """Return how many notifications have arrived by each way."""
        return {
            Way.VK: len(await self.vk_texts()),
            Way.PUSH: len(self.push_payloads()),
            Way.EMAIL: len(self.mails()),
            Way.TELEGRAM: len(await self.telegram_texts()),
        }

    async def choose(self, *ways: Way, kinds: tuple[Kind, ...] = tuple(Kind)) -> None:
        """Switch kinds on by some ways, everything else off."""
        await self.change(
            choices=frozenset((kind, way) for kind in kinds for way in ways if kind != "way_broken")
        )

    async def change(self, **values: Any) -> None:
        """Change the owner's preferences directly."""
        world = self.world
        async with world.ctx.db.write() as tx:
            stored = await preferences.lock(tx, world.shop.id, world.member.actor)
            assert stored is not None
            updated = replace(stored, **values)
            await changes.write(tx, Change((updated,)), world.ctx.now_us())

    async def stored(self) -> Preferences:
        """Return the owner's preferences."""
        return (await settings.get(self.world.ctx, self.world.member)).preferences

    async def be_quiet(self, hours: float = 8) -> None:
        """Begin quiet hours a minute ago, in UTC."""
        minute = self.world.ctx.now_us() // 60_000_000 % 1440
        until = int(minute + hours * 60) % 1440
        await self.change(quiet=QuietHours((minute - 1) % 1440, until, "UTC"))


async def link_vk(world: VkWorld) -> int:
    """Link a new VK page of the owner by a code; return its id."""
    person_id = await world.create_client()
    code = await links.create_code(world.ctx, world.member, Way.VK)
    await world.write_as_client(f"Вот код: {code}", person_id)
    await world.poll_events()
    return person_id


async def link_telegram(world: VkWorld) -> tuple[int, int]:
    """Connect a bot and link the owner's chat; return bot and chat."""
    bot_id = next(bot_numbers)
    chat_id = bot_id + 1_000_000
    token = f"{bot_id}:{'a' * 35}"  # pragma: allowlist secret
    await telegram_bots.save(world.ctx, world.member, token, f"{world.sandbox.base_url}/telegram")
    code = await telegram_bots.await_code(world.ctx, world.member)
    body = {"bot_id": bot_id, "chat_id": chat_id, "text": f"/start {code}"}
    await world.http.post(f"{world.sandbox.base_url}/telegram/test/write", json=body)
    await world.run_jobs()
    return bot_id, chat_id


async def link_all(world: VkWorld, push_service: PushService) -> Ways:
    """Link everything; nothing is quiet, everything is on by every way."""
    person_id = await link_vk(world)
    bot_id, chat_id = await link_telegram(world)
    browser = push_service.new_browser()
    p256dh, auth = browser.keys
    await links.subscribe(world.ctx, world.member, browser.endpoint, p256dh, auth, "Chrome · Linux")
    old_mail_ids = frozenset(world.sandbox.mailbox.emails)
    ways = Ways(world, push_service, browser, bot_id, chat_id, person_id, old_mail_ids)
    await ways.choose(*Way)
    # The codes of Telegram are awaited no longer: their job would run for ever otherwise.
    world.clock.advance(minutes=16)
    await world.run_jobs()
    return ways


async def statuses(world: VkWorld) -> list[Status]:
    """Return the statuses of all notifications of the shop."""
    return [
        Status(one["status"])
        for one in await fetch_rows(world.ctx.db, notifications, world.shop.id)
    ]


async def captured_event(world: VkWorld, payment_id: str) -> str:
    """Return the id of the event that a payment was captured."""
    rows = await fetch_rows(world.ctx.db, timeline_events, world.shop.id)
    own = [one for one in rows if one["subject_id"] == payment_id]
    (event_id,) = [one["id"] for one in own if one["kind"] == "payment.captured"]
    return str(event_id)
