"""Endpoints under `/vk/test`: edit a message, place and change orders, send events of any shape."""

from typing import Any

import msgspec
from litestar import Response, post
from msgspec.structs import replace

from sigma_sandbox.responses import AnyRequest
from sigma_sandbox.vk.actions import outgoing
from sigma_sandbox.vk.actions.client_actions import NotFoundError, Vk
from sigma_sandbox.vk.test_api.clients import ContentRequest, run_action
from sigma_sandbox.vk.wire import market_json, serializers
from sigma_sandbox.vk.wire.errors import VkApiError
from sigma_sandbox.vk.world.models import Json, OrderItem


class EditRequest(ContentRequest, kw_only=True):
    """The new content of message `cmid`; parts that are not sent are removed."""

    cmid: int
    text: str = ""


class OrderFields(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Fields of an order. `total`: hundredths of `currency`, if not the sum of the items."""

    lines: list[tuple[int, int]] | msgspec.UnsetType = msgspec.UNSET
    status: int | msgspec.UnsetType = msgspec.UNSET
    comment: str | msgspec.UnsetType = msgspec.UNSET
    address: str | msgspec.UnsetType = msgspec.UNSET
    phone: str | msgspec.UnsetType = msgspec.UNSET
    recipient: str | msgspec.UnsetType = msgspec.UNSET
    currency: str | msgspec.UnsetType = msgspec.UNSET
    total: int | msgspec.UnsetType = msgspec.UNSET
    merchant_comment: str | msgspec.UnsetType = msgspec.UNSET
    comment_for_user: str | msgspec.UnsetType = msgspec.UNSET
    track_number: str | msgspec.UnsetType = msgspec.UNSET

    def sent_fields(self) -> dict[str, Any]:
        """Return the fields that were sent, by their names in `VkOrder`; `lines` stay as sent."""
        sent = {
            name: value
            for name in OrderFields.__struct_fields__
            if (value := getattr(self, name)) is not msgspec.UNSET
        }
        if "total" in sent:
            sent["agreed_total_minor"] = sent.pop("total")
        return sent


class OrderRequest(OrderFields, kw_only=True):
    """A new order; `lines` are (item id, quantity)."""

    person_id: int
    group_id: int


class EditOrderRequest(OrderFields, kw_only=True):
    """A change of an order, by the client or by the seller on VK's own page."""

    group_id: int
    order_id: int


class EventRequest(msgspec.Struct, kw_only=True):
    """An event of any type, with an `object` of any shape or without one."""

    group_id: int
    type: str
    object: Any = None


@post("/edit", status_code=200)
async def edit_message(request: AnyRequest) -> Response[bytes]:
    """Body: "person_id", "group_id", "cmid", "text" … The author edits the message."""

    def act(vk: Vk, body: EditRequest) -> Json:
        message = vk.find_message(body.group_id, body.person_id, body.cmid)
        if message is None:
            raise NotFoundError(f"no message {body.cmid}")
        edited = outgoing.edit_message(
            vk,
            message,
            is_by_client=not message.is_outgoing,
            text=body.text,
            attachments=body.raw_attachments(),
            **body.message_fields(),
        )
        return serializers.message_json(vk, edited)

    return await run_action(request, EditRequest, act)


@post("/orders", status_code=200)
async def place_order(request: AnyRequest) -> Response[bytes]:
    """Body: "person_id", "group_id", "lines": [[item_id, quantity]] and fields of `OrderFields`.

    Needs the advanced shop.
    """

    def act(vk: Vk, body: OrderRequest) -> Json:
        if vk.get_community(body.group_id).market != "advanced":
            raise VkApiError(1409)
        fields = body.sent_fields()
        lines = fields.pop("lines", [])
        new_order = vk.place_order(body.person_id, body.group_id, lines, **fields)
        return {"order_id": new_order.id, "total": new_order.total_minor}

    return await run_action(request, OrderRequest, act)


@post("/orders/edit", status_code=200)
async def edit_order(request: AnyRequest) -> Response[bytes]:
    """Body: "group_id", "order_id" and fields of `OrderFields`. Emits `market_order_edit`."""

    def act(vk: Vk, body: EditOrderRequest) -> Json:
        order = vk.orders.get((body.group_id, body.order_id))
        if order is None:
            raise NotFoundError(f"no order {body.order_id}")
        fields = body.sent_fields()
        if "lines" in fields:
            lines = fields.pop("lines")
            prices = {one: vk.items[body.group_id, one].price_minor for one, _ in lines}
            fields["items"] = [OrderItem(one, quantity, prices[one]) for one, quantity in lines]
        with vk.transaction():
            changed = market_json.order_json(vk, vk.put_order(replace(order, **fields)))
            vk.emit_event(body.group_id, "market_order_edit", changed)
        return changed

    return await run_action(request, EditOrderRequest, act)


@post("/events", status_code=200)
async def send_event(request: AnyRequest) -> Response[bytes]:
    """Body: "group_id", "type", optional "object". Sends an event exactly as it is given."""

    def act(vk: Vk, body: EventRequest) -> Json:
        vk.emit_event(body.group_id, body.type, body.object)
        return {}

    return await run_action(request, EventRequest, act)


HANDLERS = [edit_message, place_order, edit_order, send_event]
