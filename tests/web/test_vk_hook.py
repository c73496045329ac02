"""VK's door: events are kept and answered at once, never believed without the secret, and asked
for again while the database is away.
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

from sigma.channels.vk import groups
from sigma.domain.messaging.community import Delivery
from sigma.services.context import Context
from sigma.services.vk import community_client
from sigma.store.engine.interface import Database, Unreachable
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import notices
from sigma.web.app import create_app
from sigma_sandbox.app import Sandbox
from sigma_sandbox.server import bind, make_server
from tests.vk_world import SECRET, VkWorld, open_vk_world

KEPT = statement(select(func.count().label("n")).select_from(notices))


@pytest.fixture
async def vk_world(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[VkWorld]:
    """A shop whose community calls our address."""
    async with open_vk_world(sqlite_database_url, sandbox, delivery=Delivery.CALLBACK) as opened:
        yield opened


@asynccontextmanager
async def served(ctx: Context) -> AsyncIterator[str]:
    """The application on a real socket; gives its address."""
    with bind("127.0.0.1", 0) as sock:
        app: Any = create_app(ctx)
        server = make_server(app)
        running = asyncio.create_task(server.serve(sockets=[sock]))
        await server.ready.wait()
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        server.should_exit = True
        await running


@dataclass
class Door:
    """The hook's address and a way to knock."""

    world: VkWorld
    base_url: str
    http: httpx.AsyncClient
    event: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.base_url}/hooks/vk/{self.world.community_id}"

    async def knock(self, _url: str = "", **changed: Any) -> httpx.Response:
        """VK's event, with some fields other than they are; None takes one away."""
        body = {"secret": SECRET, **self.event, **changed}
        body = {name: value for name, value in body.items() if value is not None}
        return await self.http.post(_url or self.url, content=json.dumps(body).encode())

    async def kept(self) -> int:
        """How many events are kept."""
        async with self.world.ctx.db.read() as tx:
            row = await tx.fetch_one(KEPT)
        assert row is not None
        return int(row["n"])


@pytest.fixture
async def door(vk_world: VkWorld) -> AsyncIterator[Door]:
    """A client has written, and nobody has told it to Sigma yet."""
    async with served(vk_world.ctx) as base_url, httpx.AsyncClient(timeout=10) as http:
        await vk_world.client_writes("remove")
        (event,) = await vk_world.told()
        yield Door(vk_world, base_url, http, event)


async def test_an_event_is_kept_answered_and_then_acted_upon(door: Door) -> None:
    answer = await door.knock()
    assert (answer.status_code, answer.text) == (200, "ok")
    assert answer.headers["content-type"].startswith("text/plain")
    assert await door.kept() == 1
    await door.world.work()
    assert await door.world.texts() == ["remove"]


async def test_the_same_event_again_is_answered_and_changes_nothing(door: Door) -> None:
    for _ in range(3):
        assert (await door.knock()).text == "ok"
    assert await door.kept() == 1


async def test_vk_makes_sure_of_the_address(door: Door) -> None:
    door.event = {"type": "confirmation", "group_id": door.world.group_id}
    for secret in (SECRET, None):
        answer = await door.knock(secret=secret)
        assert (answer.status_code, answer.text) == (200, "c0de42")
    assert (await door.knock(group_id=door.world.group_id + 1)).status_code == 403
    assert (await door.knock(secret="guess")).status_code == 403
    assert await door.kept() == 0


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": "guess"},
        {"secret": ""},
        {"secret": None},
        {"secret": SECRET + "x"},
        {"secret": 7},
        {"group_id": 1},
    ],
)
async def test_a_forged_event_changes_nothing(door: Door, forged: dict[str, Any]) -> None:
    answer = await door.knock(**forged)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert await door.kept() == 0
    assert await door.world.work() == 0


async def test_nothing_is_taken_where_no_secret_was_agreed(door: Door) -> None:
    await door.world.change_community(hook_secret_sealed="")
    for secret in ("", None, SECRET):
        assert (await door.knock(secret=secret)).status_code == 403
    assert await door.kept() == 0


async def test_an_event_for_nobody_is_not_found(door: Door) -> None:
    for ours in ("con_0000000000000000000000", door.world.connection.id):
        answer = await door.knock(f"{door.base_url}/hooks/vk/{ours}")
        assert answer.status_code == 404, ours


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"type":1}'])
async def test_rubbish_is_a_bad_request(door: Door, body: bytes) -> None:
    answer = await door.http.post(door.url, content=body)
    assert answer.status_code == 400


async def test_no_answer_holds_a_word_of_what_was_brought(door: Door) -> None:
    """VK takes some answers as commands, so nobody's words come back to it."""
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
        answer = await door.knock(**changed)
        assert word not in answer.text
        assert word not in str(answer.headers)
        assert answer.text == "ok" or answer.status_code in (400, 403), changed
    for url in (f"{door.base_url}/hooks/vk/{word}", f"{door.url}?{word}=1", f"{door.url}/{word}"):
        assert word not in (await door.knock(url)).text


async def test_what_nobody_needs_is_answered_and_not_kept(door: Door) -> None:
    for kind in ("wall_post_new", "message_typing_state"):
        assert (await door.knock(type=kind)).text == "ok"
    chat = {"message": {**door.event["object"]["message"], "peer_id": 2_000_000_001}}
    assert (await door.knock(object=chat)).text == "ok"
    assert await door.kept() == 0


class Away:
    """A database that answers reads and keeps nothing."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self) -> Any:
        raise Unreachable("gone")


async def test_vk_is_asked_to_come_again_while_the_database_is_away(door: Door) -> None:
    gone = replace(door.world.ctx, db=Away(door.world.ctx.db))  # type: ignore[arg-type]
    async with served(gone) as base_url:
        answer = await door.knock(f"{base_url}/hooks/vk/{door.world.community_id}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert answer.text == ""
    assert (await door.knock()).text == "ok"
    assert await door.kept() == 1


async def test_vk_itself_calls_duplicates_and_repeats(vk_world: VkWorld) -> None:
    async with served(vk_world.ctx) as base_url:
        vk = (await community_client.line(vk_world.ctx, vk_world.community_id)).vk
        code = await groups.callback_code(vk, vk_world.group_id)
        await vk_world.change_community(confirmation=code)
        url = f"{base_url}/hooks/vk/{vk_world.community_id}"
        server_id = await groups.add_callback(vk, vk_world.group_id, url, "Sigma", SECRET)
        await groups.set_callback_events(vk, vk_world.group_id, server_id)
        await vk_world.vk_control(
            vk_events_duplicate={"value": 3}, vk_events_reorder_ms={"value": 100}
        )
        for n in range(5):
            await vk_world.client_writes(f"Вопрос {n}")
        for _ in range(100):
            await vk_world.work()
            async with vk_world.ctx.db.read() as tx:
                row = await tx.fetch_one(KEPT)
            if row and row["n"] == 5:
                break
            await asyncio.sleep(0.05)
        await vk_world.work()
        assert await vk_world.texts() == [f"Вопрос {n}" for n in range(5)]
        assert (await vk_world.conversation()).unread == 5
        await groups.delete_callback(vk, vk_world.group_id, server_id)
