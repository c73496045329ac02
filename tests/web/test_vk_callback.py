"""The VK callback: events are stored and answered at once, refused without the secret, and answered
with 503 while the database is unreachable, so that VK sends them again.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from sigma.channels.vk import events, groups
from sigma.domain.limits import HOOK_REFUSALS, VK_EVENTS
from sigma.domain.messaging.community import EventDelivery
from sigma.domain.messaging.vk_event import VkEvent
from sigma.services.context import Context
from sigma.services.vk import community_client
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.engine.interface import Database, UnreachableError
from sigma.store.engine.statements import statement
from sigma.store.messaging import vk_events as vk_event_rows
from sigma.store.schema.messaging_tables import vk_events
from sigma.web.app import create_app
from sigma_sandbox.app import Sandbox
from sigma_sandbox.server import bind, make_server
from tests.vk_world import CALLBACK_SECRET, VkWorld, open_vk_world

COUNT_EVENTS = statement(select(func.count().label("n")).select_from(vk_events))
COUNT_UNPROCESSED = statement(
    select(func.count().label("n")).where(vk_events.c.processed_at_us.is_(None))
)


@pytest.fixture
async def vk_world(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[VkWorld]:
    """A shop whose VK community sends events by callback."""
    async with open_vk_world(
        sqlite_database_url, sandbox, event_delivery=EventDelivery.CALLBACK
    ) as opened:
        yield opened


@asynccontextmanager
async def serve_app(ctx: Context) -> AsyncIterator[str]:
    """Serve the application on a real socket; yield its base URL."""
    with bind("127.0.0.1", 0) as sock:
        app: Any = create_app(ctx)
        server = make_server(app)
        running = asyncio.create_task(server.serve(sockets=[sock]))
        await server.startup_done.wait()
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        server.should_exit = True
        await running


@dataclass
class CallbackClient:
    """Sends VK events to the callback URL."""

    world: VkWorld
    base_url: str
    http: httpx.AsyncClient
    event: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.base_url}/hooks/vk/{self.world.community_id}"

    async def post_event(self, _url: str = "", **changed: Any) -> httpx.Response:
        """Post the event with changed fields; a field set to None is removed."""
        body = {"secret": CALLBACK_SECRET, **self.event, **changed}
        body = {name: value for name, value in body.items() if value is not None}
        return await self.http.post(_url or self.url, content=json.dumps(body).encode())

    async def stored_count(self) -> int:
        """Return the number of stored events."""
        async with self.world.ctx.db.read() as tx:
            row = await tx.fetch_one(COUNT_EVENTS)
        assert row is not None
        return int(row["n"])


@pytest.fixture
async def callback(vk_world: VkWorld) -> AsyncIterator[CallbackClient]:
    """A callback client with the event of a client's message, not yet delivered to Sigma."""
    async with serve_app(vk_world.ctx) as base_url, httpx.AsyncClient(timeout=10) as http:
        await vk_world.write_as_client("remove")
        (event,) = await vk_world.take_events()
        yield CallbackClient(vk_world, base_url, http, event)


async def test_event_is_stored_answered_and_then_processed(callback: CallbackClient) -> None:
    response = await callback.post_event()
    assert (response.status_code, response.text) == (200, "ok")
    assert response.headers["content-type"].startswith("text/plain")
    assert await callback.stored_count() == 1
    await callback.world.run_jobs()
    assert await callback.world.texts() == ["remove"]


async def test_duplicate_event_is_answered_and_stored_once(callback: CallbackClient) -> None:
    for _ in range(3):
        assert (await callback.post_event()).text == "ok"
    assert await callback.stored_count() == 1


async def test_confirmation_request_is_answered_with_the_code(callback: CallbackClient) -> None:
    callback.event = {"type": "confirmation", "group_id": callback.world.group_id}
    for secret in (CALLBACK_SECRET, None):
        response = await callback.post_event(secret=secret)
        assert (response.status_code, response.text) == (200, "c0de42")
    assert (await callback.post_event(group_id=callback.world.group_id + 1)).status_code == 403
    assert (await callback.post_event(secret="guess")).status_code == 403
    assert await callback.stored_count() == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"object": []},
        {"object": "text"},
        {"object": {}},
        {"object": None},
        {"object": {"message": []}},
        {"object": {"message": {"peer_id": 10**30}}},
        {"object": {"message": {"peer_id": 777}}},
        {"object": {"message": {"peer_id": 777, "conversation_message_id": 10**30}}},
        {"type": "message_event", "object": {"peer_id": 777}},
        {"type": "market_order_new", "object": {"user_id": 777, "id": 2**60}},
        {"type": "message_new_v2"},
        {"type": "Message_New"},
        {"type": "donut.2025-money"},
        {"type": "wall_post_new", "object": []},
        {"type": "message_allow", "object": [1]},
        {"type": "group_change_photo", "object": []},
        {"type": "market_order_edit", "object": []},
        {"event_id": None},
        {"event_id": 7},
    ],
)
async def test_odd_event_is_answered_with_ok(
    callback: CallbackClient, changed: dict[str, Any]
) -> None:
    response = await callback.post_event(**changed)
    assert (response.status_code, response.text) == (200, "ok")
    await callback.world.run_jobs()
    async with callback.world.ctx.db.read() as tx:
        row = await tx.fetch_one(COUNT_UNPROCESSED)
    assert row is not None
    assert row["n"] == 0, "an event that cannot be processed does not wait for ever"


async def test_message_of_an_unreadable_event_is_read_from_the_history(
    callback: CallbackClient,
) -> None:
    assert (await callback.post_event(object=[])).text == "ok"
    assert await callback.stored_count() == 0
    await callback.world.run_jobs()
    assert await callback.world.texts() == ["remove"]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"", 400), (b"[]", 400), (b"null", 400), (b'{"type":"message_new"}', 400)],
)
async def test_body_that_is_no_event_is_refused(
    callback: CallbackClient, body: bytes, status: int
) -> None:
    assert (await callback.http.post(callback.url, content=body)).status_code == status


@pytest.mark.parametrize("kind", ["message_from_the_future", "Message_New2"])
async def test_stored_event_of_an_unknown_type_does_not_stop_its_conversation(
    callback: CallbackClient, kind: str
) -> None:
    world = callback.world
    event = events.parse_event({**callback.event, "type": kind, "event_id": "first"})
    event_id = world.ctx.new_id("vke", world.shop.id)
    stored = VkEvent(
        id=event_id,
        shop_id=world.shop.id,
        connection_id=world.community_id,
        conversation_key=f"peer:{world.client_id}",
        type=kind,
        digest="first",
        body_encrypted=world.ctx.cipher.encrypt(event, EncryptedColumn.VK_EVENT_BODY, event_id),
        received_at_us=world.ctx.now_us(),
    )
    async with world.ctx.db.write() as tx:
        await tx.write_all([vk_event_rows.store_event(stored)])
    assert (await callback.post_event()).text == "ok"
    await world.run_jobs()
    assert await world.texts() == ["remove"]
    async with world.ctx.db.read() as tx:
        key = f"peer:{world.client_id}"
        assert await vk_event_rows.list_unprocessed(tx, world.community_id, key) == []


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": "guess"},
        {"secret": ""},
        {"secret": None},
        {"secret": CALLBACK_SECRET + "x"},
        {"secret": 7},
        {"group_id": 1},
    ],
)
async def test_forged_event_is_refused(callback: CallbackClient, forged: dict[str, Any]) -> None:
    response = await callback.post_event(**forged)
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert await callback.stored_count() == 0
    assert await callback.world.run_jobs() == 0


async def test_events_are_refused_when_the_community_has_no_secret(
    callback: CallbackClient,
) -> None:
    await callback.world.update_community(callback_secret_encrypted="")
    for secret in ("", None, CALLBACK_SECRET):
        assert (await callback.post_event(secret=secret)).status_code == 403
    assert await callback.stored_count() == 0


async def test_event_for_an_unknown_community_is_not_found(callback: CallbackClient) -> None:
    for connection_id in ("con_0000000000000000000000", callback.world.connection.id):
        response = await callback.post_event(f"{callback.base_url}/hooks/vk/{connection_id}")
        assert response.status_code == 404, connection_id


async def test_events_above_the_limit_are_refused_until_vk_repeats_them(
    callback: CallbackClient,
) -> None:
    """The counter is filled directly: thousands of requests would take seconds."""
    world = callback.world
    await asyncio.gather(
        *(world.ctx.limiter.count(VK_EVENTS, world.community_id) for _ in range(VK_EVENTS.amount))
    )
    refused = await callback.post_event()
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert await callback.stored_count() == 0
    world.clock.advance(seconds=61)
    assert (await callback.post_event()).text == "ok"
    assert await callback.stored_count() == 1


async def test_forged_events_are_limited_by_address_but_real_ones_are_not(
    callback: CallbackClient,
) -> None:
    for _ in range(HOOK_REFUSALS.amount):
        assert (await callback.post_event(secret="forged")).status_code == 403
    assert (await callback.post_event(secret="forged")).status_code == 429
    assert (await callback.post_event()).text == "ok"


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"type":1}'])
async def test_malformed_event_is_a_bad_request(callback: CallbackClient, body: bytes) -> None:
    response = await callback.http.post(callback.url, content=body)
    assert response.status_code == 400


async def test_response_repeats_nothing_from_the_request(callback: CallbackClient) -> None:
    """VK treats some response texts as commands, so a response must not repeat the request."""
    word = "remove_version_5_1"
    for changed in (
        {"event_id": word},
        {"type": word},
        {"secret": word},
        {"group_id": word},
        {"object": word},
        {"object": {"message": {"text": word}}},
        {word: word},
    ):
        response = await callback.post_event(**changed)
        assert word not in response.text
        assert word not in str(response.headers)
        assert response.text == "ok" or response.status_code in (400, 403), changed
    for url in (
        f"{callback.base_url}/hooks/vk/{word}",
        f"{callback.url}?{word}=1",
        f"{callback.url}/{word}",
    ):
        assert word not in (await callback.post_event(url)).text


async def test_unused_event_types_are_answered_but_not_stored(callback: CallbackClient) -> None:
    for kind in ("wall_post_new", "message_typing_state"):
        assert (await callback.post_event(type=kind)).text == "ok"
    chat = {"message": {**callback.event["object"]["message"], "peer_id": 2_000_000_001}}
    assert (await callback.post_event(object=chat)).text == "ok"
    assert await callback.stored_count() == 0


class UnreachableDatabase:
    """A database that answers reads and refuses every write."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self) -> Any:
        raise UnreachableError("gone")


async def test_unreachable_database_is_answered_with_503_and_retry_after(
    callback: CallbackClient,
) -> None:
    ctx = replace(callback.world.ctx, db=UnreachableDatabase(callback.world.ctx.db))
    async with serve_app(ctx) as base_url:
        response = await callback.post_event(f"{base_url}/hooks/vk/{callback.world.community_id}")
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    assert response.text == ""
    assert (await callback.post_event()).text == "ok"
    assert await callback.stored_count() == 1


async def test_duplicate_and_reordered_callbacks_create_each_message_once(
    vk_world: VkWorld,
) -> None:
    async with serve_app(vk_world.ctx) as base_url:
        vk = (await community_client.open_client(vk_world.ctx, vk_world.community_id)).api
        code = await groups.fetch_confirmation_code(vk, vk_world.group_id)
        await vk_world.update_community(confirmation_code=code)
        url = f"{base_url}/hooks/vk/{vk_world.community_id}"
        server_id = await groups.add_callback_server(
            vk, vk_world.group_id, url, "Sigma", CALLBACK_SECRET
        )
        await groups.set_callback_events(vk, vk_world.group_id, server_id)
        await vk_world.inject_vk_faults(
            vk_events_duplicate={"value": 3}, vk_events_reorder_ms={"value": 100}
        )
        for n in range(5):
            await vk_world.write_as_client(f"Вопрос {n}")
        for _ in range(100):
            await vk_world.run_jobs()
            async with vk_world.ctx.db.read() as tx:
                row = await tx.fetch_one(COUNT_EVENTS)
            if row and row["n"] == 5:
                break
            await asyncio.sleep(0.05)
        await vk_world.run_jobs()
        assert await vk_world.texts() == [f"Вопрос {n}" for n in range(5)]
        assert (await vk_world.conversation()).unread_count == 5
        await groups.delete_callback_server(vk, vk_world.group_id, server_id)
