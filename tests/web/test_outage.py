"""While the database does not answer: 503, nothing typed is lost, one line in the log."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import structlog

from sigma.services.accounts import api_keys, users
from sigma.services.conversations.change_feed import ChangeFeed
from sigma.services.platform import health, jobs, leases
from sigma.store.engine.interface import (
    BusyError,
    Database,
    NotWritableError,
    StoreError,
    UnreachableError,
)
from sigma.web.cabinet.inbox.stream import event_stream
from sigma.web.rendering import STATIC
from sigma.web.submitted_form import PROOF_PREFIX, SECRET_FIELDS
from tests.services.conversation_rows import add_conversation
from tests.vk_world import VkWorld
from tests.web.apps import web_app
from tests.web.cabinet_harness import open_browser
from tests.web.checkout_harness import ANSWERS, form_nonce
from tests.world import World

LOGIN = "owner@example.org"
FIELDS = re.compile(r'<textarea name="([^"]+)" hidden>\n(.*?)</textarea>', re.DOTALL)


class FailingDatabase:
    """A database whose reads and writes raise `error` while it is set; `write_error`: writes."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner
        self.error: StoreError | None = None
        self.write_error: StoreError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self) -> Any:
        if self.error:
            raise self.error
        return self._inner.read()

    def write(self) -> Any:
        if error := self.error or self.write_error:
            raise error
        return self._inner.write()

    async def commit(self, *args: Any) -> None:
        if error := self.error or self.write_error:
            raise error
        await self._inner.commit(*args)


@pytest.fixture
def database(world: World) -> FailingDatabase:
    return FailingDatabase(world.ctx.db)


@asynccontextmanager
async def open_site(world: World, database: FailingDatabase) -> AsyncIterator[httpx.AsyncClient]:
    ctx: Any = replace(world.ctx, db=database)
    with web_app(ctx) as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield http


@pytest.mark.parametrize("error", [UnreachableError("gone"), BusyError("locked")])
async def test_pages_reload_themselves_until_the_database_answers(
    world: World, database: FailingDatabase, error: StoreError
) -> None:
    invoice = await world.create_invoice()
    async with open_site(world, database) as http:
        database.error = error
        for path in (f"/i/{invoice.token}?payment=x&lang=ru", "/", "/sign-in", "/s/studio"):
            page = await http.get(path, headers={"accept-language": "ru"})
            assert (page.status_code, page.headers["retry-after"]) == (503, "5"), path
            assert '<meta http-equiv="refresh" content="5">' in page.text
            assert "Связь восстанавливается" in page.text
            assert page.headers["cache-control"] == "no-store"
            assert ("не платите ещё раз" in page.text) is path.startswith("/i/")
        database.error = None
        assert (await http.get(f"/i/{invoice.token}")).status_code == 200


async def test_language_link_of_the_outage_page_keeps_the_query(
    world: World, database: FailingDatabase
) -> None:
    invoice = await world.create_invoice()
    path = f"/i/{invoice.token}"
    async with open_site(world, database) as http:
        database.error = UnreachableError("gone")
        for query, expected in (
            ("payment=x&lang=ru&from=%D1%8F", "payment=x&amp;from=%D1%8F&amp;lang=en"),
            ("lang=ru", "lang=en"),
            ("", "lang=en"),
        ):
            page = await http.get(f"{path}?{query}", headers={"accept-language": "ru"})
            assert f'href="{path}?{expected}" lang="en"' in page.text


async def test_payment_form_is_sent_again_with_what_was_typed(
    world: World, database: FailingDatabase
) -> None:
    invoice = await world.create_invoice()
    async with open_site(world, database) as http:
        nonce = form_nonce((await http.get(f"/i/{invoice.token}")).text)
        form = {**ANSWERS, "consent": "yes", "nonce": nonce, "wish": '\n"кавычки" <b>\nи строки'}
        database.error = UnreachableError("gone")
        page = await http.post(f"/i/{invoice.token}", data=form)
        assert page.status_code == 503
        assert 'http-equiv="refresh"' not in page.text, "a form must not be sent by itself"
        fields = FIELDS.findall(page.text)
        assert {name: html.unescape(value) for name, value in fields} == form
        assert f'action="/i/{invoice.token}"' in page.text
        assert "href" not in page.text.partition("<main")[2], "no link that loses what was typed"
        database.error = None
        repeated = await http.post(f"/i/{invoice.token}", data=dict(fields))
        again = await http.post(f"/i/{invoice.token}", data=dict(fields))
    assert (repeated.status_code, again.status_code) == (303, 303)
    assert again.headers["location"] == repeated.headers["location"], "one payment, not two"


async def test_cabinet_form_is_offered_again_although_the_session_cannot_be_read(
    world: World, database: FailingDatabase
) -> None:
    ctx: Any = replace(world.ctx, db=database)
    async with open_browser(ctx) as browser:
        await browser.sign_in(LOGIN, world.password)
        database.error = UnreachableError("gone")
        page = await browser.submit("/invoices/new", title="Маникюр", amount="1500")
        assert page.status_code == 503
        assert "Маникюр" in page.text
        assert 'action="/invoices/new"' in page.text
        files = {"file": ("list.csv", b"x")}
        upload = await browser.http.post(
            "/services/import", data={"csrf": browser.csrf}, files=files
        )
        assert upload.status_code == 503
        assert "Вернитесь на предыдущую страницу" in upload.text or "Go back" in upload.text


async def test_typed_secret_is_not_written_into_the_page(
    world: World, database: FailingDatabase
) -> None:
    async with open_site(world, database) as http:
        database.error = UnreachableError("gone")
        form = {"login": LOGIN, "password": "correct horse battery", "next": "/"}
        page = await http.post("/sign-in", data=form, headers={"accept-language": "ru"})
    assert page.status_code == 503
    assert "correct horse" not in page.text
    assert "Вернитесь на предыдущую страницу" in page.text


def test_every_password_field_of_the_templates_is_a_secret_field() -> None:
    named = re.compile(r"""\w\(\s*"(\w+)"[^\n]*type="password\"""")
    templates = (STATIC.parent / "templates").rglob("*.html")
    found = {name for path in templates for name in named.findall(path.read_text())}
    assert found == SECRET_FIELDS | {f"{PROOF_PREFIX}password"}


async def test_program_gets_a_problem_document_with_retry_after(
    world: World, database: FailingDatabase
) -> None:
    _, key = await api_keys.create(world.ctx, world.member, "Касса")
    async with open_site(world, database) as http:
        database.error = UnreachableError("gone")
        response = await http.get("/api/v1/invoices", headers={"authorization": f"Bearer {key}"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["code"] == "unavailable"


async def test_log_has_one_line_for_an_outage_and_one_for_its_end(
    world: World, database: FailingDatabase
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with open_site(world, database) as http:
            for _ in range(2):
                database.error = UnreachableError("gone")
                for _ in range(20):
                    await http.get("/")
                database.error = None
                for _ in range(3):
                    await http.get("/sign-in")
    events = [entry["event"] for entry in logs if entry["event"].startswith("database.")]
    assert events == ["database.unreachable", "database.reachable"] * 2
    assert not [entry for entry in logs if "exc_info" in entry]


async def test_log_has_one_line_while_only_reading_works(
    world: World, database: FailingDatabase
) -> None:
    invoice = await world.create_invoice()
    with structlog.testing.capture_logs() as logs:
        async with open_site(world, database) as http:
            nonce = form_nonce((await http.get(f"/i/{invoice.token}")).text)
            form = {**ANSWERS, "consent": "yes", "nonce": nonce}
            database.write_error = NotWritableError("the disk is full")
            for _ in range(5):
                assert (await http.post(f"/i/{invoice.token}", data=form)).status_code == 503
                assert (await http.get("/sign-in")).status_code == 200
            database.write_error = None
            assert (await http.get("/sign-in")).status_code == 200
            assert (await http.post(f"/i/{invoice.token}", data=form)).status_code == 303
    events = [entry["event"] for entry in logs if entry["event"].startswith("database.")]
    assert events == ["database.unreachable", "database.reachable"]


async def test_worker_logs_one_line_while_only_reading_works(
    world: World, database: FailingDatabase
) -> None:
    ctx: Any = replace(world.ctx, db=database)
    with structlog.testing.capture_logs() as logs:
        database.write_error = NotWritableError("the disk is full")
        for _ in range(5):
            await jobs.next_due(ctx)
            with pytest.raises(NotWritableError) as caught:
                await leases.keep_alive(ctx)
            ctx.outage.report(caught.value)
        database.write_error = None
        await leases.keep_alive(ctx)
    events = [entry["event"] for entry in logs if entry["event"].startswith("database.")]
    assert events == ["database.unreachable", "database.reachable"]


async def test_readiness_tells_that_writing_is_impossible(
    world: World, database: FailingDatabase
) -> None:
    async with open_site(world, database) as http:
        database.write_error = NotWritableError("the disk is full")
        response = await http.get("/readyz")
        assert (response.status_code, response.json()["database"]) == (503, "not_writable")
        database.write_error = None
        world.clock.advance(seconds=6)
        response = await http.get("/readyz")
        assert (response.status_code, response.json()["database"]) == (200, "ok")


async def test_readiness_writes_at_most_once_in_five_seconds(world: World) -> None:
    before = world.ctx.db.commit_count
    for _ in range(20):
        await health.check_database(world.ctx)
    assert world.ctx.db.commit_count - before <= 1


async def test_home_page_says_that_nothing_can_be_saved(
    world: World, database: FailingDatabase
) -> None:
    ctx: Any = replace(world.ctx, db=database)
    async with open_browser(ctx) as browser:
        await browser.sign_in(LOGIN, world.password)
        assert "ничего не сохраняется" not in (await browser.open("/")).text
        database.write_error = NotWritableError("the disk is full")
        world.clock.advance(seconds=6)
        assert "ничего не сохраняется" in (await browser.open("/")).text


async def test_open_event_stream_ends_quietly(vk_world: VkWorld) -> None:
    """The session is read before each event, so that an outage meets an open stream there."""
    database = FailingDatabase(vk_world.ctx.db)
    ctx: Any = replace(vk_world.ctx, db=database)
    signed_in = await users.sign_in(ctx, LOGIN, vk_world.password, ip="192.0.2.1")
    session = await users.find_session(ctx, signed_in.secret)
    assert session is not None
    await add_conversation(vk_world, "Анна")
    events = event_stream(ctx, ChangeFeed(vk_world.ctx), session, signed_in.secret, 0)
    assert (await anext(events)).startswith(b"retry:")
    database.error = UnreachableError("gone")
    assert [event async for event in events] == []
