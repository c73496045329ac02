"""After many kinds of payments and conversations neither the database nor the log holds a card
number, an answer, a message text or a secret in plain text.
"""

import contextlib
import json

import pytest

from sigma.channels.vk import groups
from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.billing.payment import Attention
from sigma.domain.errors import RefusedError
from sigma.providers.base import UnknownOutcomeError
from sigma.services.billing import invoices, mails, payments
from sigma.services.communities import communities, event_intake
from sigma.services.vk.community_client import open_client
from tests import leaks
from tests.conversation_invoices import (
    issue_and_send,
    link_signature,
    open_payment_link,
    pay_invoice,
)
from tests.services.actions import (
    deliver_notice,
    make_payment_notice,
    payment_details,
    refusal_code,
    request_refund,
    run_until_idle,
    try_advance,
)
from tests.vk_world import CALLBACK_SECRET, VkWorld
from tests.world import QUESTIONS, World

pytestmark = pytest.mark.both_databases


WITHOUT_3DS, WITH_3DS, DECLINED = "4111111111111111", "2200000000000004", "5555555555554600"


TABLES_OF_PAYMENTS = (
    *("acquirer_notices", "answers", "consents", "mails", "receipts", "refunds"),
    "timeline_events",
)
TABLES_OF_CONVERSATIONS = (
    *("cards", "communities", "messages", "search_tokens"),
    *("timeline_events", "vk_events"),
)


async def run_payments(world: World) -> None:
    """Make declined, captured, unknown, extra and refunded payments and a failed mail."""
    invoice = await world.create_invoice(max_payments=2)
    assert (
        await refusal_code(world.start_payment(invoice, email="client@example.net@"))
        == "validation"
    )
    declined = await world.start_payment(invoice)
    await world.pay(declined, DECLINED)
    await try_advance(world, declined)
    attempts = [
        await world.start_payment(invoice, payer=payer) for payer in ("one", "two", "three")
    ]
    for payment, card in zip(attempts, (WITHOUT_3DS, WITH_3DS, WITHOUT_3DS), strict=True):
        await world.pay(payment, card)
    *_, extra = attempts
    assert extra.provider_id
    await deliver_notice(world, await make_payment_notice(world, extra.provider_id))
    await world.inject_faults(
        cut_answer={"on": "get", "times": 1}, garbage={"on": "refund", "times": 1}
    )
    with pytest.raises(UnknownOutcomeError):
        await payments.advance(world.ctx, extra.id)
    for payment in attempts:
        await try_advance(world, payment)
    await run_until_idle(world)
    assert (await payment_details(world, extra)).payment.attention is Attention.EXTRA
    await request_refund(world, extra, 150_000, "Лишний платёж")
    await run_until_idle(world)
    await world.inject_faults(shop=None, mail_refuse={"on": "client@example.net", "times": 1})
    await mails.resend(world.ctx, world.member, extra.id)
    await run_until_idle(world)
    assert (await payment_details(world, extra)).mails[-1].status is MailStatus.FAILED
    await invoices.void(world.ctx, world.member, (await world.create_invoice()).id)


async def test_payments_leave_no_card_and_no_answer_in_plain_text(world: World) -> None:
    with leaks.captured_log() as log:
        await run_payments(world)
        log_text = log.getvalue()
    tables = await leaks.dump_tables(world.ctx.db)
    for name in TABLES_OF_PAYMENTS:
        assert tables[name], f"nothing was written to {name}"
    assert {
        name: leaked for name, text in tables.items() if (leaked := leaks.find_leaks(text))
    } == {}
    assert '"event":"job.rescheduled"' in log_text
    assert leaks.find_leaks(log_text) == []


async def run_conversation(world: VkWorld) -> list[str]:
    """Run a conversation with replies, errors, forged events, an invoice and a payment.

    Return the texts and secrets that must not be stored in plain text.
    """
    ctx, question, reply = world.ctx, "Стесняюсь спросить про вросший ноготь", "Врач примет тайно"
    link = {"type": "link", "link": {"url": "https://example.com/koshelek", "title": "Кошелёк мой"}}
    await world.write_as_client(question, attachments=[link], payload='{"wish": "тихо-тихо"}')
    (event,) = await world.take_events()
    long_poll = await groups.fetch_long_poll_server(
        (await open_client(ctx, world.community_id)).api, world.group_id
    )
    assert await world.deliver_callback(event) == "ok"
    community = await event_intake.access_community(ctx, world.community_id)
    for forged in (
        {"secret": "guess"},
        {"group_id": 1},
        {"object": {"message": {"text": question}}},
    ):
        with contextlib.suppress(RefusedError):
            await event_intake.accept_callback(
                ctx,
                community,
                json.dumps({"secret": CALLBACK_SECRET} | event | forged).encode(),
                0,
            )
    broken = event | {"event_id": "broken", "object": {"message": {"text": question, "peer_id": 7}}}
    await world.deliver_callbacks([broken])
    await world.inject_vk_faults(vk_error={"on": "messages.send", "value": 901, "times": 1})
    await world.post_message(reply)
    await world.run_jobs()
    await world.inject_vk_faults(vk_cut_answer={"on": "messages.send", "times": 4})
    await world.post_message(reply)
    await world.run_jobs()
    await world.inject_vk_faults(vk_cut_answer=None)
    await world.advance_clocks(minutes=20)
    await world.poll_events()
    invoice = await issue_and_send(world, questions=QUESTIONS)
    signature = await link_signature(world)
    await open_payment_link(world, invoice)
    await pay_invoice(world, invoice)
    await world.run_jobs()
    await world.inject_vk_faults(vk_error={"on": "messages.send", "value": 5, "times": 1})
    await world.post_message(reply)
    await world.run_jobs()
    with contextlib.suppress(RefusedError):
        await communities.replace_key(ctx, world.member, world.community_id, world.access_key)
    await world.run_jobs()
    return [
        *(question, "вросший", "ноготь", reply, "тайно", "Кошелёк мой", "koshelek", "тихо-тихо"),
        *(CALLBACK_SECRET, world.access_key, long_poll.key, signature),
    ]


async def test_conversation_leaves_no_text_and_no_secret_in_plain_text(vk_world: VkWorld) -> None:
    with leaks.captured_log() as log:
        secrets = await run_conversation(vk_world)
        log_text = log.getvalue()
    tables = await leaks.dump_tables(vk_world.ctx.db)
    for name in TABLES_OF_CONVERSATIONS:
        assert tables[name], f"nothing was written to {name}"
    forbidden = (*leaks.ANSWERS, *secrets)
    assert {
        name: leaked
        for name, text in tables.items()
        if (leaked := leaks.find_leaks(text, forbidden))
    } == {}
    assert '"event":"vk_event.forged"' in log_text
    assert leaks.find_leaks(log_text, forbidden) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"mail": "Client@Example.net"}',
        "+79167654321",
        "tel: 8 916 765-43-21.",
        '"\\u0431\\u0435\\u0437 \\u043b\\u0430\\u043a\\u0430"',
        "number=4111111111111111",
        "4111 1111 1111 1111",
        "5555-5555-5555-4600",
    ],
)
def test_leak_is_found_in_any_spelling(text: str) -> None:
    assert len(leaks.find_leaks(text)) == 1


def test_masked_values_are_not_reported_as_leaks() -> None:
    assert leaks.find_leaks("411111******1111 c***@example.net 1795516394816395") == []
