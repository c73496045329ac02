"""Two shops in one database, objects of every kind, and signed-in members of any role."""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from sigma.domain.accounts.api_key import COMMAND_LINE
from sigma.domain.accounts.form_token import form_token
from sigma.domain.accounts.member import ALL_SCOPES, Member, Role, Scope, User
from sigma.domain.accounts.second_factor import Passkey
from sigma.domain.accounts.session import StoredSession
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Draft
from sigma.domain.catalogue.service import PriceKind, ServiceFields
from sigma.domain.change import Change
from sigma.domain.customers.customer import Customer, IdentityKind
from sigma.domain.customers.edits import CustomerForm
from sigma.domain.customers.joining import Contact
from sigma.domain.exports.export import FileFormat
from sigma.domain.exports.export import Kind as ExportKind
from sigma.domain.invoice_imports.batch import Batch
from sigma.domain.lists.filters import PaymentFilter
from sigma.domain.lists.saved_view import ListKind, SavedView
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Message, MessageBody, Status
from sigma.domain.messaging.vk_order import OrderContent, VkOrder
from sigma.domain.money import Money
from sigma.domain.reconciliation.difference import Difference, Kind, Side, State
from sigma.domain.reconciliation.run import Run
from sigma.domain.reconciliation.run import Status as RunStatus
from sigma.services.accounts import api_keys, invitations
from sigma.services.billing import invoices, refunds
from sigma.services.catalogue import price_list_import, services
from sigma.services.checkout import storefront
from sigma.services.connection_secrets import encrypt_secret
from sigma.services.context import Context
from sigma.services.conversations import message_codec, order_codec
from sigma.services.customers import attachment, edits
from sigma.services.customers import moves as customer_moves
from sigma.services.exports import exports
from sigma.services.exports.exports import ExportRequest
from sigma.services.invoice_cards import cards
from sigma.services.invoice_imports import imports
from sigma.services.invoice_imports.imports import Choices
from sigma.services.lists import saved_views
from sigma.store import changes
from sigma.store.accounts import members, sessions, users
from sigma.store.customers import customers, lists
from sigma.store.messaging import cards as card_rows
from sigma.web.cabinet.guards import SESSION_COOKIE
from tests import leaks
from tests.conversation_invoices import pay_invoice
from tests.photos import make_photo
from tests.vk_world import VkWorld
from tests.web.apps import web_app
from tests.web.cabinet_harness import BASE_URL
from tests.web.notification_rows import notification_rows
from tests.world import QUESTIONS

PRIVATE_TEXTS = ("Секретный маникюр", "Тайная Клиентка", "Шёпот на ухо", "Салон Шепот")
# Tables that reading pages may change: sign-ins and the last use of an API key.
IGNORED_TABLES = {
    *("users", "members", "sessions", "api_keys", "rate_counters", "write_probes"),
    # Views of answers and exports are recorded for the actor's own shop.
    *("audit_entries", "audit_chains"),
}


@dataclass
class Actor:
    """An HTTP client of the whole application: a signed-in browser or a program with an API key."""

    http: httpx.AsyncClient
    csrf: str
    user_id: str = ""

    async def refresh_csrf(self) -> None:
        """Open a page and remember the token of its forms: switching shops changes it."""
        page = await self.http.get("/settings")
        match = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert match, "no form on the page"
        self.csrf = match[1]

    async def request(self, method: str, path: str, **form: str) -> httpx.Response:
        """Send a request with the headers and the CSRF token of our own page."""
        if method == "GET":
            return await self.http.get(path)
        headers = {"origin": BASE_URL, "sec-fetch-site": "same-origin"}
        return await self.http.post(path, data={"csrf": self.csrf} | form, headers=headers)


@asynccontextmanager
async def signed_in_actor(ctx: Context, shop_id: str, role: Role) -> AsyncIterator[Actor]:
    """Create a member with this role in a shop and sign in."""
    secret, csrf, now_us = f"secret-{role}-{shop_id}", f"csrf-{role}", ctx.now_us()
    user = User(ctx.new_id("usr", shop_id), f"{role}@{shop_id}.example", "", "Зоя", "ru", now_us)
    row = StoredSession(
        hashlib.sha256(secret.encode()).hexdigest(), user.id, shop_id, csrf, now_us, now_us + 10**12
    )
    async with ctx.db.write() as tx:
        await users.save(tx, user)
        await members.add(tx, shop_id, user.id, role, now_us)
        await sessions.add(tx, row)
    async with _open_http_client(ctx, cookies={SESSION_COOKIE: secret}) as http:
        yield Actor(http, form_token(csrf, shop_id), user.id)


async def join_shop(ctx: Context, person: Actor, shop_id: str, role: Role) -> None:
    """Make a signed-in person a member of another shop too."""
    async with ctx.db.write() as tx:
        await members.add(tx, shop_id, person.user_id, role, ctx.now_us())


@asynccontextmanager
async def api_actor(
    ctx: Context, shop_id: str, scopes: tuple[Scope, ...] = ALL_SCOPES, actor: str = COMMAND_LINE
) -> AsyncIterator[Actor]:
    """Create an API key of a shop and yield a program that uses it; `actor`: its maker."""
    maker = Member(actor, shop_id, Role.OWNER)
    _, secret = await api_keys.create(ctx, maker, "Касса", scopes=scopes)
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    async with _open_http_client(
        ctx, headers=headers | {"idempotency-key": "key-00000001"}
    ) as http:
        yield Actor(http, "")


@asynccontextmanager
async def _open_http_client(ctx: Context, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    with web_app(ctx) as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, **more) as http:
            yield http


def _vk_order(vk: VkWorld, conversation: Conversation) -> VkOrder:
    order_id = vk.ctx.new_id("ord", vk.shop.id)
    return VkOrder(
        id=order_id,
        shop_id=vk.shop.id,
        connection_id=vk.community_id,
        conversation_id=conversation.id,
        vk_order_id=31,
        vk_user_id=vk.client_id,
        display_id="777-31",
        amount_minor=450_000,
        currency="RUB",
        body_encrypted=order_codec.encrypt_content(vk.ctx.cipher, order_id, OrderContent()),
        created_at_us=vk.ctx.now_us(),
    )


async def create_all_objects(vk: VkWorld) -> dict[str, str]:
    """Create one object of each kind in the world's shop; return path parameter → id."""
    ctx, member, now_us = vk.ctx, vk.member, vk.ctx.now_us()
    await vk.write_as_client(PRIVATE_TEXTS[2])
    await vk.poll_events()
    conversation = replace(
        await vk.conversation(), name=PRIVATE_TEXTS[1], unread_count=1, is_unanswered=True
    )
    failed = _message(ctx, conversation, PRIVATE_TEXTS[2])
    order = _vk_order(vk, conversation)
    await changes.commit(ctx.db, Change((conversation, failed, order)), now_us)
    photo_row = await services.add_photo(ctx, member, make_photo(600, 600))
    fields = ServiceFields(
        PRIVATE_TEXTS[0],
        price_kind=PriceKind.FIXED,
        amount=Money(150_000),
        photo_id=photo_row.id,
        is_visible=True,
    )
    service = await services.save(ctx, member, None, fields)
    await storefront.save_slug(ctx, member, "salon-shepot")
    draft = Draft(
        title=PRIVATE_TEXTS[0],
        amount=Money(150_000),
        conversation_id=conversation.id,
        questions=QUESTIONS,
    )
    paid = await cards.issue(ctx, member, draft)
    payment = await pay_invoice(vk, paid)
    await vk.run_jobs()
    refund = await refunds.request(ctx, member, payment.id, Money(100), "")
    unpaid = await cards.issue(ctx, member, draft)
    key, _ = await api_keys.create(ctx, member, PRIVATE_TEXTS[3])
    async with ctx.db.read() as tx:
        (card,) = await card_rows.list_for_invoice(tx, unpaid.id)
    # Without fees, which operators may not see: it needs the right to answers only.
    wanted = PaymentFilter(query="x")
    columns = ("amount", "answers")
    export = await exports.request(
        ctx, member, ExportRequest(ExportKind.PAYMENTS, FileFormat.CSV, wanted, columns)
    )
    await vk.run_jobs()
    passkey, session = await _add_colleague(vk)
    run, difference = _reconciliation(vk, payment.id)
    address, bot = notification_rows(vk)
    await changes.commit(ctx.db, Change((run, difference, address, bot)), now_us)
    return {
        "address_id": address.id,
        "export_id": export.id,
        "run_id": run.id,
        "difference_id": difference.id,
        "conversation_id": conversation.id,
        "message_id": failed.id,
        "order_id": order.id,
        "service_id": service.id,
        "photo_id": photo_row.id,
        "invoice_id": unpaid.id,
        "payment_id": payment.id,
        **await _create_customers(vk),
        "refund_id": refund.id,
        "card_id": card.id,
        "key_id": key.id,
        **await _create_team(vk),
        "passkey_id": passkey.id,
        "session_id": session.id,
        "community_id": vk.community_id,
        "connection_id": vk.connection.id,
        "view_id": (await _save_view(vk)).id,
        "batch_id": (await _start_import(vk)).id,  # last: its job has not run yet
    }


async def _start_import(vk: VkWorld) -> Batch:
    """Start an import of one invoice; its rows are stored until the job has run."""
    book = await price_list_import.read(f"За что;Сумма\n{PRIVATE_TEXTS[3]};100\n".encode())
    preview = await imports.preview(vk.ctx, vk.member, book, Choices({}))
    batch_id = vk.ctx.new_id("imp", vk.shop.id)
    return await imports.start(vk.ctx, vk.member, batch_id, "invoices.csv", preview)


async def _save_view(vk: VkWorld) -> SavedView:
    return await saved_views.save(
        vk.ctx,
        vk.member,
        ListKind.PAYMENTS,
        PRIVATE_TEXTS[3],
        PaymentFilter(status="failed"),
        is_shared=True,
    )


async def _create_customers(vk: VkWorld) -> dict[str, str]:
    """Create a merge of two customers and a suggestion; "subject_id" is the first customer."""
    ctx, shop_id = vk.ctx, vk.shop.id
    conversation = await vk.conversation()
    assert conversation.customer_id is not None
    phone = Contact(IdentityKind.PHONE, "+79160000002")
    async with ctx.db.write() as tx:
        for n in range(3):
            contacts = [Contact(IdentityKind.EMAIL, f"other{n}@example.net"), phone]
            await attachment.attach(ctx, tx, shop_id, contacts)
        (other,) = await customers.find_by_ids(tx, [conversation.customer_id])
        rows = await lists.list_latest(tx, shop_id)
    ids = [row.id for row in rows if row.id != other]
    form = CustomerForm(PRIVATE_TEXTS[1], PRIVATE_TEXTS[2], ())
    await edits.save(ctx, vk.member, conversation.customer_id, form)
    async with ctx.db.read() as tx:
        (suggestion, *_) = await lists.list_suggestions(tx, ids)
    move = await customer_moves.merge(ctx, vk.member, ids[0], conversation.customer_id)
    return {
        "customer_id": conversation.customer_id,
        "subject_id": conversation.customer_id,
        "suggestion_id": suggestion[0],
        "move_id": move.id,
    }


async def _create_team(vk: VkWorld) -> dict[str, str]:
    """Create a colleague and an open invitation, whose mail is sent."""
    ctx, shop_id, now_us = vk.ctx, vk.shop.id, vk.ctx.now_us()
    invitation, _, _ = await invitations.invite(ctx, vk.member, "private@shop.example", Role.VIEWER)
    await vk.run_jobs()
    user = User(ctx.new_id("usr", shop_id), "colleague@shop.example", "", "Клим", "ru", now_us)
    async with ctx.db.write() as tx:
        await users.save(tx, user)
        await members.add(tx, shop_id, user.id, Role.VIEWER, now_us)
    return {"invitation_id": invitation.id, "user_id": user.id}


async def _add_colleague(vk: VkWorld) -> tuple[Passkey, StoredSession]:
    """Create a member with a passkey and an open session."""
    ctx, now_us = vk.ctx, vk.ctx.now_us()
    user = User(ctx.new_id("usr", vk.shop.id), "zoya@example.org", "", "Зоя", "ru", now_us)
    passkey = Passkey(ctx.new_id("psk"), user.id, "credential-of-zoya", "", "Телефон", now_us)
    session = StoredSession(
        *("hash-of-zoya", user.id, vk.shop.id, "csrf-of-zoya", now_us, now_us + 10**12),
        id=ctx.new_id("ses"),
    )
    async with ctx.db.write() as tx:
        await users.save(tx, user)
        await members.add(tx, vk.shop.id, user.id, Role.VIEWER, now_us)
        await sessions.add(tx, session)
        await changes.write(tx, Change((passkey,)), now_us)
    return passkey, session


def _reconciliation(vk: VkWorld, payment_id: str) -> tuple[Run, Difference]:
    """Return a finished run with one open difference."""
    ctx, now_us = vk.ctx, vk.ctx.now_us()
    run = Run(ctx.new_id("rec", vk.shop.id), vk.shop.id, now_us - 1, now_us, now_us, "usr_z")
    run = replace(run, status=RunStatus.DIFFERS, payment_count=1, difference_count=1)
    difference = Difference(
        id=ctx.new_id("dif", vk.shop.id),
        shop_id=vk.shop.id,
        run_id=run.id,
        connection_id=vk.connection.id,
        kind=Kind.PAYMENT_FOREIGN,
        provider_id="private-bank-id",
        payment_id=payment_id,
        refund_id="",
        invoice_id="",
        ours=Side(),
        theirs=Side("captured", Money(150_000)),
        created_at_us=now_us,
        found_at_us=now_us,
        state=State.OPEN,
    )
    return run, difference


async def create_second_shop(vk: VkWorld) -> dict[str, str]:
    """Create another shop with a conversation, an invoice and a service; return name → id."""
    ctx, now_us = vk.ctx, vk.ctx.now_us()
    shop = Shop(id=ctx.new_id("shp"), name="Чужие", created_at_us=now_us)
    community = replace(
        Community(ctx.new_id("con", shop.id), shop.id, 987_654, "Чужие", "chuzhie", "", now_us),
        key_scopes=("messages",),
    )
    connection = Connection(
        id=community.id,
        shop_id=shop.id,
        provider="vk",
        title="Чужие",
        account="987654",
        secret_encrypted=encrypt_secret(
            ctx.cipher, community.id, "vk1.a.other-key-of-the-other-shop"
        ),
        created_at_us=now_us,
        settings={"api_url": f"{vk.sandbox.base_url}/vk", "site_url": "https://vk.com"},
    )
    conversation = Conversation(ctx.new_id("cnv", shop.id), shop.id, community.id, 4242, now_us)
    conversation = replace(
        conversation,
        preview_encrypted=message_codec.encrypt_preview(
            ctx.cipher, conversation.id, MessageBody("Привет")
        ),
    )
    await changes.commit(ctx.db, Change((shop,)), now_us)
    customer = Customer(ctx.new_id("cus", shop.id), shop.id, now_us, now_us)
    await changes.commit(ctx.db, Change((connection, community, conversation, customer)), now_us)
    member = Member("usr_y", shop.id, Role.OWNER)
    invoice = await invoices.create(ctx, member, Draft(title="Чужой", amount=Money(100)))
    service = await services.save(ctx, member, None, ServiceFields("Чужая услуга"))
    return {
        "shop_id": shop.id,
        "conversation_id": conversation.id,
        "customer_id": customer.id,
        "subject_id": customer.id,
        "invoice_id": invoice.id,
        "service_id": service.id,
        "community_id": community.id,
    }


def _message(ctx: Context, conversation: Conversation, text: str) -> Message:
    message_id = ctx.new_id("msg", conversation.shop_id)
    return Message(
        id=message_id,
        shop_id=conversation.shop_id,
        conversation_id=conversation.id,
        is_outgoing=True,
        author="usr_z",
        body_encrypted=message_codec.encrypt_body(ctx.cipher, message_id, MessageBody(text)),
        written_at_us=ctx.now_us(),
        position=conversation.last_position + 1,
        status=Status.FAILED,
        idempotency_key="operator:failed",
        random_id=77,
        failure="901",
    )


async def dump_protected_rows(ctx: Context) -> dict[str, str]:
    """Return the rows, by table as text, that only the shop's own members may change."""
    return {
        name: text
        for name, text in (await leaks.dump_tables(ctx.db)).items()
        if name not in IGNORED_TABLES
    }
