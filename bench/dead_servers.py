"""Servers in trouble and shops that use them, for `python -m bench.fairness`."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from bench.stage import DRAFT, SECRET, Harness, InstantAcquirer
from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Event, Payment, PaymentReply
from sigma.domain.change import Change, Job
from sigma.providers.base import ConnectionAccess, PaymentRequest
from sigma.services.billing import connections, invoices
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.accounts import members, shops, users
from sigma.store.encrypted_columns import EncryptedColumn

PAYMENTS_PER_SHOP, MAILS_PER_SHOP = 10, 10
FLOODED_JOBS = 10_000
SLOW_ANSWER_S = 0.3
BATCH = 500


class StartedAtBank(InstantAcquirer):
    """Returns a pending payment with an id like the bank's, so that Sigma queries it later."""

    async def start_payment(self, access: ConnectionAccess, order: PaymentRequest) -> PaymentReply:
        """Return a pending payment."""
        return PaymentReply(str(uuid.uuid4()), Event.PENDING, order.amount, "http://bank/pay")


@dataclass(frozen=True)
class Servers:
    """Ports of servers on 127.0.0.1: one never answers, the other one only slowly."""

    dead_port: int
    slow_port: int


@asynccontextmanager
async def open_servers() -> AsyncIterator[Servers]:
    """Run both servers while the block runs."""
    writers: list[asyncio.StreamWriter] = []

    async def ignore(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            path = head.split()[1].decode()
            while (await reader.readline()).strip():
                pass
            await asyncio.sleep(SLOW_ANSWER_S)
            body = json.dumps(
                {
                    "id": path.rpartition("/")[2],
                    "status": "pending",
                    "paid": False,
                    "amount": {"value": "1500.00", "currency": "RUB"},
                    "confirmation": {"type": "redirect", "confirmation_url": "http://bank/pay"},
                    "created_at": "2026-01-01T00:00:00.000Z",
                    "metadata": {},
                }
            ).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )

    dead = await asyncio.start_server(ignore, "127.0.0.1", 0)
    slow = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield Servers(*(server.sockets[0].getsockname()[1] for server in (dead, slow)))
    finally:
        for server in (dead, slow):
            server.close()
        for writer in writers:
            writer.close()


async def add_shops_of_dead_servers(
    harness: Harness, servers: Servers, count: int
) -> list[Invoice]:
    """Create `count` shops whose acquirer and mail server are dead, with due jobs of both kinds.

    Returns an open invoice of each.
    """
    base_url = f"http://127.0.0.1:{servers.dead_port}/v3"
    open_invoices = []
    for number in range(count):
        ctx, member = await _create_shop(harness, f"dead-{number}", base_url, servers.dead_port)
        started = [await _start_payment(ctx, member, n) for n in range(PAYMENTS_PER_SHOP)]
        letters = [
            Mail(ctx.new_id("mail", member.shop_id), member.shop_id, "test", member.actor, "", 1, n)
            for n in range(1, MAILS_PER_SHOP + 1)
        ]
        await changes.commit(
            ctx.db,
            Change(
                tuple(letters),
                jobs=(
                    *(Job("payment.advance", one.id, member.shop_id, 1) for one in started),
                    *(Job("mail.send", one.id, member.shop_id, 1) for one in letters),
                ),
            ),
            ctx.now_us(),
        )
        open_invoices.append(await invoices.create(ctx, member, DRAFT))
    return open_invoices


async def add_flooded_shop(harness: Harness, servers: Servers) -> None:
    """Create a shop with FLOODED_JOBS due jobs, each of which queries a slow acquirer."""
    base_url = f"http://127.0.0.1:{servers.slow_port}/v3"
    ctx, member = await _create_shop(harness, "flooded", base_url, servers.dead_port)
    first = await _start_payment(ctx, member, 0)
    copies = [
        replace(
            first,
            id=ctx.new_id("pay", member.shop_id),
            token=ctx.new_token(),
            operation_key=ctx.new_id("op", member.shop_id),
            provider_id=str(uuid.uuid4()),
            form_nonce=f"copy-{number}",
            version=0,
        )
        for number in range(FLOODED_JOBS)
    ]
    for start in range(0, FLOODED_JOBS, BATCH):
        batch = copies[start : start + BATCH]
        due = tuple(Job("payment.advance", one.id, member.shop_id, 1) for one in batch)
        await changes.commit(ctx.db, Change(tuple(batch), jobs=due), ctx.now_us())


async def _create_shop(
    harness: Harness, name: str, base_url: str, smtp_port: int
) -> tuple[Context, Member]:
    """Create a shop with an acquirer and a mail server of its own."""
    ctx = replace(harness.ctx, providers={"yookassa": StartedAtBank(_no_client)})
    now_us, shop_id = ctx.now_us(), ctx.ids.new("shp")
    async with ctx.db.read() as tx:
        model = await shops.get(tx, harness.member.shop_id)
    assert model is not None
    smtp_url = ctx.cipher.encrypt(
        f"smtp://127.0.0.1:{smtp_port}", EncryptedColumn.SHOP_SMTP_URL, shop_id
    )
    shop = Shop(
        id=shop_id,
        name=name,
        created_at_us=now_us,
        seller=model.seller,
        smtp_url_encrypted=smtp_url,
    )
    user = User(ctx.new_id("usr", shop_id), f"{shop_id}@example.org", "", "", "ru", now_us)
    async with ctx.db.write() as tx:
        await changes.write(tx, Change((shop,)), now_us)
        await users.save(tx, user)
        await members.add(tx, shop_id, user.id, Role.OWNER, now_us)
    member = Member(user.id, shop_id, Role.OWNER)
    await connect(ctx, member, "1", base_url)
    return ctx, member


async def connect(ctx: Context, member: Member, account: str, base_url: str) -> None:
    """Connect a shop with the acquirer at `base_url`."""
    existing = await connections.list_for_shop(ctx, member)
    await connections.save(
        ctx,
        member,
        existing[0].id if existing else None,
        provider="yookassa",
        title="",
        account=account,
        secret="test_x",
        settings={"base_url": base_url},
    )


async def _start_payment(ctx: Context, member: Member, number: int) -> Payment:
    invoice = await invoices.create(ctx, member, DRAFT)
    form = PayForm(
        values={"email": ["client@example.net"], "phone": ["8 916 765-43-21"]},
        has_consented=True,
        nonce=f"{number}",
        payer=f"{invoice.id}",
        locale="ru",
        ip=f"198.51.{int(invoice.number) % 250}.{hash(invoice.id) % 250}",
        user_agent="bench",
        page_url="http://127.0.0.1/",
    )
    return await checkout.start(ctx, invoice.token, form)


def _no_client(_: str | None) -> Any:
    raise AssertionError("the shops in trouble are made without a network")


def settings_of(smtp_port: int) -> Iterable[tuple[str, str]]:
    """Return the settings of `sigma serve` that the measurement needs."""
    yield "SIGMA_SMTP_URL", f"smtp://127.0.0.1:{smtp_port}"
    yield "SIGMA_OUTBOUND_ALLOW", "127.0.0.0/8"
    yield "SIGMA_TRUSTED_PROXIES", "127.0.0.1"
    yield "SIGMA_MAIL_FROM", "sigma@example.com"
    yield "SIGMA_SECRET_KEY", SECRET
