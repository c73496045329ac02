"""A whole small world for service tests: a shop, its acquirer at the sandbox bank, a clock that
can be moved.
"""

import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from sigma import worker
from sigma.channels.email import SmtpMailer
from sigma.channels.vk.client import Clients
from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Seller, SellerKind, Shop
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import Kind, Question
from sigma.domain.money import Money
from sigma.providers.base import Provider
from sigma.providers.registry import close_providers, open_providers
from sigma.services.accounts import shops, users
from sigma.services.billing import connections, invoices, payments
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm
from sigma.services.context import Context, Ids, clock
from sigma.store.database import open_database
from sigma.store.encryption import Sealer
from sigma_sandbox.app import Sandbox
from tests.vk_wire import checked_client

ACCOUNTS = itertools.count(700_001)
MIR = "2202474301322987"  # paid without 3-D Secure

SELLER = Seller(
    kind=SellerKind.IP,
    full_name="ИП Проверкин Пётр Петрович",
    inn="500100732259",
    ogrn="325774600000039",
    address="117312, Москва",
    phone="+7 916 123-45-67",
    email="shop@example.com",
    offer_url="https://example.com/offer",
    policy_url="https://example.com/policy",
    refund_terms="Вернём деньги в течение 10 дней.",
)
ASK = (
    Question("email", Kind.EMAIL, required=True),
    Question("phone", Kind.PHONE),
    Question("wish", Kind.TEXT, "Пожелания"),
)


@dataclass
class Clock:
    """Real time, moved by `offset` microseconds."""

    offset: int = 0

    def __call__(self) -> int:
        return clock() + self.offset

    def move(self, **spans: float) -> None:
        """clock.move(hours=2)"""
        from datetime import timedelta

        self.offset += int(timedelta(**spans).total_seconds() * 1_000_000)


@dataclass(frozen=True)
class TestSettings:
    """What services read of the settings."""

    __test__ = False
    base_url: str = "http://127.0.0.1:8000"
    mail_from: str = "sigma@example.com"
    session_days: int = 30
    vk_api_url: str = "https://api.vk.ru"
    vk_site_url: str = "https://vk.com"


@dataclass
class World:
    """One shop and everything around it; `control` misbehaves only for this shop."""

    ctx: Context
    sandbox: Sandbox
    http: httpx.AsyncClient
    account: str
    clock: Clock
    member: Member
    shop: Shop
    connection: Connection
    password: str = "correct horse battery"
    made: int = field(default=0)

    async def invoice(self, minor: int = 150_000, **more: Any) -> Invoice:
        """An open invoice; what matters is named, the rest is usual."""
        given: dict[str, Any] = {"title": "Маникюр", "amount": Money(minor), "questions": ASK}
        return await invoices.create(self.ctx, self.member, Draft(**(given | more)))

    def form(self, payer: str = "browser-1", **given: str) -> PayForm:
        """A filled payment page of one browser."""
        self.made += 1
        answers = {"email": "client@example.net", "phone": "8 916 765-43-21", "wish": "без лака"}
        return PayForm(
            given={k: [v] for k, v in (answers | given).items()},
            consent=True,
            nonce=f"nonce-{self.made}",
            payer=payer,
            locale="ru",
            ip="203.0.113.7",
            user_agent="Browser/1",
            page_url="http://127.0.0.1:8000/i/x",
        )

    async def started(self, invoice: Invoice | None = None, **form: Any) -> Payment:
        """A payment whose client has just been sent to the bank."""
        invoice = invoice or await self.invoice()
        return await checkout.start(self.ctx, invoice.token, self.form(**form))

    async def pay(self, payment: Payment, card: str = MIR, **more: Any) -> None:
        """The client pays at the bank. Sigma is not told here."""
        assert payment.provider_id, "the bank knows the payment"
        await self.pay_at_bank(payment.provider_id, card, **more)

    async def pay_at_bank(self, provider_id: str, card: str = MIR, **more: Any) -> None:
        """The same by the bank's own id."""
        url = f"{self.sandbox.base_url}/bank/test/payments/{provider_id}/pay"
        answer = await self.http.post(url, json={"card": card, **more})
        assert answer.status_code == 200, answer.text

    async def paid(self, invoice: Invoice | None = None, **form: Any) -> Payment:
        """A payment that is captured, here and at the bank."""
        payment = await self.started(invoice, **form)
        await self.pay(payment)
        return await payments.advance(self.ctx, payment.id)

    async def control(self, **rules: Any) -> None:
        """Misbehaviour of the bank towards this shop: docs/sandbox.md."""
        url = f"{self.sandbox.base_url}/control"
        answer = await self.http.post(url, json={"shop": self.account, **rules})
        assert answer.status_code == 200, answer.text

    async def set_key(self, secret: str) -> None:
        """The owner types another key of the acquirer."""
        known = await connections.get(self.ctx, self.member, self.connection.id)
        await connections.save(
            self.ctx,
            self.member,
            known.id,
            provider=known.provider,
            title=known.title,
            account=known.account,
            secret=secret,
            settings=known.settings,
        )

    async def bank_list(self, what: str = "payments", **query: Any) -> list[dict[str, Any]]:
        """The bank's own books of this shop, all pages."""
        url = f"{self.sandbox.base_url}/bank/v3/{what}"
        auth = (self.account, "test_secret")
        items: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next_cursor": None}
        while "next_cursor" in page:
            asked = {"limit": 100, "cursor": page["next_cursor"], **query}
            sent = {name: value for name, value in asked.items() if value is not None}
            answer = await self.http.get(url, params=sent, auth=auth)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            items += page["items"]
        return items

    async def work(self) -> int:
        """Does every job that is due by the world's clock."""
        return await worker.drain(self.ctx)


@asynccontextmanager
async def open_world(
    database_url: str,
    sandbox: Sandbox,
    *,
    settings: Any = None,
    providers: dict[str, Provider] | None = None,
    connection: dict[str, Any] | None = None,
) -> AsyncIterator[World]:
    """Opens a world on a migrated, empty database."""
    moved = Clock()
    database = await open_database(database_url)
    vk = Clients(lambda _: checked_client())  # what Sigma asks passes VK's schema
    acquirers = providers or open_providers(lambda _: httpx.AsyncClient(verify=False))
    ctx = Context(
        db=database,
        settings=settings
        or TestSettings(vk_api_url=f"{sandbox.base_url}/vk", vk_site_url=f"{sandbox.base_url}/vk"),
        sealer=Sealer([secrets.token_hex(16)]),
        ids=Ids(moved),
        providers=acquirers,
        mailers=lambda url: SmtpMailer(url or f"smtp://127.0.0.1:{sandbox.smtp_port}"),
        vk=vk,
        now=moved,
    )
    account = str(next(ACCOUNTS))
    async with httpx.AsyncClient(timeout=10, verify=False) as http:
        signed = await users.first_owner(
            ctx,
            login="owner@example.org",
            password=World.password,
            name="Пётр",
            shop_name="Студия",
        )
        member = Member(signed.user.id, signed.shop.id, Role.OWNER)
        shop = await shops.save_seller(
            ctx,
            member,
            name="Студия",
            seller=SELLER,
            tz="Europe/Moscow",
            accent="",
            return_url="https://vk.me/studio",
            consent_text="",
        )
        usual = {"base_url": f"{sandbox.base_url}/bank/v3", "timeout_s": 2}
        connected = await connections.save(
            ctx,
            member,
            None,
            provider="yookassa",
            title="",
            account=account,
            secret="test_secret",
            settings=usual | (connection or {}),
        )
        yield World(ctx, sandbox, http, account, moved, member, shop, connected)
        await vk.close()
        await close_providers(acquirers)
        await database.close()
