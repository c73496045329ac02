"""The environment of service tests: a shop, its acquirer at the sandbox bank, a movable clock."""

import ipaddress
import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from argon2 import PasswordHasher

from sigma import worker
from sigma.channels.push.web_push import PushClient
from sigma.channels.telegram.client import TelegramClient
from sigma.channels.vk.client import VkClients
from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Seller, SellerKind, Shop
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.money import Money
from sigma.providers.base import Provider
from sigma.providers.registry import close_providers, open_providers
from sigma.services.accounts import first_owner, shops
from sigma.services.billing import connections, invoices, payments
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm
from sigma.services.clock import clock
from sigma.services.context import Context
from sigma.services.ids import IdGenerator
from sigma.services.passwords import PasswordHashing
from sigma.store.database import open_database
from sigma.store.encryption import Cipher
from sigma_sandbox.app import Sandbox
from tests.outbound.local import LOCAL, local_mailer, open_local_client
from tests.vk_checked_client import checked_client

account_numbers = itertools.count(700_001)
MIR_CARD = "2202474301322987"  # the sandbox pays with it without 3-D Secure

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
QUESTIONS = (
    Question("email", QuestionKind.EMAIL, required=True),
    Question("phone", QuestionKind.PHONE),
    Question("wish", QuestionKind.TEXT, "Пожелания"),
)


@dataclass
class Clock:
    """The current time in UTC microseconds, or a stopped one, shifted by `offset_us`."""

    offset_us: int = 0
    stopped_at_us: int | None = None

    def __call__(self) -> int:
        return (self.stopped_at_us or clock()) + self.offset_us

    def stop(self) -> None:
        """Let only `advance` move the clock: a slow machine changes nothing."""
        self.stopped_at_us = clock()

    def advance(self, **spans: float) -> None:
        """Advance by a timedelta given as its arguments: `clock.advance(hours=2)`."""
        from datetime import timedelta

        self.offset_us += int(timedelta(**spans).total_seconds() * 1_000_000)


def fast_passwords() -> PasswordHashing:
    """Password hashing at the lowest cost: the default takes a tenth of a second of each test."""
    return PasswordHashing(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@dataclass(frozen=True)
class TestSettings:
    """The settings that services read."""

    __test__ = False
    base_url: str = "http://127.0.0.1:8000"
    mail_from: str = "sigma@example.com"
    locale: str = "ru"
    session_days: int = 30
    session_idle_hours: int = 72
    api_requests_per_minute: int = 100_000
    manual_mails_per_day: int = 200
    vk_api_url: str = "https://api.vk.ru"
    vk_site_url: str = "https://vk.com"
    is_second_factor_required: bool = False


@dataclass
class World:
    """One shop with everything that its services need.

    `account` is the shop's number at the sandbox bank, `member` its owner.
    """

    ctx: Context
    sandbox: Sandbox
    http: httpx.AsyncClient
    account: str
    clock: Clock
    member: Member
    shop: Shop
    connection: Connection
    password: str = "correct horse battery"
    form_count: int = field(default=0)

    async def create_invoice(self, amount_minor: int = 150_000, **more: Any) -> Invoice:
        """Create an open invoice with default values for all that is not given."""
        values: dict[str, Any] = {
            "title": "Маникюр",
            "amount": Money(amount_minor),
            "questions": QUESTIONS,
        }
        return await invoices.create(self.ctx, self.member, Draft(**(values | more)))

    def pay_form(self, payer: str = "browser-1", **answer_overrides: str) -> PayForm:
        """Return a filled payment form of one browser; `answer_overrides`: by question key."""
        self.form_count += 1
        answers = {"email": "client@example.net", "phone": "8 916 765-43-21", "wish": "без лака"}
        return PayForm(
            values={k: [v] for k, v in (answers | answer_overrides).items()},
            has_consented=True,
            nonce=f"nonce-{self.form_count}",
            payer=payer,
            locale="ru",
            # Each form from an address of its own, or the limit of starts would end long tests.
            ip=str(ipaddress.IPv4Address("198.18.0.0") + self.form_count),
            user_agent="Browser/1",
            page_url="http://127.0.0.1:8000/i/x",
        )

    async def start_payment(self, invoice: Invoice | None = None, **form: Any) -> Payment:
        """Start a payment: the bank knows it and the client is to be sent there."""
        invoice = invoice or await self.create_invoice()
        return await checkout.start(self.ctx, invoice.token, self.pay_form(**form))

    async def pay(self, payment: Payment, card: str = MIR_CARD, **more: Any) -> None:
        """Pay at the bank as the client. Sigma does not learn of it here."""
        assert payment.provider_id, "the bank knows the payment"
        await self.pay_by_provider_id(payment.provider_id, card, **more)

    async def pay_by_provider_id(self, provider_id: str, card: str = MIR_CARD, **more: Any) -> None:
        """Pay a payment at the bank by the bank's id."""
        url = f"{self.sandbox.base_url}/bank/test/payments/{provider_id}/pay"
        response = await self.http.post(url, json={"card": card, **more})
        assert response.status_code == 200, response.text

    async def refund_at_bank(
        self, payment: Payment, amount_minor: int, *, expected_status: int = 200
    ) -> dict[str, Any]:
        """Refund a payment in the acquirer's own cabinet: Sigma does not learn of it here."""
        response = await self.http.post(
            f"{self.sandbox.base_url}/bank/v3/refunds",
            json={
                "payment_id": payment.provider_id,
                "amount": {
                    "value": Money(amount_minor).to_decimal_text(),
                    "currency": payment.amount.currency,
                },
            },
            headers={"Idempotence-Key": secrets.token_hex(8)},
            auth=(self.account, "test_secret"),
        )
        assert response.status_code == expected_status, response.text
        made: dict[str, Any] = response.json()
        return made

    async def charge_back(self, payment: Payment, amount_minor: int) -> None:
        """Take money back as the client's bank does: no refund is listed, no notice is sent."""
        url = f"{self.sandbox.base_url}/bank/test/payments/{payment.provider_id}/chargeback"
        amount = {"value": Money(amount_minor).to_decimal_text(), "currency": "RUB"}
        response = await self.http.post(url, json={"amount": amount})
        assert response.status_code == 200, response.text

    async def complete_payment(self, invoice: Invoice | None = None, **form: Any) -> Payment:
        """Start a payment, pay it at the bank and return it captured."""
        payment = await self.start_payment(invoice, **form)
        await self.pay(payment)
        return await payments.advance(self.ctx, payment.id)

    async def inject_faults(self, **rules: Any) -> None:
        """Inject faults of the bank for this shop only. Rules: docs/sandbox.md."""
        url = f"{self.sandbox.base_url}/control"
        response = await self.http.post(url, json={"shop": self.account, **rules})
        assert response.status_code == 200, response.text

    async def save_connection(self, *, secret: str | None, **settings: Any) -> None:
        """Save the acquirer connection with some settings changed, as the owner does."""
        saved = await connections.get(self.ctx, self.member, self.connection.id)
        await connections.save(
            self.ctx,
            self.member,
            saved.id,
            provider=saved.provider,
            title=saved.title,
            account=saved.account,
            secret=secret,
            settings=saved.settings | settings,
        )

    async def set_acquirer_secret(self, secret: str) -> None:
        """Save another secret of the acquirer connection."""
        await self.save_connection(secret=secret)

    async def move_bank_page(self) -> None:
        """Name the bank by another host, so that its page has another origin than its API."""
        base_url = self.connection.settings["base_url"].replace("127.0.0.1", "localhost")
        await self.save_connection(secret="test_secret", base_url=base_url)

    async def list_at_bank(
        self, object_type: str = "payments", **query: Any
    ) -> list[dict[str, Any]]:
        """Return all objects of this shop at the bank; `object_type` is "payments" or "refunds"."""
        url = f"{self.sandbox.base_url}/bank/v3/{object_type}"
        auth = (self.account, "test_secret")
        items: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next_cursor": None}
        while "next_cursor" in page:
            params = {"limit": 100, "cursor": page["next_cursor"], **query}
            params = {name: value for name, value in params.items() if value is not None}
            response = await self.http.get(url, params=params, auth=auth)
            assert response.status_code == 200, response.text
            page = response.json()
            items += page["items"]
        return items

    async def run_jobs(self) -> int:
        """Run every job that is due by the world's clock; return how many ran."""
        return await worker.run_due_jobs(self.ctx)


async def fill_in_shop(ctx: Context, member: Member) -> Shop:
    """Fill in the requisites of a new shop, so that it can issue invoices."""
    return await shops.save_seller(
        ctx,
        member,
        name="Студия",
        seller=SELLER,
        tz="Europe/Moscow",
        accent="",
        return_url="https://vk.me/studio",
        consent_text="",
    )


@asynccontextmanager
async def open_world(
    database_url: str,
    sandbox: Sandbox,
    *,
    settings: Any = None,
    providers: dict[str, Provider] | None = None,
    connection: dict[str, Any] | None = None,
) -> AsyncIterator[World]:
    """Open a world on a migrated, empty database.

    `connection`: settings of the acquirer connection that differ from the defaults.
    """
    test_clock = Clock()
    database = await open_database(database_url)
    vk = VkClients(lambda _: checked_client())  # checks every request with VK's schema
    push, telegram = PushClient(open_local_client), TelegramClient(open_local_client)
    acquirers = providers or open_providers(open_local_client)
    ctx = Context(
        db=database,
        settings=settings
        or TestSettings(vk_api_url=f"{sandbox.base_url}/vk", vk_site_url=f"{sandbox.base_url}/vk"),
        cipher=Cipher([secrets.token_hex(16)]),
        passwords=fast_passwords(),
        ids=IdGenerator(test_clock),
        providers=acquirers,
        mailer_factory=lambda url: local_mailer(url or f"smtp://127.0.0.1:{sandbox.smtp_port}"),
        vk=vk,
        outbound=LOCAL,
        push=push,
        telegram=telegram,
        now_us=test_clock,
    )
    account = str(next(account_numbers))
    # The sandbox closes idle connections after 5 s: a request must not meet that moment.
    limits = httpx.Limits(keepalive_expiry=2)
    async with httpx.AsyncClient(timeout=10, verify=False, limits=limits) as http:
        signed = await first_owner.create_first_owner(
            ctx,
            login="owner@example.org",
            password=World.password,
            name="Пётр",
            shop_name="Студия",
        )
        member = Member(signed.user.id, signed.shop.id, Role.OWNER)
        shop = await fill_in_shop(ctx, member)
        defaults = {"base_url": f"{sandbox.base_url}/bank/v3", "timeout_s": 2}
        connected = await connections.save(
            ctx,
            member,
            None,
            provider="yookassa",
            title="",
            account=account,
            secret="test_secret",
            settings=defaults | (connection or {}),
        )
        yield World(ctx, sandbox, http, account, test_clock, member, shop, connected)
        await vk.close()
        await push.close()
        await telegram.close()
        await close_providers(acquirers)
        await database.close()
