"""JSON of photos, market items, services and orders in the VK API.

Source: the official schema (https://github.com/VKCOM/vk-api-schema, 5.199) and https://dev.vk.com.
Prices are sent as strings of kopecks.
"""

import math
from typing import Any

from sigma_sandbox.time_util import SECOND_US
from sigma_sandbox.vk.world.models import Json, MarketItem, Photo, VkOrder
from sigma_sandbox.vk.world.store import VkStore

RUB = {"id": 643, "name": "RUB", "title": "₽"}
NBSP = "\u00a0"
CATEGORIES = {
    1: "Красота, здоровье",
    2: "Фото и видео",
    3: "Обучение",
    4: "Одежда, обувь, аксессуары",
    5: "Дом и дача",
}


def format_rubles(amount_minor: int) -> str:
    """Format kopecks as VK does: "4 500 ₽", with kopecks only when they are not zero."""
    rubles_text = f"{amount_minor // 100:,}".replace(",", NBSP)
    kopecks_text = f",{amount_minor % 100:02d}" if amount_minor % 100 else ""
    return f"{rubles_text}{kopecks_text}{NBSP}₽"


def money_json(amount_minor: int, currency: str = "RUB") -> Json:
    """Return a price object: amount, currency, text."""
    if currency == "RUB":
        return {"amount": str(amount_minor), "currency": RUB, "text": format_rubles(amount_minor)}
    text = f"{amount_minor // 100}.{amount_minor % 100:02} {currency}"
    other: Json = {"id": 0, "name": currency, "title": currency}
    return {"amount": str(amount_minor), "currency": other, "text": text}


def item_price_json(item: MarketItem) -> Json:
    """Return an item's price object: exact, from (up to), or by agreement, with the old price."""
    price = money_json(item.price_minor) | {
        "price_type": item.price_type,
        "price_unit": item.price_unit,
    }
    if item.price_type == 3:
        price["text"] = "Цена по договорённости"
    elif item.price_type == 2 and item.price_to_minor is not None:
        price |= {"amount_to": str(item.price_to_minor)}
        price["text"] = f"{format_rubles(item.price_minor)} – {format_rubles(item.price_to_minor)}"
    elif item.price_type == 2:
        price["text"] = f"от {format_rubles(item.price_minor)}"
    if item.old_price_minor:
        rate = math.floor((item.price_minor - item.old_price_minor) * 100 / item.old_price_minor)
        price |= {"old_amount": str(item.old_price_minor), "discount_rate": rate}
        price["old_amount_text"] = format_rubles(item.old_price_minor)
    return price


def photo_url(store: VkStore, photo: Photo) -> str:
    """Return the URL of a photo."""
    return f"{store.vk_url}/pictures/{photo.id}"


def photo_json(store: VkStore, photo: Photo) -> Json:
    """Return a photo object; every size in it is the original."""
    url = photo_url(store, photo)
    size = {"type": "x", "url": url, "width": photo.width, "height": photo.height}
    return {
        "id": photo.id,
        "owner_id": photo.owner_id,
        "album_id": -64,
        "access_key": photo.access_key,
        "date": photo.created_at_us // SECOND_US,
        "text": "",
        "user_id": 100,
        "has_tags": False,
        "sizes": [size, size | {"type": "m"}],
        "orig_photo": size | {"type": "base"},
    }


def category_json(category_id: int) -> Json:
    """Return a category object; an unknown id is named "Другое"."""
    name = CATEGORIES.get(category_id, "Другое")
    return {"id": category_id, "name": name, "inner_type": "market_market_category_nested"}


def item_json(
    store: VkStore, item: MarketItem, extended: bool = False, for_owner: bool = False
) -> Json:
    """Return a market item; `for_owner` adds what only its administrator sees."""
    body: Json = {
        "id": item.id,
        "owner_id": -item.group_id,
        "title": item.title,
        "description": item.description,
        "price": item_price_json(item),
        "availability": item.availability,
        "category": category_json(item.category_id),
        "is_owner": for_owner,
        "is_adult": False,
        "is_main_variant": True,
        "sku": item.sku,
        "external_id": "",
        "url": item.url,
        "item_type": 0,
        "market_url": f"https://vk.com/market-{item.group_id}?w=product-{item.group_id}_{item.id}",
    }
    photos = [store.photos[one] for one in item.photo_ids if one in store.photos]
    if photos:
        body["thumb_photo"] = photo_url(store, photos[0])
    if for_owner:
        body |= {"date": item.created_at_us // SECOND_US, "views_count": 0}
    if extended:
        body |= {
            "albums_ids": item.album_ids,
            "photos": [photo_json(store, one) for one in photos],
            "can_comment": False,
            "can_repost": True,
            "likes": {"count": 0, "user_likes": 0},
            "reposts": {"count": 0, "user_reposted": 0},
            "views_count": 0,
            "can_edit": for_owner,
            "can_delete": for_owner,
            "can_show_convert_to_service": for_owner and not item.is_service,
        }
    return body


def order_json(store: VkStore, order: VkOrder) -> Json:
    """Return an order with up to five of its items."""
    return {
        "id": order.id,
        "group_id": order.group_id,
        "user_id": order.person_id,
        "display_order_id": f"{order.person_id}-{order.id}",
        "date": order.created_at_us // SECOND_US,
        "status": order.status,
        "items_count": sum(line.quantity for line in order.items),
        "total_price": money_json(order.total_minor, order.currency),
        "comment": order.comment,
        "address": order.address,
        "merchant_comment": order.merchant_comment,
        "comment_for_user": order.comment_for_user,
        "track_number": order.track_number,
        "is_viewed_by_admin": False,
        "payment": {"status": order.payment_status, "receipt_link": order.receipt_link},
        "recipient": _recipient(store, order),
        "delivery": {"address": order.address},
        "preview_order_items": order_items_json(store, order)[:5],
    }


def _recipient(store: VkStore, order: VkOrder) -> dict[str, Any]:
    person = store.people[order.person_id]
    name = order.recipient or f"{person.first_name} {person.last_name}"
    return {"name": name, "phone": order.phone, "display_text": f"{name}, {order.phone}"}


def order_items_json(store: VkStore, order: VkOrder) -> list[Json]:
    """Return the ordered items, without those that no longer exist."""
    items = []
    for order_item in order.items:
        item = store.items.get((order.group_id, order_item.item_id))
        if item is None:
            continue
        body: Json = {
            "owner_id": -order.group_id,
            "item_id": item.id,
            "quantity": order_item.quantity,
        }
        body |= {"price": money_json(order_item.price_minor, order.currency), "title": item.title}
        body["item"] = item_json(store, item)
        if item.photo_ids and item.photo_ids[0] in store.photos:
            body["photo"] = photo_json(store, store.photos[item.photo_ids[0]])
        items.append(body)
    return items
