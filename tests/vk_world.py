"""A small world whose shop talks through a community of the sandbox VK: clients write there, and
what VK tells can be repeated, held back and shuffled.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import httpx

from sigma.channels.vk import groups, long_poll
from sigma.channels.vk.client import Clients
from sigma.domain.billing.connection import Connection
from sigma.domain.change import Change
from sigma.domain.messaging.community import Community, Delivery
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Body, Message
from sigma.services.communities import event_intake
from sigma.services.communities import long_poll as community_long_poll
from sigma.services.conversations import message_codec, outbox
from sigma.services.vk import community_client
from sigma.store import changes
from sigma.store.messaging import communities, conversations
from sigma_sandbox.app import Sandbox
from tests.world import World, open_world

SECRET = "s3cr3t-of-the-hook"


@dataclass
class VkWorld(World):
    """A world with one connected community and one client, who has not written yet."""

    group_id: int = 0
    token: str = ""
    person: int = 0
    community_id: str = ""
    keys: int = field(default=0)

    async def vk_test(self, path: str, **body: Any) -> dict[str, Any]:
        """A door of the sandbox for programs: /vk/test/…"""
        url = f"{self.sandbox.base_url}/vk/test/{path}"
        answer = await self.http.post(url, json=body)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def vk_control(self, **rules: Any) -> None:
        """Misbehaviour of VK towards this community."""
        url = f"{self.sandbox.base_url}/control"
        answer = await self.http.post(url, json={"shop": str(self.group_id), **rules})
        assert answer.status_code == 200, answer.text

    async def move(self, **spans: float) -> None:
        """Time passes here and in VK."""
        self.clock.move(**spans)
        await self.vk_control(vk_clock_offset_s=self.clock.offset // 1_000_000)

    async def new_person(self) -> int:
        """One more client."""
        return int((await self.vk_test("people"))["person_id"])

    async def client_writes(self, text: str = "", person: int = 0, **more: Any) -> dict[str, Any]:
        """A client writes in VK; Sigma has not been told yet. Returns VK's message."""
        who = {"person_id": person or self.person, "group_id": self.group_id}
        return await self.vk_test("write", **who, text=text, **more)

    async def owner_replies(self, text: str, person: int = 0) -> dict[str, Any]:
        """A person answers on VK's own page."""
        who = {"person_id": person or self.person, "group_id": self.group_id}
        return await self.vk_test("reply", **who, text=text)

    async def client_does(self, what: str, person: int = 0, **more: Any) -> dict[str, Any]:
        """allow, deny, read, press."""
        who = {"person_id": person or self.person, "group_id": self.group_id}
        return await self.vk_test(what, **who, **more)

    async def dialog_at_vk(self, person: int = 0) -> dict[str, Any]:
        """The dialog as it lies in VK, with "messages", oldest first."""
        who = person or self.person
        url = f"{self.sandbox.base_url}/vk/test/dialogs/{self.group_id}/{who}"
        answer = await self.http.get(url)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def texts_at_vk(self, person: int = 0) -> list[str]:
        """What was said in the dialog in VK, oldest first."""
        return [one["text"] for one in (await self.dialog_at_vk(person))["messages"]]

    async def hear(self) -> int:
        """Sigma asks the long poll once and does what follows; returns how many events came."""
        came = await community_long_poll.once(self.ctx, self.community_id, 1)
        await self.work()
        return came

    async def told(self) -> list[dict[str, Any]]:
        """What VK has to tell, taken away from Sigma: envelopes, to be handed over by `hook`."""
        line = await community_client.line(self.ctx, self.community_id)
        server = await groups.longpoll_server(line.vk, self.group_id)
        batch = await long_poll.check(
            line.vk, server.server, server.key, line.community.poll_ts, wait=1
        )
        async with self.ctx.db.write() as tx:
            await communities.polled(tx, self.community_id, batch.ts, self.ctx.now())
        return list(batch.updates)

    async def hook(self, event: dict[str, Any], *, secret: str = SECRET, retry: int = 0) -> str:
        """VK brings an event to Sigma's address."""
        body = json.dumps({**event, "secret": secret}).encode()
        return await event_intake.take(self.ctx, self.community_id, body, retry)

    async def hooks(self, events: Iterable[dict[str, Any]]) -> None:
        """Several, one after another, and then what follows is done."""
        for event in events:
            assert await self.hook(event) == "ok"
        await self.work()

    async def conversation(self, person: int = 0) -> Conversation:
        """The dialog as Sigma has it."""
        async with self.ctx.db.read() as tx:
            found = await conversations.by_peer(tx, self.community_id, person or self.person)
        assert found is not None, "Sigma knows the dialog"
        return found

    async def messages(self, person: int = 0) -> list[Message]:
        """The dialog's messages here, the oldest first."""
        conversation = await self.conversation(person)
        async with self.ctx.db.read() as tx:
            found = await conversations.messages_before(tx, conversation.id, limit=1000)
        return found[::-1]

    def body(self, message: Message) -> Body:
        """What a message says."""
        return message_codec.read(self.ctx.sealer, message.body_sealed)

    async def texts(self, person: int = 0) -> list[str]:
        """What was said in the dialog as Sigma has it, the oldest first."""
        return [self.body(one).text for one in await self.messages(person)]

    async def write(self, text: str, person: int = 0, **more: Any) -> Message:
        """The operator writes; it is not sent yet."""
        self.keys += 1
        conversation = await self.conversation(person)
        more.setdefault("key", f"key-{self.keys}")
        return await outbox.post(self.ctx, self.member, conversation.id, text, **more)

    async def community(self) -> Community:
        """The community as it is now."""
        async with self.ctx.db.read() as tx:
            found = await communities.get(tx, self.community_id)
        assert found is not None
        return found

    async def change_community(self, **fields_: Any) -> None:
        """Writes other facts of the community."""
        async with self.ctx.db.write() as tx:
            known = await communities.lock(tx, self.community_id)
            await changes.write(tx, Change((replace(known, **fields_),)), self.ctx.now())

    async def new_key(self, *rights: str) -> str:
        """Another access key of the community, made by its owner in VK; all rights unless named."""
        given = {"rights": list(rights)} if rights else {}
        made = await self.vk_test(f"communities/{self.group_id}/keys", **given)
        return str(made["token"])

    async def set_token(self, token: str) -> None:
        """The owner gives another key of the community; whoever mends a key then resumes."""
        async with self.ctx.db.write() as tx:
            known = await communities.lock_connection(tx, self.community_id)
            sealed = self.ctx.sealer.seal(token)
            await changes.write(tx, Change((replace(known, secret_sealed=sealed),)), 0)


def _long() -> float:
    """Makes every pause before another try longer than any wait for our own pace."""
    return 20.0


async def _soon(seconds: float) -> None:
    """Keeps the pace of calls, and waits for nothing else."""
    await asyncio.sleep(seconds if seconds < 2 else 0.01)


@asynccontextmanager
async def open_vk_world(
    database_url: str, sandbox: Sandbox, *, delivery: Delivery = Delivery.LONGPOLL, **more: Any
) -> AsyncIterator[VkWorld]:
    """Opens a world whose shop is connected to a new community of the sandbox, by rows."""
    async with open_world(database_url, sandbox, **more) as plain:
        vk = Clients(lambda _: httpx.AsyncClient(verify=False), sleep=_soon, jitter=_long)
        known = {one.name: getattr(plain, one.name) for one in fields(World)}
        world = VkWorld(**known | {"ctx": replace(plain.ctx, vk=vk)})
        made = await world.vk_test("communities", name="Студия «Лак»")
        world.group_id, world.token = made["group_id"], made["token"]
        world.person = await world.new_person()
        await connect(world, delivery)
        yield world
        await world.vk_control(vk_clock_offset_s=None)
        await vk.close()


async def connect(world: VkWorld, delivery: Delivery) -> None:
    """The rows of a connected community, at the moment where the long poll stands now."""
    ctx, now = world.ctx, world.ctx.now()
    connection = Connection(
        id=ctx.new_id("con", world.shop.id),
        shop_id=world.shop.id,
        provider="vk",
        title="Студия «Лак»",
        account=str(world.group_id),
        secret_sealed=ctx.sealer.seal(world.token),
        created_at=now,
        settings={
            "api_url": f"{world.sandbox.base_url}/vk",
            "site_url": f"{world.sandbox.base_url}/vk",
            "timeout_s": 2,
        },
    )
    vk = community_client.open_line(ctx, connection)
    await groups.set_longpoll(vk, world.group_id, True)
    server = await groups.longpoll_server(vk, world.group_id)
    community = Community(
        id=connection.id,
        shop_id=world.shop.id,
        group_id=world.group_id,
        name="Студия «Лак»",
        screen_name=f"club{world.group_id}",
        photo_url="",
        created_at=now,
        rights=("manage", "messages", "photos"),
        delivery=delivery,
        hook_secret_sealed=ctx.sealer.seal(SECRET),
        confirmation="c0de42",
        poll_ts=server.ts,
        heard_at=now,
        caught_up_at=now,
    )
    await changes.commit(ctx.db, Change((connection, community)), now)
    world.community_id = community.id
