"""VK orders of a community's advanced shop: recorded, invoiced once, reported to VK when paid."""

import uuid
from typing import Any

import pytest

from sigma.domain.errors import RefusedError
from sigma.domain.messaging.vk_order import VkOrder
from sigma.domain.money import Money
from sigma.domain.time_units import MINUTE_US
from sigma.services.billing import invoices
from sigma.services.communities import communities
from sigma.services.invoice_cards import vk_orders
from sigma.store.billing import timeline as timeline_rows
from sigma_sandbox.vk.wire.market_json import order_json
from tests.conversation_invoices import (
    get_vk_order,
    issue_invoice,
    pay_invoice,
    refresh_card,
    refund_part,
    reload_invoice,
    start_conversation,
)
from tests.vk_world import VkWorld


async def place_order(world: VkWorld) -> dict[str, Any]:
    """Place an order for one item in VK and return the event that announces it."""
    group = f"communities/{world.group_id}"
    await world.call_vk_test_api(group, market="advanced")
    item = await world.call_vk_test_api(f"{group}/items", title="Набор кистей", price=150_000)
    target = {"person_id": world.client_id, "group_id": world.group_id}
    await world.call_vk_test_api(
        "orders", **target, lines=[[item["item_id"], 1]], comment="Домофон 12"
    )
    return order_event(world, "market_order_new")


def order_event(world: VkWorld, kind: str) -> dict[str, Any]:
    """Return VK's callback event about the order; the long poll never delivers these events."""
    order = order_json(world.sandbox.vk, vk_order_of(world))
    return {
        "type": kind,
        "event_id": uuid.uuid4().hex,
        "v": "5.199",
        "group_id": world.group_id,
        "object": order,
    }


async def receive_order(world: VkWorld) -> VkOrder:
    """Place an order, deliver its event and return the stored order."""
    await world.deliver_callbacks([await place_order(world)])
    return await get_vk_order(world)


def vk_order_of(world: VkWorld) -> Any:
    """Return the only order of the community in the sandbox's VK."""
    (found,) = [o for o in world.sandbox.vk.orders.values() if o.group_id == world.group_id]
    return found


async def test_repeated_order_event_creates_one_order(vk_world: VkWorld) -> None:
    created = await place_order(vk_world)
    await vk_world.deliver_callbacks([created] * 3 + [created | {"event_id": "another-1"}])
    order = await get_vk_order(vk_world)
    assert (order.amount, order.vk_payment_status) == (Money(150_000), "")
    assert order.display_id
    assert "Домофон" not in order.body_encrypted
    async with vk_world.ctx.db.read() as tx:
        timeline = await timeline_rows.list_for_subject(tx, order.id, limit=10)
    assert [entry.kind for entry in timeline] == ["vk_order.received"]


async def test_orders_are_fetched_when_events_come_by_long_poll(vk_world: VkWorld) -> None:
    await place_order(vk_world)
    await vk_world.update_community(key_scopes=("manage", "messages", "market"))
    now_us = vk_world.ctx.now_us()
    next_fetch_at_us = await vk_orders.fetch(vk_world.ctx, vk_world.community_id)
    assert next_fetch_at_us is not None
    assert next_fetch_at_us - now_us < 3 * MINUTE_US
    order = await get_vk_order(vk_world)
    assert order.amount == Money(150_000)
    await vk_orders.fetch(vk_world.ctx, vk_world.community_id)
    assert await get_vk_order(vk_world) == order


async def test_orders_are_not_fetched_without_the_right_or_the_shop(vk_world: VkWorld) -> None:
    assert await vk_orders.fetch(vk_world.ctx, vk_world.community_id) is None, (
        "the key lacks the market right"
    )
    await vk_world.update_community(key_scopes=("manage", "messages", "market"))
    next_fetch_at_us = await vk_orders.fetch(vk_world.ctx, vk_world.community_id)
    assert next_fetch_at_us is not None, "checked again: the owner may enable the advanced shop"
    assert next_fetch_at_us - vk_world.ctx.now_us() > 50 * MINUTE_US
    await vk_world.call_vk_test_api(f"communities/{vk_world.group_id}/revoke")
    assert await vk_orders.fetch(vk_world.ctx, vk_world.community_id) is None
    assert (await vk_world.community()).error_code == "5"
    assert await vk_orders.fetch(vk_world.ctx, vk_world.connection.id) is None


async def test_payment_and_refund_are_reported_to_vk(vk_world: VkWorld) -> None:
    order = await receive_order(vk_world)
    invoice = await issue_invoice(vk_world, order_id=order.id)
    assert (await get_vk_order(vk_world)).invoice_id == invoice.id
    await vk_world.run_jobs()
    assert vk_order_of(vk_world).payment_status in ("", "not_paid")
    payment = await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    vk_order = vk_order_of(vk_world)
    assert vk_order.payment_status == "paid"
    assert vk_order.receipt_link.endswith(f"/r/{payment.token}")
    assert (await get_vk_order(vk_world)).vk_payment_status == "paid"
    await vk_world.inject_vk_faults(vk_error={"on": "market.editOrder", "value": 15})
    await refresh_card(vk_world, invoice.id)
    assert (await get_vk_order(vk_world)).vk_payment_status == "paid", (
        "a reported status is not sent again"
    )
    await vk_world.inject_vk_faults(vk_error=None)

    await refund_part(vk_world, payment, 50_000)
    assert vk_order_of(vk_world).payment_status == "paid", "a partial refund leaves the order paid"
    await refund_part(vk_world, payment, 100_000)
    assert vk_order_of(vk_world).payment_status == "returned"
    assert (await get_vk_order(vk_world)).vk_payment_status == "returned"
    await vk_world.deliver_callbacks(
        [order_event(vk_world, "market_order_edit")]
    )  # VK reports our own edits
    assert (await get_vk_order(vk_world)).vk_payment_status == "returned"


@pytest.mark.parametrize("fault", ["vk_http_500", "vk_cut_answer"])
async def test_report_with_a_lost_answer_is_retried(vk_world: VkWorld, fault: str) -> None:
    order = await receive_order(vk_world)
    invoice = await issue_invoice(vk_world, order_id=order.id)
    await vk_world.run_jobs()
    await vk_world.inject_vk_faults(**{fault: {"on": "market.editOrder", "times": 9}})
    await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    assert (await get_vk_order(vk_world)).vk_payment_status == ""
    await vk_world.inject_vk_faults(**{fault: None})
    await vk_world.advance_clocks(minutes=20)
    await vk_world.run_jobs()
    assert (await get_vk_order(vk_world)).vk_payment_status == "paid"
    assert vk_order_of(vk_world).payment_status == "paid"


async def test_rejected_report_is_stored_and_retried_with_a_new_key(vk_world: VkWorld) -> None:
    order = await receive_order(vk_world)
    invoice = await issue_invoice(vk_world, order_id=order.id)
    await vk_world.run_jobs()
    await vk_world.inject_vk_faults(vk_error={"on": "market.editOrder", "value": 15})
    await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    assert (await get_vk_order(vk_world)).vk_payment_status == "rejected:15"
    await vk_world.inject_vk_faults(vk_error=None)
    new_key = await vk_world.create_access_key("manage", "messages", "photos", "market")
    await communities.replace_key(vk_world.ctx, vk_world.member, vk_world.community_id, new_key)
    await vk_world.run_jobs()
    assert (await get_vk_order(vk_world)).vk_payment_status == "paid"


async def test_order_is_invoiced_again_only_after_its_invoice_is_void(vk_world: VkWorld) -> None:
    order = await receive_order(vk_world)
    first = await issue_invoice(vk_world, order_id=order.id)
    with pytest.raises(RefusedError) as caught:
        await issue_invoice(vk_world, order_id=order.id)
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == (
        "order",
        "order_invoiced",
    )
    await invoices.void(vk_world.ctx, vk_world.member, first.id)
    second = await issue_invoice(vk_world, order_id=order.id)
    assert (await get_vk_order(vk_world)).invoice_id == second.id
    await pay_invoice(vk_world, second)
    with pytest.raises(RefusedError):
        await issue_invoice(vk_world, order_id=order.id)
    assert (await reload_invoice(vk_world, second)).paid_count == 1


async def test_order_of_another_conversation_is_not_found(vk_world: VkWorld) -> None:
    order = await receive_order(vk_world)
    other_client = await vk_world.create_client()
    await start_conversation(vk_world, other_client)
    for order_id in (order.id, "ord_no"):
        with pytest.raises(RefusedError) as caught:
            await issue_invoice(vk_world, other_client, order_id=order_id)
        assert caught.value.code == "not_found"
    assert (await vk_orders.get(vk_world.ctx, vk_world.member, order.id)).id == order.id
    assert (await get_vk_order(vk_world)).invoice_id is None
