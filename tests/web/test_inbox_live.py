"""What open pages of the dialogs hear over one long answer, and when it ends."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sigma.domain.change import Change
from sigma.services.conversations.change_feed import PAGES, told
from sigma.store import changes
from sigma.store.engine.statements import text_statement
from sigma.web.app import create_app
from sigma.web.cabinet.guards import COOKIE
from tests.vk_world import VkWorld
from tests.web.cabinet_stage import Browser


class Line:
    """One long answer of the application, read as it comes."""

    def __init__(self, app: Any, path: str, query: str, headers: Sequence[tuple[str, str]]) -> None:
        self.started: dict[str, str] = {}
        self.status = 0
        self._came: asyncio.Queue[str] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._asked = False
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
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.started = {n.decode(): v.decode() for n, v in message["headers"]}
            return
        if body := message.get("body", b"").decode():
            self._came.put_nowait(body)
        if not message.get("more_body"):
            self._gone.set()  # as servers do

    async def next(self) -> str:
        """The next piece."""
        return await asyncio.wait_for(self._came.get(), 20)

    async def leave(self) -> None:
        """The browser goes away."""
        self._gone.set()
        await asyncio.wait_for(self.task, 5)


async def test_open_pages_hear_of_changes_and_resume_where_they_stopped(
    answerer: Browser, vk: VkWorld
) -> None:
    vk.clock.move(seconds=30)
    await vk.client_writes("Привет")
    await vk.hear()
    app = create_app(vk.ctx)
    cookie = ("cookie", f"{COOKIE}={answerer.http.cookies[COOKIE]}")
    since = vk.ctx.now() + 10_000_000
    line = Line(app, "/inbox/live", f"since={since}", [cookie])
    assert (await line.next()).startswith("retry: ")
    assert line.started["content-type"].startswith("text/event-stream")
    assert line.started["x-accel-buffering"] == "no"
    assert "no-store" in line.started["cache-control"]
    await vk.client_writes("секрет")
    vk.clock.move(seconds=20)
    await vk.hear()
    event = await line.next()
    assert f'"ids":["{(await vk.conversation()).id}"]' in event
    assert '"unread":"1"' in event
    assert "секрет" not in event
    await line.leave()
    again = Line(app, "/inbox/live", "", [cookie, ("last-event-id", str(since - 10_000_000))])
    await again.next()
    assert "event: changed" in await again.next(), "told once more after an older number"
    await again.leave()


async def test_the_long_answer_ends_with_the_session_and_with_the_server(
    answerer: Browser, vk: VkWorld
) -> None:
    await vk.client_writes("Привет")
    await vk.hear()
    app = create_app(vk.ctx)
    cookie = ("cookie", f"{COOKIE}={answerer.http.cookies[COOKIE]}")
    line = Line(app, "/inbox/live", "since=9999999999999999", [cookie])
    other = Line(app, "/inbox/live", "since=9999999999999999", [cookie])
    await line.next()
    await other.next()
    app.close()
    await asyncio.wait_for(asyncio.gather(line.task, other.task), 5)
    fresh = create_app(vk.ctx)
    line = Line(fresh, "/inbox/live", "", [cookie])
    await line.next()
    await answerer.send("/sign-out")
    talk = await vk.conversation()
    await changes.commit(
        vk.ctx.db, Change((replace(talk, changed_at=vk.ctx.now() + 1),)), vk.ctx.now()
    )
    await told(vk.ctx)
    while "event: bye" not in (piece := await line.next()):
        assert "event: changed" in piece, "what changed a moment before may be told again"
    await asyncio.wait_for(line.task, 5)
    door = Line(fresh, "/inbox/live", "", [cookie])
    await asyncio.wait_for(door.task, 5)
    assert door.status == 303


async def test_one_session_listens_with_so_many_pages_and_no_more(
    answerer: Browser, vk: VkWorld
) -> None:
    app = create_app(vk.ctx)
    cookie = ("cookie", f"{COOKIE}={answerer.http.cookies[COOKIE]}")
    lines = [Line(app, "/inbox/live", "", [cookie]) for _ in range(PAGES)]
    for line in lines:
        assert (await line.next()).startswith("retry: ")
    over = Line(app, "/inbox/live", "", [cookie])
    await asyncio.wait_for(over.task, 5)
    assert over.status == 429
    await lines.pop().leave()
    again = Line(app, "/inbox/live", "", [cookie])
    assert (await again.next()).startswith("retry: "), "a page that was closed makes room"
    for line in (*lines, again):
        await line.leave()


async def test_the_long_answer_ends_when_the_person_may_read_no_dialogs_any_more(
    answerer: Browser, vk: VkWorld
) -> None:
    await vk.client_writes("Привет")
    await vk.hear()
    app = create_app(vk.ctx)
    cookie = ("cookie", f"{COOKIE}={answerer.http.cookies[COOKIE]}")
    line = Line(app, "/inbox/live", "since=9999999999999999", [cookie])
    await line.next()
    async with vk.ctx.db.write() as tx:
        await tx.execute(text_statement("UPDATE members SET role = 'viewer'"))
    await vk.client_writes("тайна")
    vk.clock.move(seconds=10)
    await vk.hear()
    while "event: bye" not in (piece := await line.next()):
        assert "beat" in piece or "changed" in piece
    await asyncio.wait_for(line.task, 5)
    refused = Line(app, "/inbox/live", "", [cookie])
    await asyncio.wait_for(refused.task, 5)
    assert refused.status == 403
