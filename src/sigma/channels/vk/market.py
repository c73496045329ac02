"""The community's goods and orders, for the few keys that may touch them.

Source: dev.vk.ru/ru/method/market. VK takes prices in roubles and tells them in kopecks: `price_in`
and `price_out` are the only two places that know.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sigma.channels.vk.client import Vk, unreadable
from sigma.channels.vk.errors import Final
from sigma.channels.vk.fields import address, inner, number, objects, text
from sigma.channels.vk.photos import kind_of
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.money import BadMoney, Money

PAGE = 200
MIN_TITLE, MAX_TITLE, MIN_DESCRIPTION = 4, 100, 10
MAX_RECEIPT_LINK = 400
ANY_CATEGORY = 1
AVAILABLE = 0
_KINDS = {2: PriceKind.FROM, 3: PriceKind.AGREEMENT}


@dataclass(frozen=True, slots=True)
class Item:
    """A good or a service: VK does not tell which.

    `amount` is None by agreement, when it is nothing, and in a currency that Sigma does not know.
    """

    id: int
    owner_id: int
    title: str
    description: str
    price_kind: PriceKind
    amount: Money | None
    photo_url: str
    available: bool
    photo_id: int = 0
    category_id: int = ANY_CATEGORY
    url: str = ""
    rejected: str = ""  # the moderators' words


@dataclass(frozen=True, slots=True)
class Draft:
    """What an item shall be. VK cannot be told "from" or "by agreement": no price is sent then."""

    title: str
    description: str
    amount: Money | None
    photo_id: int
    available: bool = True
    category_id: int = ANY_CATEGORY
    url: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order of an advanced shop. `status`: 0 new … 4 done, 5 cancelled, 6 returned."""

    id: int
    group_id: int
    user_id: int
    display_id: str
    status: int
    total: Money | None
    comment: str = field(repr=False)
    items: tuple[tuple[int, int], ...] = ()  # item's id, how many


def price_in(amount: Money) -> str:
    """A price as VK takes it: whole units, "4500" or "4500.50"."""
    said = amount.decimal()
    return said.removesuffix(".00")


def price_out(price: dict[str, Any]) -> Money | None:
    """A price as VK tells it: hundredths in a text. None when it is none that Sigma can name."""
    amount = price.get("amount")
    if isinstance(amount, int) and not isinstance(amount, bool):
        amount = str(amount)
    if not isinstance(amount, str) or not (amount.isascii() and amount.isdigit()):
        return None
    try:
        return Money(int(amount[:20]), text(inner(price, "currency"), "name", 8) or "RUB")
    except BadMoney:
        return None


async def probe(vk: Vk, group_id: int) -> str:
    """Whether this key may read the goods: "ok", or VK's code of refusal: "27", "15", "1525".

    Raises Later, NeedsPerson.
    """
    try:
        await vk.call("market.get", owner_id=-group_id, count=1)
    except Final as no:
        return str(no.code)
    return "ok"


async def every_item(vk: Vk, group_id: int) -> AsyncIterator[Item]:
    """All items page by page, hidden ones too. Raises VkError."""
    offset = 0
    while page := await _page(vk, group_id, offset):
        for one in page:
            yield read_item(one)
        offset += PAGE
        if len(page) < PAGE:
            return


async def add(vk: Vk, group_id: int, draft: Draft) -> int:
    """Adds an item; returns its id. Raises ValueError as `check_draft`, VkError.

    After Later with `lost` look whether it is there before adding again.
    """
    check_draft(draft)
    said = await vk.call("market.add", owner_id=-group_id, **_fields(draft))
    item_id = said if type(said) is int else number(said, "market_item_id")
    if item_id <= 0:
        raise unreadable("an item's id")
    return item_id


async def edit(vk: Vk, group_id: int, item_id: int, draft: Draft) -> None:
    """Makes an item be that, whole. Raises ValueError as `check_draft`, VkError."""
    check_draft(draft)
    await vk.call("market.edit", owner_id=-group_id, item_id=item_id, **_fields(draft))


async def photo(vk: Vk, group_id: int, data: bytes, name: str = "photo") -> int:
    """Gives a picture to VK; returns the id for `Draft.photo_id`.

    VK wants it big: at least 400 points each way, some say 1280. Raises ValueError("photo"),
    VkError.
    """
    media_type = kind_of(data)
    where = await vk.call("market.getProductPhotoUploadServer", group_id=group_id)
    answer = await vk.upload(text(where, "upload_url", 4096), "file", data, name, media_type)
    said = await vk.call("market.saveProductPhoto", upload_response=answer)
    if not (photo_id := number(said, "photo_id")):
        raise unreadable("a picture's id")
    return photo_id


async def edit_order(
    vk: Vk,
    user_id: int,
    order_id: int,
    *,
    payment_status: str,
    receipt_link: str | None = None,
) -> None:
    """Writes to an order whether it is paid: not_paid, paid, returned. Raises VkError.

    A community's key may do this, in an advanced shop.
    """
    assert payment_status in ("not_paid", "paid", "returned")
    assert len(receipt_link or "") <= MAX_RECEIPT_LINK
    await vk.call(
        "market.editOrder",
        user_id=user_id,
        order_id=order_id,
        payment_status=payment_status,
        receipt_link=receipt_link,
    )


async def orders(vk: Vk, group_id: int, count: int = 50) -> list[Order]:
    """The latest orders of a community, newest first; those that cannot be read are left out.

    Raises VkError: 1409 when its shop is not an advanced one.
    """
    said = await vk.call("market.getGroupOrders", group_id=group_id, count=count)
    found = []
    for one in objects(said, "items"):
        with suppress(ValueError):
            found.append(read_order(one))
    return found


def read_order(said: dict[str, Any]) -> Order:
    """An order from VK's object, of an event too. Raises ValueError("order")."""
    if number(said, "id") <= 0 or number(said, "user_id") <= 0:
        raise ValueError("order")
    return Order(
        id=number(said, "id"),
        group_id=number(said, "group_id"),
        user_id=number(said, "user_id"),
        display_id=text(said, "display_order_id", 64),
        status=number(said, "status"),
        total=price_out(inner(said, "total_price")),
        comment=text(said, "comment", 2000),
        items=tuple(
            (number(one, "item_id"), number(one, "quantity"))
            for one in objects(said, "preview_order_items", 5)
        ),
    )


def read_item(said: dict[str, Any]) -> Item:
    """An item from VK's object, of an attachment too."""
    price = inner(said, "price")
    kind = _KINDS.get(number(price, "price_type"), PriceKind.FIXED)
    amount = price_out(price)
    if kind is PriceKind.AGREEMENT or not amount:
        kind, amount = PriceKind.AGREEMENT, None  # for nothing: there is nothing to pay by link
    pictures = objects(said, "photos", 10)
    return Item(
        id=number(said, "id"),
        owner_id=number(said, "owner_id"),
        title=text(said, "title"),
        description=text(said, "description", 4096),
        price_kind=kind,
        amount=amount,
        photo_url=address(said, "thumb_photo"),
        available=number(said, "availability") == AVAILABLE,
        photo_id=number(pictures[0], "id") if pictures else 0,
        category_id=number(inner(said, "category"), "id") or ANY_CATEGORY,
        url=address(said, "url"),
        rejected=text(inner(said, "reject_info"), "title"),
    )


def check_draft(draft: Draft) -> None:
    """Raises ValueError: title, description, photo, when VK would refuse the item."""
    # VK counts in its old encoding: what is not in it, as an emoji, is spelled out and weighs more.
    length = len(draft.title.encode("cp1251", "xmlcharrefreplace"))
    if len(draft.title) < MIN_TITLE or length > MAX_TITLE:
        raise ValueError("title")
    if len(draft.description) < MIN_DESCRIPTION:
        raise ValueError("description")
    if draft.photo_id <= 0:
        raise ValueError("photo")


async def _page(vk: Vk, group_id: int, offset: int) -> list[dict[str, Any]]:
    said = await vk.call(
        "market.get",
        owner_id=-group_id,
        count=PAGE,
        offset=offset,
        extended=True,
        with_disabled=True,
    )
    if not isinstance(said, dict) or not isinstance(said.get("items"), list):
        raise unreadable("a list")
    return objects(said, "items")


def _fields(draft: Draft) -> dict[str, Any]:
    """All fields each time: VK may reset what is not named."""
    return {
        "name": draft.title,
        "description": draft.description,
        "category_id": draft.category_id,
        "price": price_in(draft.amount) if draft.amount is not None else None,
        "deleted": not draft.available,
        "main_photo_id": draft.photo_id,
        "url": draft.url or None,
    }
