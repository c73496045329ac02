"""`market.*` methods for market items and services.

A community's access key gets error 27 here, unless the fault rule `vk_market_open` allows it.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.time_util import SECOND_US
from sigma_sandbox.vk.api.request import ApiCall, ApiMethod
from sigma_sandbox.vk.wire import market_json
from sigma_sandbox.vk.wire.errors import VkApiError, invalid_param
from sigma_sandbox.vk.world.models import Album, Community, Json, MarketItem

MAX_ITEMS = 15_000
MAX_PRICE_RUB = Decimal(999_999_999_999)


def _owner_community(call: ApiCall) -> Community:
    """Return the community of `owner_id`, which must be negative."""
    owner_id = call.number("owner_id")
    if owner_id >= 0:
        raise invalid_param("owner_id should be negative")
    return call.require_community(-owner_id)


def _require_market(call: ApiCall) -> Community:
    community = _owner_community(call)
    if community.market == "none":
        raise VkApiError(1438)
    return community


def get_items(call: ApiCall) -> Json:
    """Return a page of items, newest first; unavailable ones only with `with_disabled`."""
    community = _require_market(call)
    offset, count = call.offset_and_count(100, 200)
    album_id, with_disabled = call.number("album_id", 0), call.flag("with_disabled")
    items = [
        one
        for one in reversed(call.vk.list_items(community.id))
        if one.availability == 0 or (with_disabled and one.availability == 2)
        if not album_id or album_id in one.album_ids
    ]
    return _items_json(call, items[offset : offset + count], len(items))


def _items_json(call: ApiCall, items: list[MarketItem], count: int) -> Json:
    extended = bool(call.flag("extended"))
    return {
        "count": count,
        "items": [market_json.item_json(call.vk, one, extended, for_owner=True) for one in items],
    }


def get_by_id(call: ApiCall) -> Json:
    """Return items by "-<group>_<item>"; unknown and deleted ones are left out."""
    items = []
    for full_id in call.require_text("item_ids").split(","):
        owner, _, number = full_id.strip().partition("_")
        try:
            community, item_id = call.require_community(-int(owner)), int(number)
        except ValueError:
            raise invalid_param("item_ids is invalid") from None
        if community.market == "none":
            raise VkApiError(1525)
        item = call.vk.items.get((community.id, item_id))
        if item is not None and item.availability != 1:
            items.append(item)
    return _items_json(call, items, len(items))


def add_item(call: ApiCall) -> Json:
    """Create an item; it is visible at once."""
    community = _require_market(call)
    if len(call.vk.list_items(community.id)) >= MAX_ITEMS:
        raise VkApiError(1405)
    fields = _parse_fields(call, community)
    if not fields["photo_ids"]:
        raise invalid_param("main_photo_id is undefined")
    item = call.vk.add_item(community.id, **fields)
    return {"market_item_id": item.id}


def edit_item(call: ApiCall) -> int:
    """Replace an item. Parameters that were not sent are reset; photos are kept."""
    community, item = _require_item(call)
    fields = _parse_fields(call, community)
    fields["photo_ids"] = fields["photo_ids"] or item.photo_ids
    if item.price_type == 3 and fields["price_minor"]:
        fields["price_type"] = 0  # a price was sent, so it is no longer by agreement
    call.vk.put_item(replace(item, **fields))
    return 1


def _parse_fields(call: ApiCall, community: Community) -> dict[str, Any]:
    name, description = call.require_text("name").strip(), call.require_text("description").strip()
    if len(name.encode("cp1251", "xmlcharrefreplace")) > 100:
        raise VkApiError(1421)
    if len(name) < 4:
        raise invalid_param("name is too short")
    if len(description) < 10:
        raise invalid_param("description is too short")
    if len(call.text("sku")) > 50 or len(call.text("url")) > 320:
        raise invalid_param("sku or url is too long")
    photo_ids = [call.number("main_photo_id", 0), *call.numbers("photo_ids", max_length=4)]
    for one in filter(None, photo_ids):
        photo = call.vk.photos.get(one)
        if photo is None or photo.owner_id != -community.id:
            raise invalid_param("photo_id is invalid")
    return {
        "title": name,
        "description": description,
        "category_id": call.number("category_id"),
        "price_minor": _parse_price_minor(call, "price"),
        "old_price_minor": _parse_price_minor(call, "old_price") or None,
        "availability": 2 if call.flag("deleted") else 0,
        "photo_ids": [one for one in photo_ids if one],
        "sku": call.text("sku"),
        "url": call.text("url"),
    }


def _parse_price_minor(call: ApiCall, name: str) -> int:
    """Parse an amount in roubles with decimals; return kopecks."""
    try:
        roubles = Decimal(call.text(name) or "0")
    except InvalidOperation:
        raise invalid_param(f"{name} should be a number") from None
    if not (roubles.is_finite() and 0 <= roubles <= MAX_PRICE_RUB):
        raise invalid_param(f"{name} is invalid")
    return int((roubles * 100).to_integral_value())


def _require_item(call: ApiCall) -> tuple[Community, MarketItem]:
    community = _require_market(call)
    item = call.vk.items.get((community.id, call.number("item_id")))
    if item is None or item.availability == 1:
        raise VkApiError(1403)
    return community, item


def delete_item(call: ApiCall) -> int:
    """Mark an item as deleted."""
    call.vk.put_item(replace(_require_item(call)[1], availability=1))
    return 1


def restore_item(call: ApiCall) -> int:
    """Restore a deleted item."""
    community = _require_market(call)
    item = call.vk.items.get((community.id, call.number("item_id")))
    if item is None:
        raise VkApiError(1403)
    call.vk.put_item(replace(item, availability=0))
    return 1


def get_albums(call: ApiCall) -> Json:
    """Return a page of albums."""
    community = _require_market(call)
    offset, count = call.offset_and_count(50, 100)
    albums = [one for one in call.vk.albums.values() if one.group_id == community.id]
    page = [_album_json(call, one) for one in albums[offset : offset + count]]
    return {"count": len(albums), "items": page}


def _album_json(call: ApiCall, album: Album) -> Json:
    items = call.vk.list_items(album.group_id)
    return {
        "id": album.id,
        "owner_id": -album.group_id,
        "title": album.title,
        "count": sum(1 for one in items if album.id in one.album_ids),
        "is_main": False,
        "is_hidden": False,
        "updated_time": album.updated_at_us // SECOND_US,
        "type": int(album.is_service),
    }


def add_to_album(call: ApiCall) -> int:
    """Add items to albums."""
    community = _require_market(call)
    album_ids = call.numbers("album_ids", 10)
    if any((community.id, one) not in call.vk.albums for one in album_ids):
        raise VkApiError(1402)
    for item_id in call.numbers("item_ids", 100):
        item = call.vk.items.get((community.id, item_id))
        if item is None:
            raise VkApiError(1403)
        item_album_ids = sorted({*item.album_ids, *album_ids})
        call.vk.put_item(replace(item, album_ids=item_album_ids))
    return 1


def get_categories(_: ApiCall) -> Json:
    """Return all categories."""
    return {
        "items": [{"id": number, "name": name} for number, name in market_json.CATEGORIES.items()]
    }


def get_upload_server(call: ApiCall) -> Json:
    """Return the upload address for an item's photo."""
    return {"upload_url": f"{call.vk.vk_url}/upload/product/{call.community().id}"}


def save_product_photo(call: ApiCall) -> Json:
    """Turn an uploaded file into a stored photo; each upload can be saved once."""
    try:
        response = json.loads(call.require_text("upload_response"))
        upload_hash = str(response["photo_token"])
    except (ValueError, KeyError, TypeError):
        raise invalid_param("upload_response is invalid") from None
    upload = call.uploads.by_hash.pop(upload_hash, None)
    if upload is None:
        raise invalid_param("upload_response is invalid")
    community = call.require_community(upload.group_id)
    photo = call.vk.add_photo(-community.id, upload.content, upload.content_type, upload.size)
    return {"photo_id": photo.id, "photo": market_json.photo_json(call.vk, photo)}


_HANDLERS = {
    "get": get_items,
    "getById": get_by_id,
    "add": add_item,
    "edit": edit_item,
    "delete": delete_item,
    "restore": restore_item,
    "getAlbums": get_albums,
    "addToAlbum": add_to_album,
    "getCategories": get_categories,
    "getProductPhotoUploadServer": get_upload_server,
    "saveProductPhoto": save_product_photo,
}
METHODS = {f"market.{name}": ApiMethod(work, None, "market") for name, work in _HANDLERS.items()}
