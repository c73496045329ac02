"""Mails of a payment: the receipt, the refund notice and the alert to the owner."""

import httpx

from sigma.domain.billing.payment import Attention
from tests.services.actions import list_mails, payment_details, request_refund, run_until_idle
from tests.world import World

OWNER = "owner@example.org"


async def test_receipt_and_refund_mails_reach_the_client_with_a_pdf(world: World) -> None:
    address = f"client-{world.account}@example.net"
    payment = await world.complete_payment(email=address)
    await run_until_idle(world)
    [receipt] = await list_mails(world, address)
    assert "1\u00a0500,00" in receipt["text"]
    assert f"/r/{payment.token}" in receipt["text"]
    assert f"/r/{payment.token}" in receipt["html"]
    [pdf] = receipt["attachments"]
    assert pdf["content_type"] == "application/pdf"
    async with httpx.AsyncClient() as http:
        assert (await http.get(pdf["url"])).content.startswith(b"%PDF-")
    [mail] = (await payment_details(world, payment)).mails
    assert (mail.status, mail.recipient_masked) == ("sent", "c***@example.net")
    assert mail.id in receipt["headers"]["Message-ID"]

    await request_refund(world, payment, 50_000, "Не подошёл цвет")
    await run_until_idle(world)
    refund_mail, _ = await list_mails(world, address)
    assert "500,00" in refund_mail["subject"] + refund_mail["text"]
    assert refund_mail["attachments"][0]["content_type"] == "application/pdf"


async def test_client_without_an_email_gets_no_mail(world: World) -> None:
    before = len(world.sandbox.mailbox.emails)
    payment = await world.complete_payment(await world.create_invoice(questions=()))
    await run_until_idle(world)
    assert (await payment_details(world, payment)).mails == ()
    assert len(world.sandbox.mailbox.emails) == before


async def test_owner_gets_a_mail_about_an_extra_payment(world: World) -> None:
    old_ids = {email["id"] for email in await list_mails(world, OWNER)}
    invoice = await world.create_invoice()
    attempts = [await world.start_payment(invoice, payer=payer) for payer in ("one", "two")]
    for payment in attempts:
        await world.pay(payment)
    await run_until_idle(world)
    [extra] = [
        p
        for p in attempts
        if (await payment_details(world, p)).payment.attention is Attention.EXTRA
    ]
    [alert] = [email for email in await list_mails(world, OWNER) if email["id"] not in old_ids]
    assert f"/payments/{extra.id}" in alert["text"]
    assert "client@example.net" not in alert["text"]
