"""The server-sent event stream of the inbox: changes, resuming, limits, when it is closed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx

from sigma.domain.change import Change
from sigma.services.conversations.change_feed import MAX_STREAMS, notify_changed
from sigma.store import changes
from sigma.store.engine.statements import text_statement
from sigma.web.app import create_app
from sigma.web.cabinet.guards import SESSION_COOKIE
from tests.people import other_shop
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import BASE_URL, CabinetBrowser


class EventStream:
    """A streaming response of the application, read chunk by chunk."""

    def __init__(self, app: Any, path: str, query: str, headers: Sequence[tuple[str, str]]) -> None:
        self.headers: dict[str, str] = {}
        self.status = 0
        self._chunks: asyncio.Queue[str] = asyncio.Queue()
        self._disconnected = asyncio.Event()
        self._request_sent = False
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(n.encode(), v.encode()) for n, v in (("host", "127.0.0.1"), *headers)],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._request_sent:
            self._request_sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {n.decode(): v.decode() for n, v in message["headers"]}
            return
        if body := message.get("body", b"").decode():
            self._chunks.put_nowait(body)
        if not message.get("more_body"):
            self._disconnected.set()  # servers disconnect after the last chunk

    async def next_chunk(self) -> str:
        """Return the next chunk. Raises TimeoutError after 20 seconds."""
        return await asyncio.wait_for(self._chunks.get(), 20)

    async def disconnect(self) -> None:
        """Disconnect the client and wait for the application to finish."""
        self._disconnected.set()
        await asyncio.wait_for(self.task, 5)


async def test_stream_sends_changes_and_resumes_from_the_last_event_id(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    vk_world.clock.advance(seconds=30)
    await vk_world.write_as_client("Привет")
    await vk_world.poll_events()
    app = create_app(vk_world.ctx)
    cookie = ("cookie", f"{SESSION_COOKIE}={vk_owner_browser.http.cookies[SESSION_COOKIE]}")
    since = vk_world.ctx.now_us() + 10_000_000
    stream = EventStream(app, "/inbox/live", f"since={since}", [cookie])
    assert (await stream.next_chunk()).startswith("retry: ")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["x-accel-buffering"] == "no"
    assert "no-store" in stream.headers["cache-control"]
    await vk_world.write_as_client("секрет")
    vk_world.clock.advance(seconds=20)
    await vk_world.poll_events()
    event = await stream.next_chunk()
    assert f'"ids":["{(await vk_world.conversation()).id}"]' in event
    assert '"unread":"1"' in event
    assert "секрет" not in event
    await stream.disconnect()
    resumed = EventStream(
        app, "/inbox/live", "", [cookie, ("last-event-id", str(since - 10_000_000))]
    )
    await resumed.next_chunk()
    assert "event: changed" in await resumed.next_chunk(), (
        "changes after Last-Event-ID are sent again"
    )
    await resumed.disconnect()


async def test_stream_ends_with_the_session_and_with_the_server(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    await vk_world.write_as_client("Привет")
    await vk_world.poll_events()
    app = create_app(vk_world.ctx)
    cookie = ("cookie", f"{SESSION_COOKIE}={vk_owner_browser.http.cookies[SESSION_COOKIE]}")
    stream = EventStream(app, "/inbox/live", "since=9999999999999999", [cookie])
    other = EventStream(app, "/inbox/live", "since=9999999999999999", [cookie])
    await stream.next_chunk()
    await other.next_chunk()
    app.drain()
    await asyncio.wait_for(asyncio.gather(stream.task, other.task), 5)
    second_app = create_app(vk_world.ctx)
    stream = EventStream(second_app, "/inbox/live", "", [cookie])
    await stream.next_chunk()
    await vk_owner_browser.submit("/sign-out")
    conversation = await vk_world.conversation()
    await changes.commit(
        vk_world.ctx.db,
        Change((replace(conversation, changed_at_us=vk_world.ctx.now_us() + 1),)),
        vk_world.ctx.now_us(),
    )
    await notify_changed(vk_world.ctx)
    while "event: session_ended" not in (chunk := await stream.next_chunk()):
        assert "event: changed" in chunk, "earlier changes may be sent again"
    await asyncio.wait_for(stream.task, 5)
    after_sign_out = EventStream(second_app, "/inbox/live", "", [cookie])
    await asyncio.wait_for(after_sign_out.task, 5)
    assert after_sign_out.status == 303


async def test_streams_of_one_session_are_limited(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    app = create_app(vk_world.ctx)
    cookie = ("cookie", f"{SESSION_COOKIE}={vk_owner_browser.http.cookies[SESSION_COOKIE]}")
    streams = [EventStream(app, "/inbox/live", "", [cookie]) for _ in range(MAX_STREAMS)]
    for stream in streams:
        assert (await stream.next_chunk()).startswith("retry: ")
    excess = EventStream(app, "/inbox/live", "", [cookie])
    await asyncio.wait_for(excess.task, 5)
    assert excess.status == 429
    await streams.pop().disconnect()
    replacement = EventStream(app, "/inbox/live", "", [cookie])
    assert (await replacement.next_chunk()).startswith("retry: "), "a closed page frees its place"
    for stream in (*streams, replacement):
        await stream.disconnect()


async def test_stream_ends_when_the_role_loses_access_to_the_inbox(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    await vk_world.write_as_client("Привет")
    await vk_world.poll_events()
    app = create_app(vk_world.ctx)
    cookie = ("cookie", f"{SESSION_COOKIE}={vk_owner_browser.http.cookies[SESSION_COOKIE]}")
    stream = EventStream(app, "/inbox/live", "since=9999999999999999", [cookie])
    await stream.next_chunk()
    async with vk_world.ctx.db.write() as tx:
        await tx.execute(text_statement("UPDATE members SET role = 'viewer'"))
    await vk_world.write_as_client("тайна")
    vk_world.clock.advance(seconds=10)
    await vk_world.poll_events()
    while "event: session_ended" not in (chunk := await stream.next_chunk()):
        assert "heartbeat" in chunk or "changed" in chunk
    await asyncio.wait_for(stream.task, 5)
    refused = EventStream(app, "/inbox/live", "", [cookie])
    await asyncio.wait_for(refused.task, 5)
    assert refused.status == 403


async def test_head_of_the_stream_ends_at_once(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(vk_world.ctx)),
        base_url=BASE_URL,
        cookies={SESSION_COOKIE: vk_owner_browser.http.cookies[SESSION_COOKIE]},
    ) as http:
        response = await http.head("/inbox/live")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.content == b""


async def test_stream_ends_when_the_session_switches_to_another_shop(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    """An open tab must not show the events of the other shop as those of its own."""
    shop_id = await other_shop(vk_world)
    await vk_world.write_as_client("Привет")
    await vk_world.poll_events()
    app = create_app(vk_world.ctx)
    cookie = ("cookie", f"{SESSION_COOKIE}={vk_owner_browser.http.cookies[SESSION_COOKIE]}")
    stream = EventStream(app, "/inbox/live", "since=9999999999999999", [cookie])
    await stream.next_chunk()
    await vk_owner_browser.open("/shops")
    switched = await vk_owner_browser.submit("/shops/switch", shop=shop_id)
    assert switched.status_code == 303
    await vk_world.write_as_client("Ещё")
    vk_world.clock.advance(seconds=10)
    await vk_world.poll_events()
    while "event: session_ended" not in await stream.next_chunk():
        pass  # what was sent before the switch
    await asyncio.wait_for(stream.task, 5)
