"""The customer of each payment, invoice and conversation: found, or created once."""

import asyncio
from dataclasses import replace

import pytest

from sigma.domain.billing.payment import Payment
from sigma.services.billing import invoice_mails, invoices
from sigma.services.checkout import checkout
from sigma.services.customers import codec
from sigma.store.customers import customers, identities
from sigma.store.messaging import conversations
from sigma.store.schema.customer_tables import customer_suggestions
from sigma.store.schema.customer_tables import customers as customer_table
from tests.conversation_invoices import issue_invoice, open_payment_link, start_conversation
from tests.reconciliation import fetch_rows
from tests.vk_world import VkWorld
from tests.world import QUESTIONS, World

pytestmark = pytest.mark.both_databases


async def pay_form(world: World, payer: str, **answers: str) -> Payment:
    """Submit the payment page of a new invoice from a new browser."""
    invoice = await world.create_invoice()
    form = world.pay_form(payer, **{"email": "", "phone": ""} | answers)
    return await checkout.start(world.ctx, invoice.token, form)


async def contacts_of(world: World, customer_id: str | None) -> list[str]:
    """Return the decrypted contacts of a customer."""
    assert customer_id is not None
    async with world.ctx.db.read() as tx:
        rows = await identities.list_for_customers(tx, [customer_id])
    return [codec.read_identity(world.ctx.cipher, row) or "" for row in rows]


async def test_payments_with_one_address_belong_to_one_customer(world: World) -> None:
    first = await pay_form(world, "a", email="Anna@Example.net", phone="8 916 765-43-21")
    second = await pay_form(world, "b", email="anna@example.net", phone="8 916 000-00-01")
    assert first.customer_id is not None
    assert first.customer_id == second.customer_id
    assert await contacts_of(world, first.customer_id) == [
        "Anna@example.net",
        "+79167654321",
        "+79160000001",
    ]


async def test_shared_phone_suggests_one_person_and_joins_nobody(world: World) -> None:
    mother = await pay_form(world, "a", email="mother@example.net", phone="8 916 765-43-21")
    daughter = await pay_form(world, "b", email="daughter@example.net", phone="8 916 765-43-21")
    again = await pay_form(world, "c", email="daughter@example.net", phone="8 916 765-43-21")
    assert mother.customer_id != daughter.customer_id
    assert again.customer_id == daughter.customer_id
    assert await contacts_of(world, daughter.customer_id) == ["daughter@example.net"]
    (row,) = await fetch_rows(world.ctx.db, customer_suggestions, world.shop.id)
    assert {row["customer_id"], row["other_id"]} == {mother.customer_id, daughter.customer_id}
    assert row["reason"] == "phone"


async def test_two_forms_at_once_make_one_customer(world: World) -> None:
    tokens = [(await world.create_invoice()).token for _ in range(6)]
    forms = [world.pay_form(f"browser-{n}") for n in range(6)]
    payments = await asyncio.gather(
        *(
            checkout.start(replace(world.ctx, in_flight=set()), token, form)
            for token, form in zip(tokens, forms, strict=True)
        )
    )
    assert len({payment.customer_id for payment in payments}) == 1
    assert len(await fetch_rows(world.ctx.db, customer_table, world.shop.id)) == 1


async def test_forms_with_crossed_contacts_at_once_do_not_fail(world: World) -> None:
    """Each form adds a contact that another one has too: in another order they would deadlock."""
    pairs = [("a", 1), ("b", 1), ("b", 2), ("c", 2), ("c", 3), ("a", 3)] * 2
    tokens = [(await world.create_invoice()).token for _ in pairs]
    forms = [
        world.pay_form(f"browser-{n}", email=f"{name}@example.net", phone=f"8 916 000-00-0{digit}")
        for n, (name, digit) in enumerate(pairs)
    ]
    payments = await asyncio.gather(
        *(
            checkout.start(replace(world.ctx, in_flight=set()), token, form)
            for token, form in zip(tokens, forms, strict=True)
        )
    )
    owners = {
        name: {
            p.customer_id for p, (other, _) in zip(payments, pairs, strict=True) if other == name
        }
        for name in "abc"
    }
    assert [len(ids) for ids in owners.values()] == [1, 1, 1]
    assert len(await fetch_rows(world.ctx.db, customer_table, world.shop.id)) == 3


async def test_conversation_belongs_to_the_customer_with_its_vk_id(vk_world: VkWorld) -> None:
    conversation_id = await start_conversation(vk_world)
    async with vk_world.ctx.db.read() as tx:
        conversation = await conversations.get(tx, conversation_id)
        assert conversation is not None
        assert conversation.customer_id is not None
        customer = await customers.get(tx, conversation.customer_id)
    assert customer is not None
    name = codec.decrypt_name(vk_world.ctx.cipher, customer.id, customer.name_encrypted)
    assert name == conversation.name
    invoice = await issue_invoice(vk_world, questions=QUESTIONS)
    assert invoice.customer_id == customer.id
    await vk_world.run_jobs()
    await open_payment_link(vk_world, invoice)
    form = vk_world.pay_form("client")
    payment = await checkout.start(vk_world.ctx, invoice.token, form)
    assert payment.customer_id == customer.id
    assert await contacts_of(vk_world, customer.id) == [
        str(conversation.peer_id),
        "client@example.net",
        "+79167654321",
    ]


async def test_corrected_address_leaves_no_customer_of_the_mistyped_one(world: World) -> None:
    invoice = await world.create_invoice()
    forms = [
        world.pay_form("a", email=email, phone="8 916 765-43-21")
        for email in ("anna@exampel.net", "anna@example.net")
    ]
    *_, payment = [await checkout.start(world.ctx, invoice.token, form) for form in forms]
    contacts = await contacts_of(world, payment.customer_id)
    assert sorted(contacts) == ["+79167654321", "anna@example.net"]
    assert len(await fetch_rows(world.ctx.db, customer_table, world.shop.id)) == 1
    assert await fetch_rows(world.ctx.db, customer_suggestions, world.shop.id) == []


async def test_mistyped_address_of_somebody_else_leaves_their_customer(world: World) -> None:
    other = await pay_form(world, "b", email="boris@example.net")
    invoice = await world.create_invoice()
    forms = [
        world.pay_form("a", email=email, phone="")
        for email in ("boris@example.net", "anna@example.net")
    ]
    *_, payment = [await checkout.start(world.ctx, invoice.token, form) for form in forms]
    assert payment.customer_id != other.customer_id
    assert await contacts_of(world, other.customer_id) == ["boris@example.net"]


async def test_letter_to_the_corrected_address_leaves_no_empty_customer(world: World) -> None:
    known = await pay_form(world, "a", email="anna@example.net")
    invoice = await world.create_invoice()
    for address in ("anna@exampel.net", "anna@example.net"):
        await invoice_mails.send(world.ctx, world.member, invoice.id, address)
    current = await invoices.get(world.ctx, world.member, invoice.id)
    assert current.customer_id == known.customer_id
    assert len(await fetch_rows(world.ctx.db, customer_table, world.shop.id)) == 1


async def test_invoice_mailed_to_a_known_client_and_another_stays_with_the_first(
    world: World,
) -> None:
    for name in ("boris", "anna"):
        await pay_form(world, name, email=f"{name}@example.net")
    invoice = await world.create_invoice()
    await invoice_mails.send(world.ctx, world.member, invoice.id, "anna@example.net")
    first = (await invoices.get(world.ctx, world.member, invoice.id)).customer_id
    await invoice_mails.send(world.ctx, world.member, invoice.id, "boris@example.net")
    assert (await invoices.get(world.ctx, world.member, invoice.id)).customer_id == first
    assert len(await fetch_rows(world.ctx.db, customer_table, world.shop.id)) == 2
