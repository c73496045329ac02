"""`market.*` methods for orders of the advanced shop.

A community's access key with the right `market` may call them.
"""

from msgspec.structs import replace

from sigma_sandbox.vk.api.request import ApiCall, ApiMethod
from sigma_sandbox.vk.wire import market_json
from sigma_sandbox.vk.wire.errors import VkApiError, invalid_param
from sigma_sandbox.vk.world.models import Json, VkOrder

PAYMENT_STATUSES = ("not_paid", "paid", "returned")
MAX_TEXT_LENGTHS = {
    "merchant_comment": 800,
    "comment_for_user": 400,
    "track_number": 60,
    "receipt_link": 400,
}


def get_group_orders(call: ApiCall) -> Json:
    """Return a page of orders, newest first."""
    community = call.community(optional=True)
    if community.market != "advanced":
        raise VkApiError(1409)
    offset, count = call.offset_and_count(10, 50)
    orders = call.vk.list_orders(community.id)
    page = [market_json.order_json(call.vk, one) for one in orders[offset : offset + count]]
    return {"count": len(orders), "items": page}


def _require_order(call: ApiCall) -> VkOrder:
    """Return the order by `order_id` and optional `user_id` in a community the access key manages.

    Raises VkApiError: 1409 when the shop is not advanced, 1436 when there is no such order.
    """
    order_id, person_id = call.number("order_id"), call.number("user_id", 0)
    for order in call.vk.orders.values():
        community = call.vk.communities[order.group_id]
        is_managed = (
            order.group_id == call.access_key.group_id
            or community.owner_id == call.access_key.person_id
        )
        if is_managed and order.id == order_id and person_id in (0, order.person_id):
            if community.market != "advanced":
                raise VkApiError(1409)
            return order
    raise VkApiError(1436)


def get_order_by_id(call: ApiCall) -> Json:
    """Return one order."""
    return {"order": market_json.order_json(call.vk, _require_order(call))}


def get_order_items(call: ApiCall) -> Json:
    """Return a page of an order's items."""
    offset, count = call.offset_and_count(50, 100)
    items = market_json.order_items_json(call.vk, _require_order(call))
    return {"count": len(items), "items": items[offset : offset + count]}


def edit_order(call: ApiCall) -> int:
    """Change the seller's fields: status, payment, receipt, comments, track number.

    Emits `market_order_edit`.
    """
    call.number("user_id")
    order = _require_order(call)
    changes: Json = {}
    if call.text("status"):
        changes["status"] = call.number("status")
        if not 0 <= changes["status"] <= 6:
            raise VkApiError(1456)
    if payment_status := call.text("payment_status"):
        if payment_status not in PAYMENT_STATUSES:
            raise invalid_param("payment_status is invalid")
        changes["payment_status"] = payment_status
    for name, max_length in MAX_TEXT_LENGTHS.items():
        if name in call.params:
            changes[name] = call.text(name)
            if len(changes[name]) > max_length:
                raise invalid_param(f"{name} is too long")
    order = call.vk.put_order(replace(order, **changes))
    call.vk.emit_event(order.group_id, "market_order_edit", market_json.order_json(call.vk, order))
    return 1


METHODS = {
    "market.getGroupOrders": ApiMethod(get_group_orders, "market", "market"),
    "market.getOrderById": ApiMethod(get_order_by_id, "market", "market"),
    "market.getOrderItems": ApiMethod(get_order_items, "market", "market"),
    "market.editOrder": ApiMethod(edit_order, "market", "market"),
}
