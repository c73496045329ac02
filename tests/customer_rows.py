"""Customers with payments, invoices and conversations, written without forms and messages."""

import asyncio
import random

from sqlalchemy import bindparam, select

from sigma.domain.billing.answers import Answers
from sigma.domain.billing.payment import Payment, Status
from sigma.domain.change import Change
from sigma.domain.customers.customer import IdentityKind, NameSource
from sigma.domain.customers.joining import Contact
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.money import Money
from sigma.services.contact_hashes import contact_hash
from sigma.services.customers import attachment
from sigma.services.customers.attachment import OfferedName, vk_contact
from sigma.store import changes
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import payments
from tests.world import World

NAMES = ("Анна", "Мария", "Ольга", "Иван", "Пётр", "Лев")
FAMILIES = ("Кузнецова", "Орлова", "Смирнов", "Белов", "Ёлкина")

_owners = statement(
    select(payments.c.id, payments.c.customer_id, payments.c.currency, payments.c.amount_minor)
    .where(payments.c.shop_id == bindparam("shop_id"))
    .order_by(payments.c.id)
)


async def payment_owners(world: World) -> dict[str, str | None]:
    """Return payment id → customer id."""
    async with world.ctx.db.read() as tx:
        rows = await tx.fetch_all(_owners, shop_id=world.shop.id)
    return {row["id"]: row["customer_id"] for row in rows}


async def add_customers(world: World, count: int, seed: int = 1) -> list[str]:
    """Add customers with one to three captured payments each; return their ids.

    They have an e-mail address, most a phone, every third a conversation.
    """
    shared = await world.create_invoice(max_payments=None)
    ids: list[str] = []
    # At the same time: SQLite then writes many of them with one COMMIT.
    for start in range(0, count, 50):
        batch = range(start, min(start + 50, count))
        ids += await asyncio.gather(*(_add_customer(world, shared.id, seed, n) for n in batch))
    return ids


async def _add_customer(world: World, invoice_id: str, seed: int, n: int) -> str:
    ctx, shop_id, numbers = world.ctx, world.shop.id, random.Random(f"{seed} {n}")
    contacts = {IdentityKind.EMAIL: f"client{n}@example.net"}
    if n % 4:
        contacts[IdentityKind.PHONE] = f"+7916{n:07d}"
    peer_id = 0 if n % 3 else 100_000 + n
    given = [Contact(kind, value) for kind, value in contacts.items()]
    given += [vk_contact(peer_id)] if peer_id else []
    name = f"{numbers.choice(NAMES)} {numbers.choice(FAMILIES)}"
    async with ctx.db.write() as tx:
        offered = OfferedName(name, NameSource.ANSWER)
        customer_id = await attachment.attach(ctx, tx, shop_id, given, name=offered)
        assert customer_id is not None, "there are contacts"
        rows: list[Payment | Answers | Conversation] = []
        if peer_id:
            rows.append(_conversation(world, peer_id, customer_id))
        for k in range(numbers.randint(1, 3)):
            rows += _payment(world, invoice_id, customer_id, contacts, f"{n}-{k}")
        await changes.write(tx, Change(tuple(rows)), ctx.now_us())
    return customer_id


def _conversation(world: World, peer_id: int, customer_id: str) -> Conversation:
    now_us = world.ctx.now_us()
    new_id = world.ctx.new_id("cnv", world.shop.id)
    return Conversation(
        id=new_id,
        shop_id=world.shop.id,
        connection_id=world.connection.id,
        peer_id=peer_id,
        created_at_us=now_us,
        name=f"Клиент {peer_id}",
        customer_id=customer_id,
    )


def _payment(
    world: World, invoice_id: str, customer_id: str, contacts: dict[IdentityKind, str], nonce: str
) -> tuple[Payment, Answers]:
    ctx, shop_id, now_us = world.ctx, world.shop.id, world.ctx.now_us()
    payment_id, answers_id = ctx.new_id("pay", shop_id), ctx.new_id("ans", shop_id)
    hashes = {
        kind: contact_hash(ctx.cipher, shop_id, kind.value, value)
        for kind, value in contacts.items()
    }
    payment = Payment(
        id=payment_id,
        shop_id=shop_id,
        invoice_id=invoice_id,
        connection_id=world.connection.id,
        provider="yookassa",
        operation_key=payment_id,
        token=ctx.new_token(),
        amount=Money(10_000 + len(nonce)),
        status=Status.CAPTURED,
        created_at_us=now_us,
        captured_at_us=now_us,
        payer_hash=nonce,
        form_nonce=nonce,
        customer_id=customer_id,
    )
    answers = Answers(
        id=answers_id,
        shop_id=shop_id,
        invoice_id=invoice_id,
        payment_id=payment_id,
        payer_hash=nonce,
        questions=(),
        values_encrypted="",
        created_at_us=now_us,
        email_hash=hashes.get(IdentityKind.EMAIL, ""),
        phone_hash=hashes.get(IdentityKind.PHONE, ""),
    )
    return payment, answers
