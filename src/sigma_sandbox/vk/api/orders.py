"""`market.*` about orders of the advanced shop: open to a community's key with the goods right."""

from msgspec.structs import replace

from sigma_sandbox.vk.api.request import Call, Method
from sigma_sandbox.vk.wire import market_json
from sigma_sandbox.vk.wire.errors import VkRefused, bad_param
from sigma_sandbox.vk.world.models import Json, Order

PAYMENT_STATUSES = ("not_paid", "paid", "returned")
TEXTS = {"merchant_comment": 800, "comment_for_user": 400, "track_number": 60, "receipt_link": 400}


def get_group_orders(call: Call) -> Json:
    """Orders, newest first."""
    community = call.community(optional=True)
    if community.market != "advanced":
        raise VkRefused(1409)
    offset, count = call.count(10, 50)
    orders = call.vk.orders_of(community.id)
    shown = [market_json.order_json(call.vk, one) for one in orders[offset : offset + count]]
    return {"count": len(orders), "items": shown}


def _order(call: Call) -> Order:
    """The order of `order_id` (and `user_id`, when it is told) in a community the key rules."""
    number, person_id = call.number("order_id"), call.number("user_id", 0)
    for order in call.vk.orders.values():
        community = call.vk.communities[order.group_id]
        ours = order.group_id == call.token.group_id or community.owner_id == call.token.person_id
        if ours and order.id == number and person_id in (0, order.person_id):
            if community.market != "advanced":
                raise VkRefused(1409)
            return order
    raise VkRefused(1436)


def get_order_by_id(call: Call) -> Json:
    """One order."""
    return {"order": market_json.order_json(call.vk, _order(call))}


def get_order_items(call: Call) -> Json:
    """What was ordered."""
    offset, count = call.count(50, 100)
    lines = market_json.order_lines(call.vk, _order(call))
    return {"count": len(lines), "items": lines[offset : offset + count]}


def edit_order(call: Call) -> int:
    """The seller's marks: status, payment, receipt, comments, tracking."""
    call.number("user_id")
    order = _order(call)
    changes: Json = {}
    if call.text("status"):
        changes["status"] = call.number("status")
        if not 0 <= changes["status"] <= 6:
            raise VkRefused(1456)
    if payment := call.text("payment_status"):
        if payment not in PAYMENT_STATUSES:
            raise bad_param("payment_status is invalid")
        changes["payment_status"] = payment
    for name, most in TEXTS.items():
        if name in call.params:
            changes[name] = call.text(name)
            if len(changes[name]) > most:
                raise bad_param(f"{name} is too long")
    order = call.vk.put_order(replace(order, **changes))
    call.vk.tell(order.group_id, "market_order_edit", market_json.order_json(call.vk, order))
    return 1


METHODS = {
    "market.getGroupOrders": Method(get_group_orders, "market", "market"),
    "market.getOrderById": Method(get_order_by_id, "market", "market"),
    "market.getOrderItems": Method(get_order_items, "market", "market"),
    "market.editOrder": Method(edit_order, "market", "market"),
}
