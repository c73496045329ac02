"""The benchmark's shop, with an acquirer that replies without a network, and its payments."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sigma.channels.vk.client import VkClients
from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Seller, SellerKind
from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.payment import Event, Payment, PaymentMethod, PaymentReply
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.money import Money
from sigma.outbound.guard import Outbound
from sigma.outbound.http import open_client
from sigma.providers.base import ConnectionAccess, PaymentRequest
from sigma.providers.yookassa.adapter import YooKassa
from sigma.services.accounts import api_keys, first_owner, shops
from sigma.services.billing import connections, invoices
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm
from sigma.services.clock import clock
from sigma.services.context import Context
from sigma.services.ids import IdGenerator
from sigma.store.accounts import members
from sigma.store.accounts import shops as shop_rows
from sigma.store.database import open_database
from sigma.store.encryption import Cipher
from sigma.store.engine.interface import Database

SECRET = "bench-only-secret-of-more-than-32-characters"
DRAFT = Draft(
    title="Маникюр с покрытием",
    amount=Money(150_000),
    description="Запись на среду, 14:00",
    questions=(
        Question("email", QuestionKind.EMAIL, required=True),
        Question("phone", QuestionKind.PHONE),
        Question("wish", QuestionKind.TEXT, "Пожелания"),
    ),
    return_url="https://vk.me/studio",
)


class InstantAcquirer(YooKassa):
    """An acquirer without a network: a payment is captured at the first `fetch_payment`."""

    async def start_payment(self, access: ConnectionAccess, order: PaymentRequest) -> PaymentReply:
        """Return a pending payment; its id at the acquirer is made from Sigma's payment id."""
        return PaymentReply(
            f"bank-{order.payment_id}", Event.PENDING, order.amount, "http://bank/pay"
        )

    async def fetch_payment(self, access: ConnectionAccess, provider_id: str) -> PaymentReply:
        """Return a capture by card of the full amount."""
        return PaymentReply(
            provider_id,
            Event.CAPTURED,
            DRAFT.amount,
            method=PaymentMethod("card", "220000******0004", "mir"),
            captured_at_us=clock(),
            income=Money(144_750),
        )


@dataclass(frozen=True)
class BenchSettings:
    """The settings that services read."""

    base_url: str = "http://127.0.0.1:8000"
    mail_from: str = "sigma@example.com"
    locale: str = "ru"
    session_days: int = 30
    session_idle_hours: int = 72
    api_requests_per_minute: int = 1_000_000_000
    manual_mails_per_day: int = 200
    vk_api_url: str = "http://vk"
    vk_site_url: str = "http://vk"
    is_second_factor_required: bool = False


@dataclass
class Harness:
    """A shop in a database, its owner and an API key."""

    ctx: Context
    member: Member
    api_key: str
    payer_count: int = 0

    async def create_invoice(self) -> Invoice:
        """Create an open invoice."""
        return await invoices.create(self.ctx, self.member, DRAFT)

    async def create_pending_payment(self) -> Payment:
        """Create a pending payment of a new invoice."""
        self.payer_count += 1
        form = PayForm(
            values={
                "email": [f"client{self.payer_count}@example.net"],
                "phone": [f"8 916 {self.payer_count:07d}"],
            },
            has_consented=True,
            nonce="n",
            payer=str(self.payer_count),
            locale="ru",
            ip=str(ipaddress.IPv4Address("198.18.0.0") + self.payer_count),
            user_agent="bench",
            page_url="http://127.0.0.1/",
        )
        return await checkout.start(self.ctx, (await self.create_invoice()).token, form)


@asynccontextmanager
async def open_harness(
    url: str, *, pool_size: int = 8, acquirer_type: type[InstantAcquirer] = InstantAcquirer
) -> AsyncIterator[Harness]:
    """Open a migrated database; create the shop if there is none."""
    db: Database = await open_database(url, pool_size=pool_size)
    no_mail: Any = lambda _: None  # noqa: E731
    instant = acquirer_type(_no_client)
    ids = IdGenerator(clock)
    ctx = Context(
        db,
        BenchSettings(),
        Cipher([SECRET]),
        ids,
        {"yookassa": instant},
        no_mail,
        VkClients(partial(open_client, Outbound())),
    )
    try:
        member = await _existing_owner(ctx) or await _create_shop(ctx)
        _, secret = await api_keys.create(ctx, member, "bench")
        yield Harness(ctx, member, secret)
    finally:
        await db.close()


def _no_client(_: str | None) -> Any:
    raise AssertionError("the benchmark must not use the network")


async def _existing_owner(ctx: Context) -> Member | None:
    async with ctx.db.read() as tx:
        shop = await shop_rows.oldest(tx)
        owner = await members.find_owner(tx, shop.id) if shop else None
    return Member(owner.id, shop.id, Role.OWNER) if shop and owner else None


async def _create_shop(ctx: Context) -> Member:
    session = await first_owner.create_first_owner(
        ctx, login="owner@example.org", password=SECRET, name="", shop_name="Студия"
    )
    member = Member(session.user.id, session.shop.id, Role.OWNER)
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
