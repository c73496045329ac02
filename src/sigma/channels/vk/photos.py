"""Upload pictures for messages: to VK's upload server, then `photos.saveMessagesPhoto`.

Source: dev.vk.ru/ru/api/upload.
"""

from typing import Any

import msgspec

from sigma.channels.vk.client import VkClient, unreadable_response
from sigma.channels.vk.errors import BAD_PHOTO, PermanentError
from sigma.channels.vk.fields import read_int, read_objects, read_text

MAX_PHOTO_BYTES = 50_000_000
_MAGIC_BYTES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
}


async def upload_message_photo(vk: VkClient, peer_id: int, data: bytes, name: str = "photo") -> str:
    """Upload a picture and return the text for `attachment`: photo-1_2_key.

    Raises ValueError("photo") for another file type, PermanentError(129) when VK cannot read the
    picture, VkError.
    """
    media_type = detect_media_type(data)
    upload_server = await vk.call("photos.getMessagesUploadServer", peer_id=peer_id)
    upload_text = await vk.upload(
        read_text(upload_server, "upload_url", 4096), "photo", data, name, media_type
    )
    uploaded = _decode_upload(upload_text)
    if uploaded.get("photo") in (None, "", "[]"):
        raise PermanentError(BAD_PHOTO, detail="the picture cannot be read")
    saved = await vk.call(
        "photos.saveMessagesPhoto",
        photo=uploaded["photo"],
        server=uploaded.get("server"),
        hash=uploaded.get("hash"),
    )
    for one in read_objects({"saved": saved}, "saved"):
        if read_int(one, "id") and read_int(one, "owner_id"):
            attachment = f"photo{read_int(one, 'owner_id')}_{read_int(one, 'id')}"
            return (
                f"{attachment}_{key}" if (key := read_text(one, "access_key", 64)) else attachment
            )
    raise unreadable_response("a saved picture")


def detect_media_type(data: bytes) -> str:
    """Return the media type of a picture that VK accepts. Raises ValueError("photo")."""
    for beginning, media_type in _MAGIC_BYTES.items():
        if data.startswith(beginning) and len(data) <= MAX_PHOTO_BYTES:
            return media_type
    raise ValueError("photo")


def _decode_upload(upload_text: str) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(upload_text)
    except (ValueError, RecursionError):
        raise unreadable_response("an upload's JSON") from None
    if not isinstance(answer, dict):
        raise unreadable_response("an upload's object")
    return answer
