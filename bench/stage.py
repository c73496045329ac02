"""What is measured on: a shop, an acquirer that answers at once, and as many open payments as a
run needs.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sigma.channels.vk.client import Clients
from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Seller, SellerKind
from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.payment import Event, Method, Payment, Reply
from sigma.domain.billing.question import Kind, Question
from sigma.domain.money import Money
from sigma.providers.base import Access, Order
from sigma.providers.yookassa.adapter import YooKassa
from sigma.services.accounts import api_keys, shops, users
from sigma.services.billing import connections, invoices
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm
from sigma.services.context import Context, Ids, clock
from sigma.store.accounts import shops as shop_rows
from sigma.store.accounts import users as user_rows
from sigma.store.database import Database, open_database
from sigma.store.encryption import Sealer

SECRET = "bench-only-secret-of-more-than-32-characters"
DRAFT = Draft(
    title="Маникюр с покрытием",
    amount=Money(150_000),
    description="Запись на среду, 14:00",
    questions=(
        Question("email", Kind.EMAIL, required=True),
        Question("phone", Kind.PHONE),
        Question("wish", Kind.TEXT, "Пожелания"),
    ),
    return_url="https://vk.me/studio",
)


class Instant(YooKassa):
    """An acquirer without a network: every payment is captured when it is asked about."""

    async def start_payment(self, access: Access, order: Order) -> Reply:
        """Pending, with an id made of ours."""
        return Reply(f"bank-{order.payment_id}", Event.PENDING, order.amount, "http://bank/pay")

    async def fetch_payment(self, access: Access, provider_id: str) -> Reply:
        """Captured, with a card."""
        return Reply(
            provider_id,
            Event.CAPTURED,
            DRAFT.amount,
            method=Method("card", "220000******0004", "mir"),
            captured_at=clock(),
            income=Money(144_750),
        )


@dataclass(frozen=True)
class BenchSettings:
    """What services read of the settings."""

    base_url: str = "http://127.0.0.1:8000"
    mail_from: str = "sigma@example.com"
    session_days: int = 30
    vk_api_url: str = "http://vk"
    vk_site_url: str = "http://vk"


@dataclass
class Stage:
    """A shop on a database, with a key for programs."""

    ctx: Context
    member: Member
    api_key: str
    payer: int = 0

    async def invoice(self) -> Invoice:
        """An open invoice."""
        return await invoices.create(self.ctx, self.member, DRAFT)

    async def pending(self) -> Payment:
        """A payment whose client is at the bank."""
        self.payer += 1
        form = PayForm(
            given={"email": ["client@example.net"], "phone": ["8 916 765-43-21"]},
            consent=True,
            nonce="n",
            payer=str(self.payer),
            locale="ru",
            ip="203.0.113.7",
            user_agent="bench",
            page_url="http://127.0.0.1/",
        )
        return await checkout.start(self.ctx, (await self.invoice()).token, form)


@asynccontextmanager
async def stage(url: str, *, pool_size: int = 8) -> AsyncIterator[Stage]:
    """Opens a migrated database, with a shop made at the first opening."""
    db: Database = await open_database(url, pool_size=pool_size)
    no_mail: Any = lambda _: None  # noqa: E731
    instant = Instant(_no_client)
    ids = Ids(clock)
    ctx = Context(
        db, BenchSettings(), Sealer([SECRET]), ids, {"yookassa": instant}, no_mail, Clients()
    )
    try:
        member = await _known(ctx) or await _shop(ctx)
        _, secret = await api_keys.create(ctx, member, "bench")
        yield Stage(ctx, member, secret)
    finally:
        await db.close()


def _no_client(_: str | None) -> Any:
    raise AssertionError("nothing here goes to a network")


async def _known(ctx: Context) -> Member | None:
    async with ctx.db.read() as tx:
        shop = await shop_rows.first(tx)
        owner = await user_rows.owner(tx, shop.id) if shop else None
    return Member(owner.id, shop.id, Role.OWNER) if shop and owner else None


async def _shop(ctx: Context) -> Member:
    signed = await users.first_owner(
        ctx, login="owner@example.org", password=SECRET, name="", shop_name="Студия"
    )
    member = Member(signed.user.id, signed.shop.id, Role.OWNER)
    seller = Seller(
        kind=SellerKind.IP,
        full_name="ИП Проверкин Пётр Петрович",
        inn="500100732259",
        ogrn="325774600000039",
        phone="+7 916 123-45-67",
        refund_terms="Вернём деньги в течение 10 дней.",
    )
    await shops.save_seller(
        ctx,
        member,
        name="Студия",
        seller=seller,
        tz="Europe/Moscow",
        accent="",
        return_url="",
        consent_text="",
    )
    await connections.save(
        ctx,
        member,
        None,
        provider="yookassa",
        title="",
        account="1",
        secret="test_x",
        settings={},
    )
    return member
