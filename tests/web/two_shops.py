"""Two shops of one database with one of everything each, and people of any role in them."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Draft
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.change import Change
from sigma.domain.messaging.card import Order
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Body, Message, Status
from sigma.domain.money import Money
from sigma.services.accounts import api_keys
from sigma.services.billing import invoices, refunds
from sigma.services.catalogue import services
from sigma.services.catalogue.services import Offer
from sigma.services.checkout import storefront
from sigma.services.context import Context
from sigma.services.conversations import message_codec
from sigma.services.invoice_cards import cards
from sigma.store import changes
from sigma.store.accounts import users
from sigma.store.accounts.users import SessionRow
from sigma.store.messaging import cards as card_rows
from sigma.web.app import create_app
from sigma.web.cabinet.guards import COOKIE
from tests import leaks
from tests.dialog_money import pays
from tests.photos import photo
from tests.vk_world import VkWorld
from tests.web.cabinet_stage import BASE

SECRETS = ("Секретный маникюр", "Тайная Клиентка", "Шёпот на ухо", "Салон Шепот")
# What looking around may write: who is signed in, and that a key was used.
QUIET = {"users", "members", "sessions", "api_keys"}


@dataclass
class Person:
    """Somebody's browser, or a program with a key, at the whole application."""

    http: httpx.AsyncClient
    csrf: str

    async def asks(self, method: str, path: str, **form: str) -> httpx.Response:
        """A request as our own page sends it."""
        if method == "GET":
            return await self.http.get(path)
        own = {"origin": BASE, "sec-fetch-site": "same-origin"}
        return await self.http.post(path, data={"csrf": self.csrf} | form, headers=own)


@asynccontextmanager
async def person_of(ctx: Context, shop_id: str, role: Role) -> AsyncIterator[Person]:
    """Somebody of this role in a shop, signed in."""
    secret, csrf, now = f"secret-{role}-{shop_id}", f"csrf-{role}", ctx.now()
    user = User(ctx.new_id("usr", shop_id), f"{role}@{shop_id}.example", "", "Зоя", "ru", now)
    row = SessionRow(
        hashlib.sha256(secret.encode()).hexdigest(), user.id, shop_id, csrf, now, now + 10**12
    )
    async with ctx.db.write() as tx:
        await users.save(tx, user)
        await users.add_member(tx, shop_id, user.id, role, now)
        await users.add_session(tx, row)
    async with _at_the_door(ctx, cookies={COOKIE: secret}) as http:
        yield Person(http, csrf)


@asynccontextmanager
async def program_of(ctx: Context, shop_id: str) -> AsyncIterator[Person]:
    """A program with a key of a shop."""
    _, secret = await api_keys.create(ctx, Member("usr_x", shop_id, Role.OWNER), "Касса")
    sent = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    async with _at_the_door(ctx, headers=sent | {"idempotency-key": "key-00000001"}) as http:
        yield Person(http, "")


def _at_the_door(ctx: Context, **more: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(ctx), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=BASE, **more)


async def everything(vk: VkWorld) -> dict[str, str]:
    """One of each thing in the world's shop: the parameter that names it in addresses → its id."""
    ctx, member, now = vk.ctx, vk.member, vk.ctx.now()
    await vk.client_writes(SECRETS[2])
    await vk.hear()
    dialog = replace(await vk.conversation(), name=SECRETS[1], unread=1, unanswered=True)
    failed = _message(ctx, dialog, SECRETS[2])
    order = Order(
        id=ctx.new_id("ord", vk.shop.id),
        shop_id=vk.shop.id,
        connection_id=vk.community_id,
        conversation_id=dialog.id,
        vk_order_id=31,
        vk_user_id=vk.person,
        display_id="777-31",
        amount=Money(450_000),
        body_sealed=ctx.sealer.seal({"items": [], "comment": ""}),
        created_at=now,
    )
    await changes.commit(ctx.db, Change((dialog, failed, order)), now)
    picture = await services.add_photo(ctx, member, photo(600, 600))
    offer = Offer(
        SECRETS[0], price=PriceKind.FIXED, amount=Money(150_000), photo_id=picture.id, visible=True
    )
    service = await services.save(ctx, member, None, offer)
    await storefront.save_slug(ctx, member, "salon-shepot")
    draft = Draft(title=SECRETS[0], amount=Money(150_000), conversation_id=dialog.id)
    paid = await cards.issue(ctx, member, draft)
    payment = await pays(vk, paid)
    await vk.work()
    refund = await refunds.request(ctx, member, payment.id, Money(100), "")
    waits = await cards.issue(ctx, member, draft)
    key, _ = await api_keys.create(ctx, member, SECRETS[3])
    async with ctx.db.read() as tx:
        (card,) = await card_rows.of_invoice(tx, waits.id)
    return {
        "conversation_id": dialog.id,
        "dialog_id": dialog.id,
        "message_id": failed.id,
        "order_id": order.id,
        "service_id": service.id,
        "photo_id": picture.id,
        "invoice_id": waits.id,
        "payment_id": payment.id,
        "refund_id": refund.id,
        "card_id": card.id,
        "key_id": key.id,
        "community_id": vk.community_id,
        "connection_id": vk.connection.id,
    }


async def second_shop(vk: VkWorld) -> dict[str, str]:
    """Another shop of the same database with a dialog, an invoice and a service of its own."""
    ctx, now = vk.ctx, vk.ctx.now()
    shop = Shop(id=ctx.new_id("shp"), name="Чужие", created_at=now)
    community = replace(
        Community(ctx.new_id("con", shop.id), shop.id, 987_654, "Чужие", "chuzhie", "", now),
        rights=("messages",),
    )
    connection = Connection(
        id=community.id,
        shop_id=shop.id,
        provider="vk",
        title="Чужие",
        account="987654",
        secret_sealed=ctx.sealer.seal("vk1.a.other-key-of-the-other-shop"),
        created_at=now,
        settings={"api_url": f"{vk.sandbox.base_url}/vk", "site_url": "https://vk.com"},
    )
    dialog = Conversation(ctx.new_id("dlg", shop.id), shop.id, community.id, 4242, now)
    dialog = replace(dialog, preview_sealed=message_codec.seal_preview(ctx.sealer, Body("Привет")))
    await changes.commit(ctx.db, Change((shop,)), now)
    await changes.commit(ctx.db, Change((connection, community, dialog)), now)
    member = Member("usr_y", shop.id, Role.OWNER)
    invoice = await invoices.create(ctx, member, Draft(title="Чужой", amount=Money(100)))
    service = await services.save(ctx, member, None, Offer("Чужая услуга"))
    return {
        "shop_id": shop.id,
        "conversation_id": dialog.id,
        "dialog_id": dialog.id,
        "invoice_id": invoice.id,
        "service_id": service.id,
        "community_id": community.id,
    }


def _message(ctx: Context, dialog: Conversation, text: str) -> Message:
    return Message(
        id=ctx.new_id("msg", dialog.shop_id),
        shop_id=dialog.shop_id,
        conversation_id=dialog.id,
        out=True,
        author="usr_z",
        body_sealed=message_codec.seal(ctx.sealer, Body(text)),
        at=ctx.now(),
        place=dialog.last_place + 1,
        status=Status.FAILED,
        key="post:failed",
        random_id=77,
        failure="901",
    )


async def kept(ctx: Context) -> dict[str, str]:
    """Everything that nobody but the shop itself may change."""
    return {name: text for name, text in (await leaks.dump(ctx.db)).items() if name not in QUIET}
