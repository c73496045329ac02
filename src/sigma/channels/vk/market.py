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
from sigma.channels.vk.photos import detect_media_type
from sigma.domain.catalogue.market_item import (
    DEFAULT_CATEGORY_ID,
    MarketItem,
    MarketItemDraft,
    find_draft_problem,
)
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.money import Money, MoneyError

PAGE_SIZE = 200
MAX_RECEIPT_LINK_CHARS = 400
AVAILABLE = 0  # value of VK's field `availability`
# Values of VK's field `price_type`; all others mean FIXED.
_PRICE_KINDS = {2: PriceKind.FROM, 3: PriceKind.AGREEMENT}


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """An order of VK's advanced shop.

    `status`: 0 new … 4 completed, 5 cancelled, 6 returned. `items`: (item id, quantity) of at most
    five items.
    """

    id: int
    group_id: int
    user_id: int
    display_id: str
    status: int
    total: Money | None
    comment: str = field(repr=False)
    items: tuple[tuple[int, int], ...] = ()


def encode_price(amount: Money) -> str:
    """Return a price as VK accepts it: major units, "4500" or "4500.50"."""
    return amount.to_decimal_text().removesuffix(".00")


def parse_price(price: dict[str, Any]) -> Money | None:
    """Parse a price as VK returns it: hundredths as text. None for an unsupported price."""
    amount = price.get("amount")
    if isinstance(amount, int) and not isinstance(amount, bool):
        amount = str(amount)
    if not isinstance(amount, str) or not (amount.isascii() and amount.isdigit()):
        return None
    try:
        return Money(
            int(amount[:20]), read_text(read_object(price, "currency"), "name", 8) or "RUB"
        )
    except MoneyError:
        return None


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


async def list_orders(vk: VkClient, group_id: int, count: int = 50) -> list[MarketOrder]:
    """Return the latest orders of a community, newest first, without malformed ones.

    Raises VkError: code 1409 when the community has no advanced shop.
    """
    response = await vk.call("market.getGroupOrders", group_id=group_id, count=count)
    result = []
    for one in read_objects(response, "items"):
        with suppress(ValueError):
            result.append(parse_order(one))
    return result


def parse_order(raw: dict[str, Any]) -> MarketOrder:
    """Parse VK's order object, from a response or an event. Raises ValueError("order")."""
    if read_int(raw, "id") <= 0 or read_int(raw, "user_id") <= 0:
        raise ValueError("order")
    return MarketOrder(
        id=read_int(raw, "id"),
        group_id=read_int(raw, "group_id"),
        user_id=read_int(raw, "user_id"),
        display_id=read_text(raw, "display_order_id", 64),
        status=read_int(raw, "status"),
        total=parse_price(read_object(raw, "total_price")),
        comment=read_text(raw, "comment", 2000),
        items=tuple(
            (read_int(one, "item_id"), read_int(one, "quantity"))
            for one in read_objects(raw, "preview_order_items", 5)
        ),
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
