"""`market.*` about goods and services. A community's key gets 27 here unless /control opens it."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.time_util import SECOND
from sigma_sandbox.vk.api.request import Call, Method
from sigma_sandbox.vk.wire import market_json
from sigma_sandbox.vk.wire.errors import VkRefused, bad_param
from sigma_sandbox.vk.world.models import Album, Community, Item, Json

MAX_ITEMS = 15_000
MAX_PRICE = Decimal(999_999_999_999)


def _owner(call: Call) -> Community:
    """The community of `owner_id`, which is negative."""
    owner_id = call.number("owner_id")
    if owner_id >= 0:
        raise bad_param("owner_id should be negative")
    return call.ruled(-owner_id)


def _shop(call: Call) -> Community:
    community = _owner(call)
    if community.market == "none":
        raise VkRefused(1438)
    return community


def get(call: Call) -> Json:
    """A page of goods and services, the newest first; unavailable ones only `with_disabled`."""
    community = _shop(call)
    offset, count = call.count(100, 200)
    album_id, everything = call.number("album_id", 0), call.flag("with_disabled")
    found = [
        one
        for one in reversed(call.vk.items_of(community.id))
        if one.availability == 0 or (everything and one.availability == 2)
        if not album_id or album_id in one.album_ids
    ]
    return _page(call, found[offset : offset + count], len(found))


def _page(call: Call, items: list[Item], count: int) -> Json:
    extended = bool(call.flag("extended"))
    return {
        "count": count,
        "items": [market_json.item_json(call.vk, one, extended, mine=True) for one in items],
    }


def get_by_id(call: Call) -> Json:
    """Items by "-<group>_<item>"; those that are not there are left out."""
    found = []
    for said in call.needed("item_ids").split(","):
        owner, _, number = said.strip().partition("_")
        try:
            community, item_id = call.ruled(-int(owner)), int(number)
        except ValueError:
            raise bad_param("item_ids is invalid") from None
        if community.market == "none":
            raise VkRefused(1525)
        item = call.vk.items.get((community.id, item_id))
        if item is not None and item.availability != 1:
            found.append(item)
    return _page(call, found, len(found))


def add(call: Call) -> Json:
    """A new item, seen at once."""
    community = _shop(call)
    if len(call.vk.items_of(community.id)) >= MAX_ITEMS:
        raise VkRefused(1405)
    fields = _fields(call, community)
    if not fields["photo_ids"]:
        raise bad_param("main_photo_id is undefined")
    item = call.vk.add_item(community.id, **fields)
    return {"market_item_id": item.id}


def edit(call: Call) -> int:
    """The item becomes what is sent; what is not sent is reset, the photos stay."""
    community, item = _item(call)
    fields = _fields(call, community)
    fields["photo_ids"] = fields["photo_ids"] or item.photo_ids
    if item.price_type == 3 and fields["price"]:
        fields["price_type"] = 0  # a named price is no longer a matter of agreement
    call.vk.put_item(replace(item, **fields))
    return 1


def _fields(call: Call, community: Community) -> dict[str, Any]:
    name, description = call.needed("name").strip(), call.needed("description").strip()
    if len(name.encode("cp1251", "xmlcharrefreplace")) > 100:
        raise VkRefused(1421)
    if len(name) < 4:
        raise bad_param("name is too short")
    if len(description) < 10:
        raise bad_param("description is too short")
    if len(call.text("sku")) > 50 or len(call.text("url")) > 320:
        raise bad_param("sku or url is too long")
    photos = [call.number("main_photo_id", 0), *call.numbers("photo_ids", most=4)]
    for one in filter(None, photos):
        picture = call.vk.pictures.get(one)
        if picture is None or picture.owner_id != -community.id:
            raise bad_param("photo_id is invalid")
    return {
        "title": name,
        "description": description,
        "category_id": call.number("category_id"),
        "price": _kopecks(call, "price"),
        "old_price": _kopecks(call, "old_price") or None,
        "availability": 2 if call.flag("deleted") else 0,
        "photo_ids": [one for one in photos if one],
        "sku": call.text("sku"),
        "url": call.text("url"),
    }


def _kopecks(call: Call, name: str) -> int:
    """Roubles with decimals, as they are sent, in kopecks."""
    try:
        roubles = Decimal(call.text(name) or "0")
    except InvalidOperation:
        raise bad_param(f"{name} should be a number") from None
    if not (roubles.is_finite() and 0 <= roubles <= MAX_PRICE):
        raise bad_param(f"{name} is invalid")
    return int((roubles * 100).to_integral_value())


def _item(call: Call) -> tuple[Community, Item]:
    community = _shop(call)
    item = call.vk.items.get((community.id, call.number("item_id")))
    if item is None or item.availability == 1:
        raise VkRefused(1403)
    return community, item


def delete(call: Call) -> int:
    """The item is gone (and can be restored for a while)."""
    call.vk.put_item(replace(_item(call)[1], availability=1))
    return 1


def restore(call: Call) -> int:
    """A deleted item is back."""
    community = _shop(call)
    item = call.vk.items.get((community.id, call.number("item_id")))
    if item is None:
        raise VkRefused(1403)
    call.vk.put_item(replace(item, availability=0))
    return 1


def get_albums(call: Call) -> Json:
    """Selections of goods and of services."""
    community = _shop(call)
    offset, count = call.count(50, 100)
    albums = [one for one in call.vk.albums.values() if one.group_id == community.id]
    shown = [_album_json(call, one) for one in albums[offset : offset + count]]
    return {"count": len(albums), "items": shown}


def _album_json(call: Call, album: Album) -> Json:
    items = call.vk.items_of(album.group_id)
    return {
        "id": album.id,
        "owner_id": -album.group_id,
        "title": album.title,
        "count": sum(1 for one in items if album.id in one.album_ids),
        "is_main": False,
        "is_hidden": False,
        "updated_time": album.updated_at // SECOND,
        "type": int(album.service),
    }


def add_to_album(call: Call) -> int:
    """Items join albums."""
    community = _shop(call)
    albums = call.numbers("album_ids", 10)
    if any((community.id, one) not in call.vk.albums for one in albums):
        raise VkRefused(1402)
    for item_id in call.numbers("item_ids", 100):
        item = call.vk.items.get((community.id, item_id))
        if item is None:
            raise VkRefused(1403)
        joined = sorted({*item.album_ids, *albums})
        call.vk.put_item(replace(item, album_ids=joined))
    return 1


def get_categories(_: Call) -> Json:
    """The tree of categories."""
    return {
        "items": [{"id": number, "name": name} for number, name in market_json.CATEGORIES.items()]
    }


def get_upload_server(call: Call) -> Json:
    """Where to send a product's photo."""
    return {"upload_url": f"{call.vk.root}/upload/product/{call.community().id}"}


def save_product_photo(call: Call) -> Json:
    """The uploaded photo gets its number."""
    try:
        told = json.loads(call.needed("upload_response"))
        name = str(told["photo_token"])
    except (ValueError, KeyError, TypeError):
        raise bad_param("upload_response is invalid") from None
    upload = call.uploads.waiting.pop(name, None)
    if upload is None:
        raise bad_param("upload_response is invalid")
    community = call.ruled(upload.group_id)
    picture = call.vk.add_picture(-community.id, upload.content, upload.content_type, upload.size)
    return {"photo_id": picture.id, "photo": market_json.photo_json(call.vk, picture)}


_WORKS = {
    "get": get,
    "getById": get_by_id,
    "add": add,
    "edit": edit,
    "delete": delete,
    "restore": restore,
    "getAlbums": get_albums,
    "addToAlbum": add_to_album,
    "getCategories": get_categories,
    "getProductPhotoUploadServer": get_upload_server,
    "saveProductPhoto": save_product_photo,
}
METHODS = {f"market.{name}": Method(work, None, "market") for name, work in _WORKS.items()}
