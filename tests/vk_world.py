"""A world whose shop has a community in the sandbox VK.

Clients write there. Tests can take VK's events and deliver them repeated, late or reordered.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sigma.channels.vk import groups, long_poll
from sigma.channels.vk.client import VkClients
from sigma.domain.billing.connection import Connection
from sigma.domain.change import Change
from sigma.domain.messaging.community import Community, EventDelivery
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Message, MessageBody
from sigma.services.communities import event_intake
from sigma.services.communities import long_poll as community_long_poll
from sigma.services.connection_secrets import encrypt_secret
from sigma.services.conversations import message_codec, outbox
from sigma.services.vk import community_client
from sigma.store import changes
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.messaging import communities, conversations
from sigma.store.messaging import messages as message_rows
from sigma_sandbox.app import Sandbox
from tests.outbound.local import open_local_client
from tests.world import World, open_world

CALLBACK_SECRET = "s3cr3t-of-the-hook"


@dataclass
class VkWorld(World):
    """A world with one connected community and one client who has not written yet.

    `group_id` is VK's id of the community, `client_id` VK's user id of the client,
    `access_key` the community's access key. A `client_id` argument of 0 means this client.
    """

    group_id: int = 0
    access_key: str = ""
    client_id: int = 0
    community_id: str = ""
    key_count: int = field(default=0)

    async def call_vk_test_api(self, path: str, **body: Any) -> dict[str, Any]:
        """Call the sandbox's test API, /vk/test/… Returns the decoded response."""
        url = f"{self.sandbox.base_url}/vk/test/{path}"
        response = await self.http.post(url, json=body)
        assert response.status_code == 200, response.text
        decoded: dict[str, Any] = response.json()
        return decoded

    async def inject_vk_faults(self, **rules: Any) -> None:
        """Inject faults of VK for this community only. Rules: docs/sandbox.md."""
        url = f"{self.sandbox.base_url}/control"
        response = await self.http.post(url, json={"shop": str(self.group_id), **rules})
        assert response.status_code == 200, response.text

    async def advance_clocks(self, **spans: float) -> None:
        """Advance the clocks of Sigma and of VK together."""
        self.clock.advance(**spans)
        await self.inject_vk_faults(vk_clock_offset_s=self.clock.offset_us // 1_000_000)

    async def create_client(self) -> int:
        """Create one more VK user; return its id."""
        return int((await self.call_vk_test_api("people"))["person_id"])

    async def write_as_client(
        self, text: str = "", client_id: int = 0, **more: Any
    ) -> dict[str, Any]:
        """Write in VK as a client; Sigma has no event yet. Returns VK's message."""
        target = {"person_id": client_id or self.client_id, "group_id": self.group_id}
        return await self.call_vk_test_api("write", **target, text=text, **more)

    async def reply_in_vk(self, text: str, client_id: int = 0) -> dict[str, Any]:
        """Reply to a client on VK's own page as the community's owner."""
        target = {"person_id": client_id or self.client_id, "group_id": self.group_id}
        return await self.call_vk_test_api("reply", **target, text=text)

    async def act_as_client(self, action: str, client_id: int = 0, **more: Any) -> dict[str, Any]:
        """Act as a client in VK; `action` is allow, deny, read or press."""
        target = {"person_id": client_id or self.client_id, "group_id": self.group_id}
        return await self.call_vk_test_api(action, **target, **more)

    async def fetch_vk_conversation(self, client_id: int = 0) -> dict[str, Any]:
        """Return the conversation as VK has it; its "messages" are oldest first."""
        user_id = client_id or self.client_id
        url = f"{self.sandbox.base_url}/vk/test/dialogs/{self.group_id}/{user_id}"
        response = await self.http.get(url)
        assert response.status_code == 200, response.text
        decoded: dict[str, Any] = response.json()
        return decoded

    async def vk_texts(self, client_id: int = 0) -> list[str]:
        """Return the texts of the conversation in VK, oldest first."""
        return [
            message["text"] for message in (await self.fetch_vk_conversation(client_id))["messages"]
        ]

    async def poll_events(self) -> int:
        """Poll VK once and run the jobs that follow; return how many events arrived."""
        event_count = await community_long_poll.poll_once(self.ctx, self.community_id, 1)
        await self.run_jobs()
        return event_count

    async def take_events(self) -> list[dict[str, Any]]:
        """Take the pending events out of VK's long poll, so that Sigma does not get them.

        Deliver them with `deliver_callback`.
        """
        client = await community_client.open_client(self.ctx, self.community_id)
        server = await groups.fetch_long_poll_server(client.api, self.group_id)
        batch = await long_poll.poll(
            client.api,
            server.server,
            server.key,
            client.community.long_poll_ts,
            wait_s=1,
        )
        async with self.ctx.db.write() as tx:
            await communities.record_poll(tx, self.community_id, batch.ts, self.ctx.now_us())
        return list(batch.updates)

    async def deliver_callback(
        self, event: dict[str, Any], *, secret: str = CALLBACK_SECRET, retry: int = 0
    ) -> str:
        """Deliver one event to Sigma's callback; return the response text ("ok")."""
        body = json.dumps({**event, "secret": secret}).encode()
        community = await event_intake.access_community(self.ctx, self.community_id)
        return await event_intake.accept_callback(self.ctx, community, body, retry)

    async def deliver_callbacks(self, events: Iterable[dict[str, Any]]) -> None:
        """Deliver events one after another, then run the jobs that follow."""
        for event in events:
            assert await self.deliver_callback(event) == "ok"
        await self.run_jobs()

    async def conversation(self, client_id: int = 0) -> Conversation:
        """Return the stored conversation with a client."""
        async with self.ctx.db.read() as tx:
            stored = await conversations.find_by_peer(
                tx, self.community_id, client_id or self.client_id
            )
        assert stored is not None, "Sigma has the conversation"
        return stored

    async def messages(self, client_id: int = 0) -> list[Message]:
        """Return the stored messages of the conversation, oldest first."""
        conversation = await self.conversation(client_id)
        async with self.ctx.db.read() as tx:
            newest_first = await message_rows.list_for_conversation(tx, conversation.id, limit=1000)
        return newest_first[::-1]

    def body(self, message: Message) -> MessageBody:
        """Return the decrypted body of a message."""
        return message_codec.decrypt_body(self.ctx.cipher, message.id, message.body_encrypted)

    def preview(self, conversation: Conversation) -> str:
        """Return the decrypted preview of a conversation."""
        encrypted = conversation.preview_encrypted
        return message_codec.decrypt_preview(self.ctx.cipher, conversation.id, encrypted)

    async def texts(self, client_id: int = 0) -> list[str]:
        """Return the texts of the stored messages, oldest first."""
        return [self.body(message).text for message in await self.messages(client_id)]

    async def post_message(self, text: str, client_id: int = 0, **more: Any) -> Message:
        """Write as the operator; the message is not sent yet."""
        self.key_count += 1
        conversation = await self.conversation(client_id)
        more.setdefault("idempotency_key", f"key-{self.key_count}")
        return await outbox.post(self.ctx, self.member, conversation.id, text, **more)

    async def community(self) -> Community:
        """Return the stored community."""
        async with self.ctx.db.read() as tx:
            stored = await communities.get(tx, self.community_id)
        assert stored is not None
        return stored

    async def update_community(self, **values: Any) -> None:
        """Change fields of the stored community directly."""
        async with self.ctx.db.write() as tx:
            stored = await communities.lock(tx, self.community_id)
            await changes.write(tx, Change((replace(stored, **values),)), self.ctx.now_us())

    async def create_access_key(self, *scopes: str) -> str:
        """Create another access key in VK with these scopes (all by default); return it."""
        body = {"rights": list(scopes)} if scopes else {}
        created = await self.call_vk_test_api(f"communities/{self.group_id}/keys", **body)
        return str(created["token"])

    async def set_access_key(self, access_key: str) -> None:
        """Store another access key. Unlike the service, this does not resume stopped jobs."""
        async with self.ctx.db.write() as tx:
            stored = await communities.lock_connection(tx, self.community_id)
            encrypted = encrypt_secret(self.ctx.cipher, stored.id, access_key)
            await changes.write(tx, Change((replace(stored, secret_encrypted=encrypted),)), 0)


def _long_jitter() -> float:
    """A jitter far over the usual 0…1: retry pauses get longer than any rate-limit pause."""
    return 20.0


async def _short_sleep(seconds: float) -> None:
    """Sleep fully in rate-limit pauses (under 2 s); shorten retry pauses to 0.01 s."""
    await asyncio.sleep(seconds if seconds < 2 else 0.01)


@asynccontextmanager
async def open_vk_world(
    database_url: str,
    sandbox: Sandbox,
    *,
    event_delivery: EventDelivery = EventDelivery.LONG_POLL,
    **more: Any,
) -> AsyncIterator[VkWorld]:
    """Open a world whose shop has a new community; its rows are written directly."""
    async with open_world(database_url, sandbox, **more) as plain:
        vk = VkClients(open_local_client, sleep=_short_sleep, jitter=_long_jitter)
        values = {item.name: getattr(plain, item.name) for item in fields(World)}
        world = VkWorld(**values | {"ctx": replace(plain.ctx, vk=vk)})
        created = await world.call_vk_test_api("communities", name="Студия «Лак»")
        world.group_id, world.access_key = created["group_id"], created["token"]
        world.client_id = await world.create_client()
        await insert_community(world, event_delivery)
        yield world
        await world.inject_vk_faults(vk_clock_offset_s=None)
        await vk.close()


async def insert_community(world: VkWorld, event_delivery: EventDelivery) -> None:
    """Write the rows of a connected community that starts at VK's current long poll position."""
    ctx, now_us = world.ctx, world.ctx.now_us()
    connection_id = ctx.new_id("con", world.shop.id)
    connection = Connection(
        id=connection_id,
        shop_id=world.shop.id,
        provider="vk",
        title="Студия «Лак»",
        account=str(world.group_id),
        secret_encrypted=encrypt_secret(ctx.cipher, connection_id, world.access_key),
        created_at_us=now_us,
        settings={
            "api_url": f"{world.sandbox.base_url}/vk",
            "site_url": f"{world.sandbox.base_url}/vk",
            "timeout_s": 2,
        },
    )
    vk = community_client.open_api(ctx, connection, "ru")
    await groups.set_long_poll_events(vk, world.group_id, True)
    server = await groups.fetch_long_poll_server(vk, world.group_id)
    community = Community(
        id=connection.id,
        shop_id=world.shop.id,
        group_id=world.group_id,
        name="Студия «Лак»",
        screen_name=f"club{world.group_id}",
        photo_url="",
        created_at_us=now_us,
        key_scopes=("manage", "messages", "photos"),
        event_delivery=event_delivery,
        callback_secret_encrypted=ctx.cipher.encrypt(
            CALLBACK_SECRET, EncryptedColumn.COMMUNITY_CALLBACK_SECRET, connection_id
        ),
        confirmation_code="c0de42",
        long_poll_ts=server.ts,
        last_contact_at_us=now_us,
        caught_up_until_us=now_us,
    )
    await changes.commit(ctx.db, Change((connection, community)), now_us)
    world.community_id = community.id
