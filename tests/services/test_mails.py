"""Mails of a payment: the receipt, the refund notice and the alert to the owner."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sigma.channels.email import MailRejectedError
from sigma.domain.billing.payment import Attention
from sigma.services.accounts import shops
from sigma.services.billing import mails
from sigma.store.encrypted_columns import EncryptedColumn
from tests.crash_injection import ProcessKilledError
from tests.encrypted_rows import dump_encrypted
from tests.lossy_mailer import LOST_REPLY, with_lossy_mailer
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


@asynccontextmanager
async def _changed_meanwhile(world: World) -> AsyncIterator[str]:
    """Yield the id of a queued receipt, whose first attempt is the block; then comes the second.

    In between everything changes that the letter names: the shop, and the payment is refunded.
    """
    address = f"client-{world.account}@example.net"
    payment = await world.complete_payment(email=address)
    [mail] = (await payment_details(world, payment)).mails
    yield mail.id
    world.shop = await shops.save_seller(
        world.ctx,
        world.member,
        name="Другая студия",
        seller=replace(world.shop.seller, full_name="ИП Иной Пётр", email="other@example.com"),
        tz="Asia/Vladivostok",
        accent="",
        return_url="https://vk.me/studio",
        consent_text="",
    )
    await request_refund(world, payment, 150_000)
    await run_until_idle(world)


async def _letters(world: World, mail_id: str) -> list[dict[str, Any]]:
    received = await list_mails(world, f"client-{world.account}@example.net")
    return [letter for letter in received if mail_id in letter["headers"]["Message-ID"]]


def _words(letter: dict[str, Any]) -> tuple[Any, ...]:
    headers = [letter["headers"].get(name) for name in ("From", "Reply-To", "Message-ID")]
    return letter["subject"], letter["text"], letter["html"], *headers


@pytest.mark.parametrize(
    "error",
    [
        ProcessKilledError("between the ok and the note"),
        LOST_REPLY,
    ],
    ids=["killed", "lost reply"],
)
async def test_letter_that_may_have_arrived_is_sent_again_with_the_same_words(
    world: World, error: BaseException
) -> None:
    async with _changed_meanwhile(world) as mail_id:
        with suppress(ProcessKilledError):
            assert await mails.send(with_lossy_mailer(world.ctx, error), mail_id)
    letters = await _letters(world, mail_id)
    assert len(letters) == 2
    assert _words(letters[0]) == _words(letters[1])
    assert "Другая" not in letters[0]["headers"]["From"]


async def test_letter_that_was_refused_is_written_anew(world: World) -> None:
    busy = {"on": f"client-{world.account}@example.net", "times": 1}
    async with _changed_meanwhile(world) as mail_id:
        world.sandbox.faults.update({"mail_busy": busy})
        assert await mails.send(world.ctx, mail_id), "it is tried again"
    [letter] = await _letters(world, mail_id)
    assert "Другая студия" in letter["headers"]["From"]


async def test_words_of_a_letter_are_deleted_when_it_is_sent_or_has_failed(world: World) -> None:
    stored = []
    for error in (None, MailRejectedError(is_permanent=True, reply="no", is_outcome_unknown=True)):
        payment = await world.complete_payment(await world.create_invoice())
        [mail] = (await payment_details(world, payment)).mails
        assert await mails.send(with_lossy_mailer(world.ctx, error), mail.id) is None
        stored += [cell for cell in await dump_encrypted(world.ctx) if cell[1] == mail.id]
    assert not [column for column, _ in stored if column is EncryptedColumn.MAIL_CONTENT]
