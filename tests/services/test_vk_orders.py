"""VK orders of a community's advanced shop: recorded, invoiced once, reported to VK when paid."""

import uuid
from typing import Any

import pytest
from msgspec.structs import replace as replace_struct

from sigma.domain.errors import RefusedError
from sigma.domain.messaging.vk_order import OrderContent, VkOrder
from sigma.domain.money import Money
from sigma.domain.time_units import MINUTE_US
from sigma.services.billing import invoices
from sigma.services.communities import communities
from sigma.services.conversations import order_codec
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
    content = order_codec.decrypt_content(vk_world.ctx.cipher, order)
    assert content is not None
    assert content.comment == "Домофон 12"
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


async def edit_order(world: VkWorld, **changes: Any) -> None:
    """Change the only order in VK and deliver the event."""
    order_id = vk_order_of(world).id
    await world.call_vk_test_api(
        "orders/edit", group_id=world.group_id, order_id=order_id, **changes
    )
    await world.deliver_callbacks([order_event(world, "market_order_edit")])


async def read_content(world: VkWorld) -> OrderContent:
    content = order_codec.decrypt_content(world.ctx.cipher, await get_vk_order(world))
    assert content is not None
    return content


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"comment": "Без звонка"}, "comment", "Без звонка"),
        ({"address": "Тверская, 1"}, "address", "Тверская, 1"),
        ({"recipient": "Мария"}, "recipient_name", "Мария"),
        ({"phone": "+79001234567"}, "recipient_phone", "+79001234567"),
        ({"track_number": "RA123"}, "track_number", "RA123"),
        ({"merchant_comment": "упаковать"}, "seller_note", "упаковать"),
    ],
)
async def test_change_with_the_same_sum_is_recorded(
    vk_world: VkWorld, changes: dict[str, Any], field: str, expected: str
) -> None:
    before = await receive_order(vk_world)
    await edit_order(vk_world, **changes)
    after = await get_vk_order(vk_world)
    assert after.amount == before.amount
    assert getattr(await read_content(vk_world), field) == expected
    assert expected not in after.body_encrypted
    version = after.version
    await vk_world.deliver_callbacks([order_event(vk_world, "market_order_edit")])
    assert (await get_vk_order(vk_world)).version == version, "the same change is written once"


async def test_changed_items_with_the_same_sum_are_recorded(vk_world: VkWorld) -> None:
    await receive_order(vk_world)
    group = f"communities/{vk_world.group_id}"
    item = await vk_world.call_vk_test_api(f"{group}/items", title="Пилка", price=75_000)
    await edit_order(vk_world, lines=[[item["item_id"], 2]])
    (position,) = (await read_content(vk_world)).items
    assert (position.title, position.quantity) == ("Пилка", 2)
    assert "750" in position.price


@pytest.mark.parametrize("status", [5, 6])
async def test_cancelled_order_cannot_be_invoiced(vk_world: VkWorld, status: int) -> None:
    order = await receive_order(vk_world)
    assert order.can_be_invoiced
    await edit_order(vk_world, status=status)
    cancelled = await get_vk_order(vk_world)
    assert (cancelled.status, cancelled.can_be_invoiced) == (status, False)
    with pytest.raises(RefusedError) as caught:
        await issue_invoice(vk_world, order_id=order.id)
    assert caught.value.problems[0].code == "order_canceled"
    async with vk_world.ctx.db.read() as tx:
        timeline = await timeline_rows.list_for_subject(tx, order.id, limit=50)
    assert "vk_order.status_changed" in [entry.kind for entry in timeline]


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        ({"total": 0}, Money(0)),
        ({"currency": "GEL"}, None),
        ({"currency": "USD"}, Money(150_000, "USD")),
    ],
)
async def test_order_of_any_sum_and_currency_is_recorded(
    vk_world: VkWorld, changes: dict[str, Any], amount: Money | None
) -> None:
    await receive_order(vk_world)
    await edit_order(vk_world, **changes)
    order = await get_vk_order(vk_world)
    assert order.amount == amount
    assert order.currency == changes.get("currency", "RUB")
    assert order.can_be_invoiced == bool(amount)


async def test_new_order_in_an_unknown_currency_is_recorded(vk_world: VkWorld) -> None:
    await place_order(vk_world)
    vk_world.sandbox.vk.put_order(replace_struct(vk_order_of(vk_world), currency="GEL"))
    await vk_world.deliver_callbacks([order_event(vk_world, "market_order_new")])
    order = await get_vk_order(vk_world)
    assert (order.amount, order.amount_minor, order.currency) == (None, 150_000, "GEL")


async def test_polling_follows_the_status_and_the_content(vk_world: VkWorld) -> None:
    await place_order(vk_world)
    await vk_world.update_community(key_scopes=("manage", "messages", "market"))
    await vk_orders.fetch(vk_world.ctx, vk_world.community_id)
    await vk_world.call_vk_test_api(
        "orders/edit",
        group_id=vk_world.group_id,
        order_id=vk_order_of(vk_world).id,
        status=5,
        comment="Передумал",
    )
    await vk_orders.fetch(vk_world.ctx, vk_world.community_id)
    assert (await get_vk_order(vk_world)).status == 5
    assert (await read_content(vk_world)).comment == "Передумал"


async def test_polling_follows_an_open_order_behind_many_newer_ones(vk_world: VkWorld) -> None:
    await place_order(vk_world)
    await vk_world.update_community(key_scopes=("manage", "messages", "market"))
    await vk_orders.fetch(vk_world.ctx, vk_world.community_id)
    first = vk_order_of(vk_world)
    await vk_world.advance_clocks(hours=1)
    other_client = await vk_world.create_client()
    for _ in range(60):
        vk_world.sandbox.vk.place_order(
            other_client, vk_world.group_id, [(first.items[0].item_id, 1)], status=4
        )
    await vk_world.call_vk_test_api(
        "orders/edit", group_id=vk_world.group_id, order_id=first.id, status=5
    )
    await vk_orders.fetch(vk_world.ctx, vk_world.community_id)
    assert (await get_vk_order(vk_world)).status == 5


async def test_all_items_of_a_large_order_are_requested(vk_world: VkWorld) -> None:
    group = f"communities/{vk_world.group_id}"
    await vk_world.call_vk_test_api(group, market="advanced")
    await vk_world.set_access_key(await vk_world.create_access_key())
    lines = []
    for n in range(7):
        item = await vk_world.call_vk_test_api(f"{group}/items", title=f"Набор {n}", price=100)
        lines.append([item["item_id"], n + 1])
    target = {"person_id": vk_world.client_id, "group_id": vk_world.group_id}
    await vk_world.call_vk_test_api("orders", **target, lines=lines)
    await vk_world.inject_vk_faults(vk_error={"on": "market.getOrderItems", "value": 15})
    await vk_world.deliver_callbacks([order_event(vk_world, "market_order_new")])
    content = await read_content(vk_world)
    assert (len(content.items), content.is_incomplete) == (5, True)
    await vk_world.inject_vk_faults(vk_error=None)
    await vk_world.advance_clocks(days=1, minutes=1)
    await vk_world.run_jobs()
    content = await read_content(vk_world)
    assert [item.quantity for item in content.items] == [1, 2, 3, 4, 5, 6, 7]
    assert not content.is_incomplete
    await edit_order(vk_world, comment="Позвоните")
    content = await read_content(vk_world)
    assert (len(content.items), content.comment) == (7, "Позвоните"), "the items are not lost"


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
