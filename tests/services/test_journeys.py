"""What reaches people's mailboxes on the way from a link to a receipt and back."""

import httpx

from sigma.domain.billing.payment import Attention
from tests.services.acts import details, letters, refund, settle_down
from tests.world import World

OWNER = "owner@example.org"


async def test_a_paid_client_gets_the_receipt_with_its_pdf_and_then_news_of_the_refund(
    world: World,
) -> None:
    address = f"client-{world.account}@example.net"
    payment = await world.paid(email=address)
    await settle_down(world)
    [receipt] = await letters(world, address)
    assert "1\u00a0500,00" in receipt["text"]
    assert f"/r/{payment.token}" in receipt["text"]
    assert f"/r/{payment.token}" in receipt["html"]
    [pdf] = receipt["attachments"]
    assert pdf["content_type"] == "application/pdf"
    async with httpx.AsyncClient() as http:
        assert (await http.get(pdf["url"])).content.startswith(b"%PDF-")
    [mail] = (await details(world, payment)).mails
    assert (mail.status, mail.to_masked) == ("sent", "c***@example.net")
    assert mail.id in receipt["headers"]["Message-ID"]

    await refund(world, payment, 50_000, "Не подошёл цвет")
    await settle_down(world)
    news, _ = await letters(world, address)
    assert "500,00" in news["subject"] + news["text"]
    assert news["attachments"][0]["content_type"] == "application/pdf"


async def test_a_client_who_was_asked_for_no_address_gets_no_letter(world: World) -> None:
    before = len(world.sandbox.mail.letters)
    payment = await world.paid(await world.invoice(questions=()))
    await settle_down(world)
    assert (await details(world, payment)).mails == ()
    assert len(world.sandbox.mail.letters) == before


async def test_the_owner_is_written_to_when_money_must_go_back(world: World) -> None:
    before = {letter["id"] for letter in await letters(world, OWNER)}
    invoice = await world.invoice()
    tabs = [await world.started(invoice, payer=payer) for payer in ("one", "two")]
    for payment in tabs:
        await world.pay(payment)
    await settle_down(world)
    [extra] = [p for p in tabs if (await details(world, p)).payment.attention is Attention.EXTRA]
    [told] = [letter for letter in await letters(world, OWNER) if letter["id"] not in before]
    assert f"/payments/{extra.id}" in told["text"]
    assert "client@example.net" not in told["text"]
