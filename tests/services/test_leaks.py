"""After a whole journey neither the database nor the log holds a card number, an answer, a word of
a dialog or a key in the clear.
"""

import contextlib
import json

import pytest

from sigma.channels.vk import groups
from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.billing.payment import Attention
from sigma.domain.errors import Refused
from sigma.providers.base import Unknown
from sigma.services.billing import invoices, mails, payments
from sigma.services.communities import communities, event_intake
from sigma.services.vk.community_client import line
from tests import leaks
from tests.dialog_money import in_dialog, mark_at_vk, opens, pays
from tests.services.acts import advanced, details, refund, refused, settle_down, tell, told_of
from tests.vk_world import SECRET, VkWorld
from tests.world import ASK, World

WITHOUT_3DS, WITH_3DS, DECLINED = "4111111111111111", "2200000000000004", "5555555555554600"


async def journey(world: World) -> None:
    """Declined, paid, lost, one too many, given back, mailed, refused, called off."""
    invoice = await world.invoice(max_payments=2)
    assert await refused(world.started(invoice, email="client@example.net@")) == "validation"
    declined = await world.started(invoice)
    await world.pay(declined, DECLINED)
    await advanced(world, declined)
    tabs = [await world.started(invoice, payer=payer) for payer in ("one", "two", "three")]
    for payment, card in zip(tabs, (WITHOUT_3DS, WITH_3DS, WITHOUT_3DS), strict=True):
        await world.pay(payment, card)
    *_, extra = tabs
    assert extra.provider_id
    await tell(world, await told_of(world, extra.provider_id))
    await world.control(cut_answer={"on": "get", "times": 1}, garbage={"on": "refund", "times": 1})
    with pytest.raises(Unknown):
        await payments.advance(world.ctx, extra.id)
    for payment in tabs:
        await advanced(world, payment)
    await settle_down(world)
    assert (await details(world, extra)).payment.attention is Attention.EXTRA
    await refund(world, extra, 150_000, "Лишний платёж")
    await settle_down(world)
    await world.control(shop=None, mail_refuse={"on": "client@example.net", "times": 1})
    await mails.resend(world.ctx, world.member, extra.id)
    await settle_down(world)
    assert (await details(world, extra)).mails[-1].status is MailStatus.FAILED
    await invoices.void(world.ctx, world.member, (await world.invoice()).id)


async def test_a_whole_journey_leaves_no_card_and_no_answer_in_the_clear(world: World) -> None:
    with leaks.kept_log() as log:
        await journey(world)
        lines = log.getvalue()
    kept = await leaks.dump(world.ctx.db)
    for name in ("answers", "consents", "happenings", "mails", "notices", "receipts", "refunds"):
        assert kept[name], f"the journey wrote no {name}"
    assert {name: found for name, text in kept.items() if (found := leaks.leaks(text))} == {}
    assert '"event":"job.later"' in lines
    assert leaks.leaks(lines) == []


async def dialog_journey(world: VkWorld) -> list[str]:
    """Asked, answered, refused, lost, invoiced, paid and ordered in a dialog; what nobody else
    may read of it.
    """
    ctx, question, reply = world.ctx, "Стесняюсь спросить про вросший ноготь", "Врач примет тайно"
    link = {"type": "link", "link": {"url": "https://example.com/koshelek", "title": "Кошелёк мой"}}
    await world.client_writes(question, attachments=[link], payload='{"wish": "тихо-тихо"}')
    (event,) = await world.told()
    longpoll = await groups.longpoll_server(
        (await line(ctx, world.community_id)).vk, world.group_id
    )
    assert await world.hook(event) == "ok"
    for forged in (
        {"secret": "guess"},
        {"group_id": 1},
        {"object": {"message": {"text": question}}},
    ):
        with contextlib.suppress(Refused):
            await event_intake.take(
                ctx, world.community_id, json.dumps({"secret": SECRET} | event | forged).encode(), 0
            )
    broken = event | {"event_id": "broken", "object": {"message": {"text": question, "peer_id": 7}}}
    await world.hooks([broken])
    await world.vk_control(vk_error={"on": "messages.send", "value": 901, "times": 1})
    await world.write(reply)
    await world.work()
    await world.vk_control(vk_cut_answer={"on": "messages.send", "times": 4})
    await world.write(reply)
    await world.work()
    await world.vk_control(vk_cut_answer=None)
    await world.move(minutes=20)
    await world.hear()
    invoice = await in_dialog(world, questions=ASK)
    mark = await mark_at_vk(world)
    await opens(world, invoice)
    await pays(world, invoice)
    await world.work()
    await world.vk_control(vk_error={"on": "messages.send", "value": 5, "times": 1})
    await world.write(reply)
    await world.work()
    with contextlib.suppress(Refused):
        await communities.mend(ctx, world.member, world.community_id, world.token)
    await world.work()
    return [
        *(question, "вросший", "ноготь", reply, "тайно", "Кошелёк мой", "koshelek", "тихо-тихо"),
        *(SECRET, world.token, longpoll.key, mark),
    ]


async def test_a_dialog_leaves_no_word_no_key_and_no_secret_in_the_clear(vk_world: VkWorld) -> None:
    with leaks.kept_log() as log:
        secrets = await dialog_journey(vk_world)
        lines = log.getvalue()
    kept = await leaks.dump(vk_world.ctx.db)
    for name in ("messages", "notices", "conversation_words", "cards", "communities", "happenings"):
        assert kept[name], f"the journey wrote no {name}"
    hidden = (*leaks.ANSWERS, *secrets)
    assert {n: found for n, text in kept.items() if (found := leaks.leaks(text, hidden))} == {}
    assert '"event":"vk.forged"' in lines
    assert leaks.leaks(lines, hidden) == []


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
def test_what_leaks_is_found_in_any_spelling(text: str) -> None:
    assert len(leaks.leaks(text)) == 1


def test_what_may_be_kept_is_no_leak() -> None:
    assert leaks.leaks("411111******1111 c***@example.net 1795516394816395") == []
