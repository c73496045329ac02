"""VK API `market`: items and orders of a community. Few keys have access to it.

Source: dev.vk.ru/ru/method/market. VK accepts prices in roubles and returns them in kopecks: only
`encode_price` and `parse_price` convert them.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sigma.channels.vk.client import VkClient, unreadable_response
from sigma.channels.vk.errors import PermanentError
from sigma.channels.vk.fields import read_int, read_object, read_objects, read_text, read_url
from sigma.channels.vk.message_content import MAX_DATE_S
from sigma.channels.vk.photos import detect_media_type
from sigma.domain.catalogue.market_item import (
    DEFAULT_CATEGORY_ID,
    MarketItem,
    MarketItemDraft,
    find_draft_problem,
)
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.messaging.vk_order import OrderContent, OrderItem
from sigma.domain.money import Money, MoneyError
from sigma.domain.time_units import SECOND_US

PAGE_SIZE = 200
ORDERS_PER_PAGE, MAX_ORDER_ITEMS = 50, 500
MAX_TOTAL_MINOR = 10**15  # a larger sum is unreadable: it does not fit into any price of VK
MAX_ID = 2**53
MAX_RECEIPT_LINK_CHARS = 400
AVAILABLE = 0  # value of VK's field `availability`
# Values of VK's field `price_type`; all others mean FIXED.
_PRICE_KINDS = {2: PriceKind.FROM, 3: PriceKind.AGREEMENT}


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """An order of VK's advanced shop.

    `status`: 0 new … 4 completed, 5 cancelled, 6 returned. `total_minor`: hundredths of `currency`,
    which may be any; empty when VK's sum is unreadable.
    """

    id: int
    group_id: int
    user_id: int
    display_id: str
    status: int
    total_minor: int
    currency: str
    content: OrderContent = field(repr=False)

    @property
    def total(self) -> Money | None:
        """The sum, or None for a currency that Sigma does not know."""
        return _to_money(self.total_minor, self.currency)


def encode_price(amount: Money) -> str:
    """Return a price as VK accepts it: major units, "4500" or "4500.50"."""
    return amount.to_decimal_text().removesuffix(".00")


def parse_price(price: dict[str, Any]) -> Money | None:
    """Parse a price as VK returns it: hundredths as text. None for an unsupported price."""
    return _to_money(*_read_price(price))


def _to_money(minor: int, currency: str) -> Money | None:
    try:
        return Money(minor, currency)
    except MoneyError:
        return None


def _read_price(price: dict[str, Any]) -> tuple[int, str]:
    """Return hundredths and the currency's code, of any currency; (0, "") for an unreadable one."""
    amount = price.get("amount")
    if isinstance(amount, int) and not isinstance(amount, bool):
        amount = str(amount)
    if not isinstance(amount, str) or not (amount.isascii() and amount.isdigit()):
        return 0, ""
    minor = int(amount[:20])
    if minor > MAX_TOTAL_MINOR:
        return 0, ""
    return minor, read_text(read_object(price, "currency"), "name", 8).strip() or "RUB"


def _price_text(price: dict[str, Any]) -> str:
    """Return a price as VK writes it, else its number with the currency's code."""
    if text := read_text(price, "text", 64).strip():
        return text
    minor, currency = _read_price(price)
    return f"{minor // 100}.{minor % 100:02} {currency}" if currency else ""


async def probe_access(vk: VkClient, group_id: int) -> str:
    """Check whether the key may read the market: "ok", or VK's error code: "27", "15", "1525".

    Raises RetryLaterError, NeedsOwnerError.
    """
    try:
        await vk.call("market.get", owner_id=-group_id, count=1)
    except PermanentError as error:
        return str(error.code)
    return "ok"


async def iterate_items(vk: VkClient, group_id: int) -> AsyncIterator[MarketItem]:
    """Yield all items, hidden ones included. Raises VkError."""
    offset = 0
    while page := await _fetch_page(vk, group_id, offset):
        for one in page:
            yield parse_item(one)
        offset += PAGE_SIZE
        if len(page) < PAGE_SIZE:
            return


async def add_item(vk: VkClient, group_id: int, draft: MarketItemDraft) -> int:
    """Add an item and return its id. Raises VkError.

    Raises ValueError (title, description or photo) for an item that VK would refuse.

    After RetryLaterError with `is_outcome_unknown` check whether it exists before adding again.
    """
    _require_acceptable(draft)
    response = await vk.call("market.add", owner_id=-group_id, **_item_params(draft))
    item_id = response if type(response) is int else read_int(response, "market_item_id")
    if item_id <= 0:
        raise unreadable_response("an item's id")
    return item_id


async def edit_item(vk: VkClient, group_id: int, item_id: int, draft: MarketItemDraft) -> None:
    """Replace all fields of an item. Raises like `add_item`."""
    _require_acceptable(draft)
    await vk.call("market.edit", owner_id=-group_id, item_id=item_id, **_item_params(draft))


async def upload_photo(vk: VkClient, group_id: int, data: bytes, name: str = "photo") -> int:
    """Upload a picture and return the id for `MarketItemDraft.photo_id`.

    VK requires at least 400 pixels on each side; 1280 according to some sources. Raises
    ValueError("photo") for another file type, VkError.
    """
    media_type = detect_media_type(data)
    upload_server = await vk.call("market.getProductPhotoUploadServer", group_id=group_id)
    answer = await vk.upload(
        read_text(upload_server, "upload_url", 4096), "file", data, name, media_type
    )
    response = await vk.call("market.saveProductPhoto", upload_response=answer)
    if not (photo_id := read_int(response, "photo_id")):
        raise unreadable_response("a picture's id")
    return photo_id


async def edit_order(
    vk: VkClient,
    user_id: int,
    order_id: int,
    *,
    payment_status: str,
    receipt_link: str | None = None,
) -> None:
    """Set the payment status of an order: not_paid, paid or returned. Raises VkError.

    A community key has access to this in an advanced shop.
    """
    assert payment_status in ("not_paid", "paid", "returned")
    assert len(receipt_link or "") <= MAX_RECEIPT_LINK_CHARS
    await vk.call(
        "market.editOrder",
        user_id=user_id,
        order_id=order_id,
        payment_status=payment_status,
        receipt_link=receipt_link,
    )


async def list_orders(
    vk: VkClient, group_id: int, count: int = ORDERS_PER_PAGE, offset: int = 0
) -> list[MarketOrder]:
    """Return the latest orders of a community, newest first, without malformed ones.

    Raises VkError: code 1409 when the community has no advanced shop.
    """
    response = await vk.call(
        "market.getGroupOrders", group_id=group_id, count=count, offset=offset or None
    )
    result = []
    for one in read_objects(response, "items"):
        with suppress(ValueError):
            result.append(parse_order(one))
    return result


async def list_order_items(vk: VkClient, user_id: int, order_id: int) -> tuple[OrderItem, ...]:
    """Return all items of an order, at most MAX_ORDER_ITEMS. Raises VkError."""
    items: list[OrderItem] = []
    for offset in range(0, MAX_ORDER_ITEMS, ORDERS_PER_PAGE):
        response = await vk.call(
            "market.getOrderItems",
            user_id=user_id,
            order_id=order_id,
            offset=offset,
            count=ORDERS_PER_PAGE,
        )
        if not isinstance(response, dict) or not isinstance(response.get("items"), list):
            raise unreadable_response("a list")
        page = read_objects(response, "items")
        items += map(_parse_order_item, page)
        if len(page) < ORDERS_PER_PAGE:
            break
    return tuple(items)


def parse_order(raw: dict[str, Any]) -> MarketOrder:
    """Parse VK's order object, from a response or an event. Raises ValueError("order")."""
    order_id, user_id = read_int(raw, "id"), read_int(raw, "user_id")
    if not (0 < order_id < MAX_ID and 0 < user_id < MAX_ID):
        raise ValueError("order")
    price = read_object(raw, "total_price")
    total_minor, currency = _read_price(price)
    return MarketOrder(
        id=order_id,
        group_id=read_int(raw, "group_id"),
        user_id=user_id,
        display_id=read_text(raw, "display_order_id", 64) or str(order_id),
        status=min(max(read_int(raw, "status"), 0), 1000),
        total_minor=total_minor,
        currency=currency,
        content=_parse_order_content(raw, price),
    )


def _parse_order_content(raw: dict[str, Any], price: dict[str, Any]) -> OrderContent:
    recipient, delivery = read_object(raw, "recipient"), read_object(raw, "delivery")
    placed_at_s = read_int(raw, "date")
    return OrderContent(
        items=tuple(_parse_order_item(one) for one in read_objects(raw, "preview_order_items", 50)),
        item_count=min(max(read_int(raw, "items_count"), 0), 1_000_000),
        total=_price_text(price),
        comment=read_text(raw, "comment", 2000).strip(),
        recipient_name=read_text(recipient, "name").strip(),
        recipient_phone=read_text(recipient, "phone", 32).strip(),
        address=(read_text(delivery, "address", 1000) or read_text(raw, "address", 1000)).strip(),
        delivery=read_text(delivery, "type", 100).strip(),
        seller_note=read_text(raw, "merchant_comment", 1000).strip(),
        note_for_client=read_text(raw, "comment_for_user", 1000).strip(),
        track_number=read_text(raw, "track_number", 100).strip(),
        track_url=read_url(raw, "track_link"),
        placed_at_us=placed_at_s * SECOND_US if 0 < placed_at_s < MAX_DATE_S else 0,
    )


def _parse_order_item(raw: dict[str, Any]) -> OrderItem:
    variants = raw.get("variants")
    names = [one for one in variants if isinstance(one, str)] if isinstance(variants, list) else []
    title = read_text(raw, "title") or read_text(read_object(raw, "item"), "title")
    return OrderItem(
        item_id=read_int(raw, "item_id"),
        title=title.strip(),
        quantity=min(max(read_int(raw, "quantity"), 0), 1_000_000),
        price=_price_text(read_object(raw, "price")),
        variant=read_text({"names": ", ".join(names)}, "names", 200),
    )


def parse_item(raw: dict[str, Any]) -> MarketItem:
    """Parse VK's market item object, from a response or an attachment."""
    price = read_object(raw, "price")
    kind = _PRICE_KINDS.get(read_int(price, "price_type"), PriceKind.FIXED)
    amount = parse_price(price)
    if kind is PriceKind.AGREEMENT or not amount:
        kind, amount = PriceKind.AGREEMENT, None  # a zero price cannot be paid by link
    pictures = read_objects(raw, "photos", 10)
    return MarketItem(
        id=read_int(raw, "id"),
        owner_id=read_int(raw, "owner_id"),
        title=read_text(raw, "title"),
        description=read_text(raw, "description", 4096),
        price_kind=kind,
        amount=amount,
        photo_url=read_url(raw, "thumb_photo"),
        is_available=read_int(raw, "availability") == AVAILABLE,
        photo_id=read_int(pictures[0], "id") if pictures else 0,
        category_id=read_int(read_object(raw, "category"), "id") or DEFAULT_CATEGORY_ID,
        url=read_url(raw, "url"),
        rejection_reason=read_text(read_object(raw, "reject_info"), "title"),
    )


def _require_acceptable(draft: MarketItemDraft) -> None:
    """Raise ValueError (title, description or photo) for an item that VK would refuse."""
    if problem := find_draft_problem(draft):
        raise ValueError(problem)


async def _fetch_page(vk: VkClient, group_id: int, offset: int) -> list[dict[str, Any]]:
    response = await vk.call(
        "market.get",
        owner_id=-group_id,
        count=PAGE_SIZE,
        offset=offset,
        extended=True,
        with_disabled=True,
    )
    if not isinstance(response, dict) or not isinstance(response.get("items"), list):
        raise unreadable_response("a list")
    return read_objects(response, "items")


def _item_params(draft: MarketItemDraft) -> dict[str, Any]:
    """Return all fields of the item: VK may reset a field that is left out."""
    return {
        "name": draft.title,
        "description": draft.description,
        "category_id": draft.category_id,
        "price": encode_price(draft.amount) if draft.amount is not None else None,
        "deleted": not draft.is_available,
        "main_photo_id": draft.photo_id,
        "url": draft.url or None,
    }
