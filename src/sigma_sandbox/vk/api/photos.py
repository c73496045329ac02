"""`photos.*` methods: a photo for a message."""

from sigma_sandbox.vk.api.request import ApiCall, ApiMethod
from sigma_sandbox.vk.wire import market_json
from sigma_sandbox.vk.wire.errors import invalid_param
from sigma_sandbox.vk.world.models import Json


def get_upload_server(call: ApiCall) -> Json:
    """Return the upload address."""
    community = call.community(optional=True)
    return {
        "album_id": -64,
        "upload_url": f"{call.vk.vk_url}/upload/messages/{community.id}",
        "user_id": 0,
        "group_id": community.id,
    }


def save_message_photo(call: ApiCall) -> list[Json]:
    """Turn an uploaded file into a photo to attach; each upload can be saved once."""
    community = call.community(optional=True)
    photo, upload_hash = call.require_text("photo"), call.require_text("hash")
    upload = call.uploads.by_hash.get(upload_hash)
    if upload is None or upload.group_id != community.id or upload_hash not in photo:
        raise invalid_param("photo is invalid")
    del call.uploads.by_hash[upload_hash]
    stored_photo = call.vk.add_photo(
        -community.id, upload.content, upload.content_type, upload.size
    )
    return [market_json.photo_json(call.vk, stored_photo)]


METHODS = {
    "photos.getMessagesUploadServer": ApiMethod(get_upload_server, "photos", "photos"),
    "photos.saveMessagesPhoto": ApiMethod(save_message_photo, "photos", "photos"),
}
