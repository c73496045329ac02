"""Orders of VK's own advanced shop: seen beside the dialog, invoiced once, told when paid."""

import uuid
from typing import Any

import pytest

from sigma.domain.errors import Refused
from sigma.domain.messaging.card import Order
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.communities import communities
from sigma.services.context import MINUTE
from sigma.services.invoice_cards import vk_orders
from sigma.store.billing import mails
from sigma_sandbox.vk.wire.market_json import order_json
from tests.dialog_money import greeted, issued, now_of, order_of, pays, refresh, refunds_some
from tests.vk_world import VkWorld


async def order_at_vk(world: VkWorld) -> dict[str, Any]:
    """The client has ordered one thing in the community's shop; the event that tells of it."""
    group = f"communities/{world.group_id}"
    await world.vk_test(group, market="advanced")
    item = await world.vk_test(f"{group}/items", title="Набор кистей", price=150_000)
    who = {"person_id": world.person, "group_id": world.group_id}
    await world.vk_test("orders", **who, lines=[[item["item_id"], 1]], comment="Домофон 12")
    return event(world, "market_order_new")


def event(world: VkWorld, kind: str) -> dict[str, Any]:
    """What VK tells an address of ours about the order; the long poll does not tell it."""
    said = order_json(world.sandbox.vk, at_vk(world))
    return {
        "type": kind,
        "event_id": uuid.uuid4().hex,
        "v": "5.199",
        "group_id": world.group_id,
        "object": said,
    }


async def ordered(world: VkWorld) -> Order:
    """Sigma has heard of an order."""
    await world.hooks([await order_at_vk(world)])
    return await order_of(world)


def at_vk(world: VkWorld) -> Any:
    """The order as it lies in VK."""
    (found,) = [o for o in world.sandbox.vk.orders.values() if o.group_id == world.group_id]
    return found


async def test_an_order_stands_beside_its_dialog_once(vk_world: VkWorld) -> None:
    told = await order_at_vk(vk_world)
    await vk_world.hooks([told] * 3 + [told | {"event_id": "another-1"}])
    order = await order_of(vk_world)
    assert (order.amount, order.told) == (Money(150_000), "")
    assert order.display_id
    assert "Домофон" not in order.body_sealed
    async with vk_world.ctx.db.read() as tx:
        story = await mails.timeline(tx, order.id)
    assert [one.kind for one in story] == ["order.came"]


async def test_orders_are_asked_for_where_the_long_poll_does_not_tell_of_them(
    vk_world: VkWorld,
) -> None:
    await order_at_vk(vk_world)
    await vk_world.change_community(rights=("manage", "messages", "market"))
    now = vk_world.ctx.now()
    again = await vk_orders.read(vk_world.ctx, vk_world.community_id)
    assert again is not None
    assert again - now < 3 * MINUTE
    order = await order_of(vk_world)
    assert order.amount == Money(150_000)
    await vk_orders.read(vk_world.ctx, vk_world.community_id)
    assert await order_of(vk_world) == order


async def test_orders_are_not_asked_for_in_vain(vk_world: VkWorld) -> None:
    assert await vk_orders.read(vk_world.ctx, vk_world.community_id) is None, "the key may not"
    await vk_world.change_community(rights=("manage", "messages", "market"))
    again = await vk_orders.read(vk_world.ctx, vk_world.community_id)
    assert again is not None, "the shop may become an advanced one"
    assert again - vk_world.ctx.now() > 50 * MINUTE
    await vk_world.vk_test(f"communities/{vk_world.group_id}/revoke")
    assert await vk_orders.read(vk_world.ctx, vk_world.community_id) is None
    assert (await vk_world.community()).trouble == "5"
    assert await vk_orders.read(vk_world.ctx, vk_world.connection.id) is None


async def test_vk_is_told_that_an_order_is_paid_and_where_the_receipt_is(
    vk_world: VkWorld,
) -> None:
    order = await ordered(vk_world)
    invoice = await issued(vk_world, order_id=order.id)
    assert (await order_of(vk_world)).invoice_id == invoice.id
    await vk_world.work()
    assert at_vk(vk_world).payment_status in ("", "not_paid")
    payment = await pays(vk_world, invoice)
    await vk_world.work()
    there = at_vk(vk_world)
    assert there.payment_status == "paid"
    assert there.receipt_link.endswith(f"/r/{payment.token}")
    assert (await order_of(vk_world)).told == "paid"
    await vk_world.vk_control(vk_error={"on": "market.editOrder", "value": 15})
    await refresh(vk_world, invoice.id)
    assert (await order_of(vk_world)).told == "paid", "what VK knows it is not told again"
    await vk_world.vk_control(vk_error=None)

    await refunds_some(vk_world, payment, 50_000)
    assert at_vk(vk_world).payment_status == "paid", "a part of the money is still with the shop"
    await refunds_some(vk_world, payment, 100_000)
    assert at_vk(vk_world).payment_status == "returned"
    assert (await order_of(vk_world)).told == "returned"
    await vk_world.hooks([event(vk_world, "market_order_edit")])  # VK tells of our own edits
    assert (await order_of(vk_world)).told == "returned"


@pytest.mark.parametrize("trouble", ["vk_http_500", "vk_cut_answer"])
async def test_a_lost_answer_is_asked_again(vk_world: VkWorld, trouble: str) -> None:
    order = await ordered(vk_world)
    invoice = await issued(vk_world, order_id=order.id)
    await vk_world.work()
    await vk_world.vk_control(**{trouble: {"on": "market.editOrder", "times": 9}})
    await pays(vk_world, invoice)
    await vk_world.work()
    assert (await order_of(vk_world)).told == ""
    await vk_world.vk_control(**{trouble: None})
    await vk_world.move(minutes=20)
    await vk_world.work()
    assert (await order_of(vk_world)).told == "paid"
    assert at_vk(vk_world).payment_status == "paid"


async def test_a_plain_no_of_vk_is_kept_for_the_operator_and_tried_after_mending(
    vk_world: VkWorld,
) -> None:
    order = await ordered(vk_world)
    invoice = await issued(vk_world, order_id=order.id)
    await vk_world.work()
    await vk_world.vk_control(vk_error={"on": "market.editOrder", "value": 15})
    await pays(vk_world, invoice)
    await vk_world.work()
    assert (await order_of(vk_world)).told == "no:15"
    await vk_world.vk_control(vk_error=None)
    made = await vk_world.new_key("manage", "messages", "photos", "market")
    await communities.mend(vk_world.ctx, vk_world.member, vk_world.community_id, made)
    await vk_world.work()
    assert (await order_of(vk_world)).told == "paid"


async def test_an_order_is_invoiced_once_until_the_invoice_is_void(vk_world: VkWorld) -> None:
    order = await ordered(vk_world)
    first = await issued(vk_world, order_id=order.id)
    with pytest.raises(Refused) as no:
        await issued(vk_world, order_id=order.id)
    assert (no.value.problems[0].field, no.value.problems[0].code) == ("order", "order_invoiced")
    await invoices.void(vk_world.ctx, vk_world.member, first.id)
    second = await issued(vk_world, order_id=order.id)
    assert (await order_of(vk_world)).invoice_id == second.id
    await pays(vk_world, second)
    with pytest.raises(Refused):
        await issued(vk_world, order_id=order.id)
    assert (await now_of(vk_world, second)).paid_count == 1


async def test_an_order_of_another_dialog_or_shop_is_not_there(vk_world: VkWorld) -> None:
    order = await ordered(vk_world)
    other = await vk_world.new_person()
    await greeted(vk_world, other)
    for order_id in (order.id, "ord_no"):
        with pytest.raises(Refused) as no:
            await issued(vk_world, other, order_id=order_id)
        assert no.value.code == "not_found"
    assert (await vk_orders.get(vk_world.ctx, vk_world.member, order.id)).id == order.id
    assert (await order_of(vk_world)).invoice_id is None
