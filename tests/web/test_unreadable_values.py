"""Values that cannot be decrypted: a sentence on every page and in every answer, never a 5xx."""

from collections.abc import Iterable

import httpx
import pytest
from sqlalchemy import bindparam, update

from sigma import worker
from sigma.domain.accounts.member import Role
from sigma.services.accounts import shops
from sigma.services.billing import mails
from sigma.services.conversations import outbox
from sigma.services.platform import jobs
from sigma.store.billing import mails as mail_rows
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher
from sigma.store.engine.statements import statement
from tests.encrypted_rows import NEW, OLD, create_every_kind, dump_encrypted, with_secrets
from tests.services.test_storefront import add_sold_service
from tests.vk_world import VkWorld
from tests.web.apps import web_app
from tests.web.cabinet_harness import BASE_URL
from tests.web.checkout_harness import open_client
from tests.web.routes import API_ROUTES, ENDING_ROUTES, REQUIRED_PERMISSIONS, request_route
from tests.web.test_security_headers import with_values
from tests.web.two_shops import Actor, api_actor, signed_in_actor

# Streams do not end by themselves; signing out ends the walk.
SKIPPED_ROUTES = {
    "GET /inbox/live",
    "GET /payments/live",
    "GET /invoices/live",
    *ENDING_ROUTES,
}
SETTING = "SIGMA_SECRET_KEY"


async def corrupt(vk_world: VkWorld, columns: Iterable[EncryptedColumn]) -> None:
    """Replace the ciphertexts of these columns by those of a secret that is lost."""
    lost = Cipher(["a secret that nobody has any more....."])
    cells = await dump_encrypted(vk_world.ctx)
    async with vk_world.ctx.db.write() as tx:
        for column in columns:
            change = statement(
                update(column.table)
                .where(column.table.c.id == bindparam("key_id"))
                .values({column.column: bindparam("ciphertext")})
            )
            for cell_column, row_id in cells:
                if cell_column == column:
                    value = lost.encrypt("x", column, row_id)
                    await tx.execute(change, key_id=row_id, ciphertext=value)


def client_paths(ids: dict[str, str]) -> list[str]:
    """Return the public pages of the paid invoice and of the shop."""
    token, payment = ids["token"], ids["payment_token"]
    return [
        f"/i/{token}",
        f"/i/{token}?payment={payment}",
        f"/i/{token}/wait/{payment}",
        f"/i/{token}/wait/{payment}/state",
        f"/r/{payment}",
        f"/r/{payment}.pdf",
    ]


async def walk(vk_world: VkWorld, ids: dict[str, str]) -> dict[str, str]:
    """Request every route, the reading ones first; return route → text of its answer."""
    texts = {}
    cabinet = {*REQUIRED_PERMISSIONS, *(f"GET {path}" for path in client_paths(ids))}
    async with (
        signed_in_actor(vk_world.ctx, vk_world.shop.id, Role.OWNER) as owner,
        api_actor(vk_world.ctx, vk_world.shop.id) as program,
    ):
        for method in ("GET", "POST"):
            for actor, routes in ((owner, cabinet - SKIPPED_ROUTES), (program, API_ROUTES)):
                for route in sorted(routes):
                    if route.startswith(method):
                        texts[route] = await checked(actor, route, ids)
    return texts


async def checked(actor: Actor, route: str, ids: dict[str, str]) -> str:
    """Request a route as its page does; return the text, which must be no server error."""
    response = await request_route(actor, route, with_values(route, ids))
    assert response.status_code < 500, f"{route}: {response.status_code}"
    return response.text if "pdf" not in response.headers.get("content-type", "") else ""


async def create_answered(vk_world: VkWorld) -> dict[str, str]:
    """Create a row of every kind; the payment of the routes has answers."""
    ids = await create_every_kind(vk_world)
    return ids | {"payment_id": ids["answered_id"]}


async def test_no_route_fails_when_the_secret_was_exchanged(vk_world: VkWorld) -> None:
    """The old secret is gone from the settings: no value of the database can be read."""
    ids = await create_answered(vk_world)
    vk_world.ctx = await with_secrets(vk_world.ctx, NEW)
    texts = await walk(vk_world, ids)
    for route in (
        "GET /payments/{payment_id}",
        "GET /inbox",
        "GET /inbox/{conversation_id}",
        "GET /invoices/{invoice_id}",
        "GET /settings/connections/{connection_id}",
        "GET /api/v1/invoices/{invoice_id}",
        "POST /settings/connections/{connection_id}/check",
    ):
        assert SETTING in texts[route], route
    check = texts["POST /settings/connections/{connection_id}/check"]
    assert "<h1>Нельзя прочитать данные</h1>" in check
    assert "Не указано" not in texts["GET /payments/{payment_id}"], "the client has answered"
    assert '"answers_unreadable":true' in texts["GET /api/v1/payments/{payment_id}"]
    await worker.run_due_jobs(vk_world.ctx)


@pytest.mark.parametrize("column", EncryptedColumn)
async def test_no_route_fails_when_one_column_cannot_be_read(
    vk_world: VkWorld, column: EncryptedColumn
) -> None:
    ids = await create_answered(vk_world)
    await corrupt(vk_world, [column])
    vk_world.ctx = await with_secrets(vk_world.ctx, OLD)
    await walk(vk_world, ids)
    await worker.run_due_jobs(vk_world.ctx)


async def test_mails_and_messages_wait_until_the_key_is_back(vk_world: VkWorld) -> None:
    ids = await create_answered(vk_world)
    readable = vk_world.ctx
    # The mail server of the installation, which is the sandbox's.
    await shops.save_mail(readable, vk_world.member, from_name="", reply_to="", smtp_url="")
    await worker.run_due_jobs(readable)
    sent_before = await vk_world.vk_texts()
    mail = await mails.resend(readable, vk_world.member, ids["answered_id"])
    await outbox.post(
        readable, vk_world.member, ids["conversation_id"], "Ждём вас", idempotency_key="k1"
    )
    lost = await with_secrets(readable, NEW)
    for _ in range(jobs.MAX_ATTEMPTS + 1):  # other jobs are dead after so many
        await worker.run_due_jobs(lost)
        vk_world.clock.advance(minutes=16)
    assert await vk_world.vk_texts() == sent_before
    assert (await jobs.list_dead(lost, vk_world.member)).data == [], (
        "they wait, and have not failed"
    )

    vk_world.clock.advance(hours=1)
    await worker.run_due_jobs(await with_secrets(readable, NEW, OLD))
    assert "Ждём вас" in await vk_world.vk_texts()
    async with readable.db.read() as tx:
        stored = await mail_rows.get(tx, mail.id)
    assert stored is not None
    assert stored.status == "sent"


async def test_client_reads_that_payment_does_not_work_now(vk_world: VkWorld) -> None:
    await create_answered(vk_world)
    invoice = await vk_world.create_invoice(questions=())
    lost = await with_secrets(vk_world.ctx, NEW)
    with web_app(lost) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            first = await http.get(f"/i/{invoice.token}")
            answer = await http.post(f"/i/{invoice.token}", data={"nonce": "n"})
            english = await http.get(f"/i/{invoice.token}?lang=en")
    assert answer.status_code == 409
    for page in (first.text, answer.text):
        assert SETTING not in page
        assert "Оплата временно не работает" in page
        assert "не подключил" not in page
    assert "Payments aren’t working right now" in english.text


async def test_home_page_and_forms_warn_of_the_unreadable_key_of_the_acquirer(
    vk_world: VkWorld,
) -> None:
    warning = "Клиенты не могут платить: ключ эквайера не расшифровать"
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, Role.OWNER) as owner:
        assert warning not in (await owner.http.get("/")).text
        await corrupt(vk_world, [EncryptedColumn.CONNECTION_SECRET])
        home = (await owner.http.get("/")).text
        assert warning in home
        assert SETTING in home
        assert "/settings/connections" in home
        form = (await owner.http.get("/invoices/new")).text
        assert "Не удалось расшифровать ключ эквайера" in form
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, Role.OPERATOR) as operator:
        home = (await operator.http.get("/")).text
        assert warning in home
        assert SETTING not in home


async def test_public_page_says_that_payment_does_not_work_now(vk_world: VkWorld) -> None:
    service = await add_sold_service(vk_world)
    await corrupt(vk_world, [EncryptedColumn.CONNECTION_SECRET])
    async with open_client(vk_world) as client:
        answer = await client.post(f"/s/lak/{service.id}", data={"nonce": "n"})
    assert answer.status_code == 409
    assert "в настройках продавца сбой" in answer.text
    assert "не подключил" not in answer.text


async def test_callback_of_vk_is_asked_to_come_again(vk_world: VkWorld) -> None:
    """Its secret cannot be compared, so the event is neither accepted nor called forged."""
    await create_answered(vk_world)
    lost = await with_secrets(vk_world.ctx, NEW)
    event = {"type": "message_new", "group_id": vk_world.group_id, "secret": "x", "event_id": "e"}
    with web_app(lost) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            answer = await http.post(f"/hooks/vk/{vk_world.community_id}", json=event)
    assert answer.status_code == 409
    assert answer.text != "ok"
