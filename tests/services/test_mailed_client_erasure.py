"""A client who got an invoice by e-mail and never paid is found, exported and erased."""

import io
import json
import zipfile

import pytest

from sigma.domain.errors import RefusedError
from sigma.services.billing import invoice_mails
from sigma.services.customers import customer_views
from sigma.services.personal_data import client_erasure, client_export, clients
from sigma.services.reminders import stops
from sigma.store.billing import invoices
from tests.services.test_client_erasure import dump
from tests.vk_world import VkWorld


@pytest.mark.both_databases
async def test_client_who_got_an_invoice_by_mail_and_never_paid_is_found_exported_and_erased(
    vk_world: VkWorld,
) -> None:
    """What stays is the keyed hash of the stop: no letter reaches the person again."""
    world, ctx, member = vk_world, vk_world.ctx, vk_world.member
    address = f"quantova-{world.account}@example.net"
    invoice = await world.create_invoice(title=f"Для {address}")
    await invoice_mails.send(ctx, member, invoice.id, address)
    await world.run_jobs()
    (client_hash, *_) = stops.email_hashes(ctx, world.shop.id, address)
    link = stops.stop_url(ctx, world.shop.id, client_hash).split("/")[-3:]
    await stops.stop(ctx, *link)
    (found,) = (await customer_views.list_page(ctx, member, query=address)).data
    customer_id = found.customer.id
    async with ctx.db.read() as tx:
        stored = await invoices.get(tx, invoice.id)
    assert stored
    assert stored.customer_id == customer_id
    card, by_email = await clients.find(ctx, member, customer_id)
    assert (card.kind, by_email.label) == ("customer", address)
    (offered,) = await clients.find(ctx, member, invoice.id)
    assert offered == by_email, "the invoice offers the address too"
    archive = await client_export.export(ctx, member, customer_id, {by_email.key}, "ru")
    with zipfile.ZipFile(io.BytesIO(archive)) as unpacked:
        exported = json.loads(unpacked.read("client.json"))
    assert [one["email"] for one in exported["invoice_recipients"]] == [address]
    assert [one["kind"] for one in exported["letters"]] == ["invoice"]
    await client_erasure.erase(ctx, member, customer_id, {card.key, by_email.key})
    dumped = await dump(world)
    masked = f"q***@{address.partition('@')[2]}"
    assert not {name for name, text in dumped.items() if address in text or masked in text}
    sending = invoice_mails.send(ctx, member, invoice.id, address)
    with pytest.raises(RefusedError) as refusal:
        await sending
    assert refusal.value.code == "mail_stopped"
