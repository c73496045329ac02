"""Payment links: a payment belongs to the conversation only with a valid link signature from the
browser that opened the link first.
"""

from dataclasses import replace

import pytest

from sigma.domain.messaging.card import CardState
from sigma.services.checkout import checkout
from sigma.services.invoice_cards import cards, payment_links
from sigma.store.encryption import Cipher
from tests.conversation_invoices import (
    get_card,
    issue_and_send,
    issue_invoice,
    link_signature,
    open_payment_link,
    pay_invoice,
    start_conversation,
)
from tests.vk_world import VkWorld


async def test_browser_that_opened_the_link_pays_for_the_conversation(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    conversation = await vk_world.conversation()
    await open_payment_link(vk_world, invoice, "phone")
    payment = await pay_invoice(vk_world, invoice, "phone")
    assert payment.conversation_id == conversation.id, "same browser, no signature"


async def test_form_without_scripts_marks_the_card_as_opened(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    payment = await pay_invoice(vk_world, invoice, "phone", await link_signature(vk_world))
    assert payment.conversation_id == (await vk_world.conversation()).id
    assert (await get_card(vk_world, invoice)).opened_at_us is not None


async def test_payment_from_a_second_browser_is_not_bound(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await open_payment_link(vk_world, invoice, "client")
    # The client forwarded the signed link to somebody else.
    payment = await pay_invoice(vk_world, invoice, "friend", await link_signature(vk_world))
    assert payment.status.value == "captured"
    assert payment.conversation_id is None
    await vk_world.run_jobs()
    assert (await get_card(vk_world, invoice)).state is CardState.PAID


async def test_unsigned_link_does_not_bind_the_payment(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    payment = await pay_invoice(vk_world, invoice, "somebody")
    assert payment.conversation_id is None
    assert (await get_card(vk_world, invoice)).opened_at_us is None


async def test_browser_without_cookies_is_bound_by_its_form(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    signature = await link_signature(vk_world)
    await cards.mark_opened(vk_world.ctx, invoice.token, signature, "")
    opened = await get_card(vk_world, invoice)
    assert (opened.opened_at_us is not None, opened.payer_hash) == (True, "")
    payment = await pay_invoice(vk_world, invoice, "form-1", signature)
    assert payment.conversation_id == (await vk_world.conversation()).id
    assert (await get_card(vk_world, invoice)).opened_at_us == opened.opened_at_us


async def test_resumed_payment_stays_bound_to_the_conversation(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    signature = await link_signature(vk_world)
    form = replace(vk_world.pay_form("phone"), signature=signature)
    first = await checkout.start(vk_world.ctx, invoice.token, form)
    second = await checkout.start(vk_world.ctx, invoice.token, vk_world.pay_form("phone"))
    assert first.id == second.id
    assert second.conversation_id == (await vk_world.conversation()).id


@pytest.mark.parametrize(
    "kind", ["cut", "other", "swapped", "zeroes", "empty", "long", "letters", "sql"]
)
async def test_forged_signature_changes_nothing(vk_world: VkWorld, kind: str) -> None:
    invoice = await issue_and_send(vk_world)
    signature = await link_signature(vk_world)
    forged = {
        "cut": signature[:-1],
        "other": signature[:-1] + ("A" if signature[-1] != "A" else "B"),
        "swapped": signature.swapcase(),
        "zeroes": "A" * len(signature),
        "empty": "",
        "long": signature * 500,
        "letters": "я" * len(signature),
        "sql": "' OR 1=1 --     ",
    }[kind]
    await cards.mark_opened(vk_world.ctx, invoice.token, forged, "thief")
    payment = await pay_invoice(vk_world, invoice, "thief", forged)
    assert payment.conversation_id is None
    card = await get_card(vk_world, invoice)
    assert (card.opened_at_us, card.payer_hash) == (None, "")


async def test_signature_of_another_invoice_changes_nothing(vk_world: VkWorld) -> None:
    other_invoice = await issue_and_send(vk_world)
    signature = await link_signature(vk_world)
    invoice = await issue_invoice(vk_world)
    await cards.mark_opened(vk_world.ctx, invoice.token, signature, "client")
    await cards.mark_opened(vk_world.ctx, "no-such-token", signature, "client")
    assert (await pay_invoice(vk_world, invoice, "client", signature)).conversation_id is None
    assert (await get_card(vk_world, invoice)).opened_at_us is None
    assert (await get_card(vk_world, other_invoice)).opened_at_us is None


async def test_signature_is_valid_for_one_installation_only(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    invoice = await issue_invoice(vk_world)
    card = await get_card(vk_world, invoice)
    url = payment_links.payment_link(vk_world.ctx, invoice, card.id)
    signature = url.partition("?d=")[2]
    assert (len(signature), payment_links.is_well_formed(signature)) == (24, True)
    assert signature == payment_links.sign(vk_world.ctx, card.id)
    other_installation = replace(vk_world.ctx, cipher=Cipher(["another installation's secret key"]))
    assert payment_links.sign(other_installation, card.id) != signature
    async with vk_world.ctx.db.read() as tx:
        verified = await payment_links.verify(vk_world.ctx, tx, invoice.id, signature)
        assert verified is not None and verified.id == card.id  # noqa: PT018
        assert await payment_links.verify(other_installation, tx, invoice.id, signature) is None
