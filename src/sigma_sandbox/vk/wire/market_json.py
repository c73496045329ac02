"""Photos, goods, services and orders as VKontakte's API writes them. Pure.

Source: the official schema (VKCOM/vk-api-schema, 5.199) and dev.vk.com. Prices go out as strings
of kopecks.
"""

import math
from typing import Any

from sigma_sandbox.time_util import SECOND
from sigma_sandbox.vk.world.models import Item, Json, Order, Picture
from sigma_sandbox.vk.world.store import Books

RUB = {"id": 643, "name": "RUB", "title": "₽"}
NBSP = "\u00a0"
CATEGORIES = {
    1: "Красота, здоровье",
    2: "Фото и видео",
    3: "Обучение",
    4: "Одежда, обувь, аксессуары",
    5: "Дом и дача",
}


def rubles(kopecks: int) -> str:
    """A sum as VK prints it: "4 500 ₽", kopecks only when there are some."""
    whole = f"{kopecks // 100:,}".replace(",", NBSP)
    cents = f",{kopecks % 100:02d}" if kopecks % 100 else ""
    return f"{whole}{cents}{NBSP}₽"


def plain_price(kopecks: int) -> Json:
    """A sum as a price object."""
    return {"amount": str(kopecks), "currency": RUB, "text": rubles(kopecks)}


def price_json(item: Item) -> Json:
    """An item's price: exact, from (to), or by agreement."""
    price = plain_price(item.price) | {"price_type": item.price_type, "price_unit": item.price_unit}
    if item.price_type == 3:
        price["text"] = "Цена по договорённости"
    elif item.price_type == 2 and item.price_to is not None:
        price |= {"amount_to": str(item.price_to)}
        price["text"] = f"{rubles(item.price)} – {rubles(item.price_to)}"
    elif item.price_type == 2:
        price["text"] = f"от {rubles(item.price)}"
    if item.old_price:
        rate = math.floor((item.price - item.old_price) * 100 / item.old_price)
        price |= {"old_amount": str(item.old_price), "discount_rate": rate}
        price["old_amount_text"] = rubles(item.old_price)
    return price


def picture_url(books: Books, picture: Picture) -> str:
    """Where a photo is shown."""
    return f"{books.root}/pictures/{picture.id}"


def photo_json(books: Books, picture: Picture) -> Json:
    """A photo in its one size."""
    url = picture_url(books, picture)
    size = {"type": "x", "url": url, "width": picture.width, "height": picture.height}
    return {
        "id": picture.id,
        "owner_id": picture.owner_id,
        "album_id": -64,
        "access_key": picture.access_key,
        "date": picture.created_at // SECOND,
        "text": "",
        "user_id": 100,
        "has_tags": False,
        "sizes": [size, size | {"type": "m"}],
        "orig_photo": size | {"type": "base"},
    }


def category_json(category_id: int) -> Json:
    """A category by its number; unknown ones have a name too."""
    name = CATEGORIES.get(category_id, "Другое")
    return {"id": category_id, "name": name, "inner_type": "market_market_category_nested"}


def item_json(books: Books, item: Item, extended: bool = False, mine: bool = False) -> Json:
    """A good or a service; `mine` when its administrator asks."""
    body: Json = {
        "id": item.id,
        "owner_id": -item.group_id,
        "title": item.title,
        "description": item.description,
        "price": price_json(item),
        "availability": item.availability,
        "category": category_json(item.category_id),
        "is_owner": mine,
        "is_adult": False,
        "is_main_variant": True,
        "sku": item.sku,
        "external_id": "",
        "url": item.url,
        "item_type": 0,
        "market_url": f"https://vk.com/market-{item.group_id}?w=product-{item.group_id}_{item.id}",
    }
    photos = [books.pictures[one] for one in item.photo_ids if one in books.pictures]
    if photos:
        body["thumb_photo"] = picture_url(books, photos[0])
    if mine:
        body |= {"date": item.created_at // SECOND, "views_count": 0}
    if extended:
        body |= {
            "albums_ids": item.album_ids,
            "photos": [photo_json(books, one) for one in photos],
            "can_comment": False,
            "can_repost": True,
            "likes": {"count": 0, "user_likes": 0},
            "reposts": {"count": 0, "user_reposted": 0},
            "views_count": 0,
            "can_edit": mine,
            "can_delete": mine,
            "can_show_convert_to_service": mine and not item.service,
        }
    return body


def order_json(books: Books, order: Order) -> Json:
    """An order with up to five of its lines."""
    return {
        "id": order.id,
        "group_id": order.group_id,
        "user_id": order.person_id,
        "display_order_id": f"{order.person_id}-{order.id}",
        "date": order.created_at // SECOND,
        "status": order.status,
        "items_count": sum(line.quantity for line in order.lines),
        "total_price": plain_price(order.total),
        "comment": order.comment,
        "address": order.address,
        "merchant_comment": order.merchant_comment,
        "comment_for_user": order.comment_for_user,
        "track_number": order.track_number,
        "is_viewed_by_admin": False,
        "payment": {"status": order.payment_status, "receipt_link": order.receipt_link},
        "recipient": _recipient(books, order),
        "delivery": {"address": order.address},
        "preview_order_items": order_lines(books, order)[:5],
    }


def _recipient(books: Books, order: Order) -> dict[str, Any]:
    person = books.people[order.person_id]
    name = f"{person.first_name} {person.last_name}"
    return {"name": name, "phone": order.phone, "display_text": f"{name}, {order.phone}"}


def order_lines(books: Books, order: Order) -> list[Json]:
    """What was ordered, without the items that are gone."""
    lines = []
    for line in order.lines:
        item = books.items.get((order.group_id, line.item_id))
        if item is None:
            continue
        body: Json = {"owner_id": -order.group_id, "item_id": item.id, "quantity": line.quantity}
        body |= {"price": plain_price(line.price), "title": item.title}
        body["item"] = item_json(books, item)
        if item.photo_ids and item.photo_ids[0] in books.pictures:
            body["photo"] = photo_json(books, books.pictures[item.photo_ids[0]])
        lines.append(body)
    return lines
