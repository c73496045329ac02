"""Pictures for messages: given to VK's upload server, then named.

Source: dev.vk.ru/ru/api/upload.
"""

from typing import Any

import msgspec

from sigma.channels.vk.client import Vk, unreadable
from sigma.channels.vk.errors import BAD_PHOTO, Final
from sigma.channels.vk.fields import number, objects, text

MAX_BYTES = 50_000_000
_BEGINNINGS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
}


async def message_photo(vk: Vk, peer_id: int, data: bytes, name: str = "photo") -> str:
    """Gives a picture to VK; returns the text for `attachment`: photo-1_2_key.

    Raises ValueError("photo") for what is no picture, Final(129) when VK cannot read it, VkError.
    """
    media_type = kind_of(data)
    where = await vk.call("photos.getMessagesUploadServer", peer_id=peer_id)
    said = await vk.upload(text(where, "upload_url", 4096), "photo", data, name, media_type)
    answer = _answer(said)
    if answer.get("photo") in (None, "", "[]"):
        raise Final(BAD_PHOTO, words="the picture cannot be read")
    saved = await vk.call(
        "photos.saveMessagesPhoto",
        photo=answer["photo"],
        server=answer.get("server"),
        hash=answer.get("hash"),
    )
    for one in objects({"saved": saved}, "saved"):
        if number(one, "id") and number(one, "owner_id"):
            named = f"photo{number(one, 'owner_id')}_{number(one, 'id')}"
            return f"{named}_{key}" if (key := text(one, "access_key", 64)) else named
    raise unreadable("a saved picture")


def kind_of(data: bytes) -> str:
    """The media type of a picture that VK takes. Raises ValueError("photo")."""
    for beginning, media_type in _BEGINNINGS.items():
        if data.startswith(beginning) and len(data) <= MAX_BYTES:
            return media_type
    raise ValueError("photo")


def _answer(said: str) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(said)
    except (ValueError, RecursionError):
        raise unreadable("an upload's JSON") from None
    if not isinstance(answer, dict):
        raise unreadable("an upload's object")
    return answer
