"""Whose payment it is: the mark of the dialog's link, the browser that opened it, and forgeries."""

from dataclasses import replace

import pytest

from sigma.domain.messaging.card import Face
from sigma.services.checkout import checkout
from sigma.services.invoice_cards import cards, payment_links
from sigma.store.encryption import Sealer
from tests.dialog_money import card_of, greeted, in_dialog, issued, mark_at_vk, opens, pays
from tests.vk_world import VkWorld


async def test_the_browser_that_opened_the_link_is_the_clients(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    dialog = await vk_world.conversation()
    await opens(vk_world, invoice, "phone")
    payment = await pays(vk_world, invoice, "phone")
    assert payment.conversation_id == dialog.id, "the page was reloaded: the mark is gone, not he"


async def test_a_page_without_scripts_is_opened_by_its_form(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    payment = await pays(vk_world, invoice, "phone", await mark_at_vk(vk_world))
    assert payment.conversation_id == (await vk_world.conversation()).id
    assert (await card_of(vk_world, invoice)).opened_at is not None


async def test_a_payment_by_another_person_is_taken_and_not_called_the_clients(
    vk_world: VkWorld,
) -> None:
    invoice = await in_dialog(vk_world)
    await opens(vk_world, invoice, "client")
    payment = await pays(vk_world, invoice, "friend", await mark_at_vk(vk_world))  # sent on whole
    assert payment.status.value == "captured"
    assert payment.conversation_id is None
    await vk_world.work()
    assert (await card_of(vk_world, invoice)).face is Face.PAID


async def test_the_plain_link_proves_nothing(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    payment = await pays(vk_world, invoice, "somebody")
    assert payment.conversation_id is None
    assert (await card_of(vk_world, invoice)).opened_at is None


async def test_a_browser_without_cookies_is_known_by_its_form(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    mark = await mark_at_vk(vk_world)
    await cards.opened(vk_world.ctx, invoice.token, mark, "")
    opened = await card_of(vk_world, invoice)
    assert (opened.opened_at is not None, opened.payer) == (True, "")
    payment = await pays(vk_world, invoice, "form-1", mark)
    assert payment.conversation_id == (await vk_world.conversation()).id
    assert (await card_of(vk_world, invoice)).opened_at == opened.opened_at


async def test_a_payment_that_is_taken_up_again_stays_the_clients(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    mark = await mark_at_vk(vk_world)
    form = replace(vk_world.form("phone"), mark=mark)
    one = await checkout.start(vk_world.ctx, invoice.token, form)
    two = await checkout.start(vk_world.ctx, invoice.token, vk_world.form("phone"))
    assert one.id == two.id
    assert two.conversation_id == (await vk_world.conversation()).id


@pytest.mark.parametrize(
    "kind", ["cut", "other", "swapped", "zeroes", "empty", "long", "letters", "sql"]
)
async def test_a_forged_mark_changes_nothing(vk_world: VkWorld, kind: str) -> None:
    invoice = await in_dialog(vk_world)
    mark = await mark_at_vk(vk_world)
    forged = {
        "cut": mark[:-1],
        "other": mark[:-1] + ("A" if mark[-1] != "A" else "B"),
        "swapped": mark.swapcase(),
        "zeroes": "A" * len(mark),
        "empty": "",
        "long": mark * 500,
        "letters": "я" * len(mark),
        "sql": "' OR 1=1 --     ",
    }[kind]
    await cards.opened(vk_world.ctx, invoice.token, forged, "thief")
    payment = await pays(vk_world, invoice, "thief", forged)
    assert payment.conversation_id is None
    card = await card_of(vk_world, invoice)
    assert (card.opened_at, card.payer) == (None, "")


async def test_a_mark_of_another_invoice_changes_nothing(vk_world: VkWorld) -> None:
    other = await in_dialog(vk_world)
    mark = await mark_at_vk(vk_world)
    invoice = await issued(vk_world)
    await cards.opened(vk_world.ctx, invoice.token, mark, "client")
    await cards.opened(vk_world.ctx, "no-such-token", mark, "client")
    assert (await pays(vk_world, invoice, "client", mark)).conversation_id is None
    assert (await card_of(vk_world, invoice)).opened_at is None
    assert (await card_of(vk_world, other)).opened_at is None


async def test_a_mark_is_good_for_one_installation_only(vk_world: VkWorld) -> None:
    await greeted(vk_world)
    invoice = await issued(vk_world)
    card = await card_of(vk_world, invoice)
    url = payment_links.link(vk_world.ctx, invoice, card.id)
    mark = url.partition("?d=")[2]
    assert (len(mark), payment_links.looks_right(mark)) == (16, True)
    assert mark == payment_links.mark_of(vk_world.ctx, card.id)
    elsewhere = replace(vk_world.ctx, sealer=Sealer(["another installation's secret key"]))
    assert payment_links.mark_of(elsewhere, card.id) != mark
    async with vk_world.ctx.db.read() as tx:
        found = await payment_links.card_of(vk_world.ctx, tx, invoice.id, mark)
        assert found is not None and found.id == card.id  # noqa: PT018
        assert await payment_links.card_of(elsewhere, tx, invoice.id, mark) is None
