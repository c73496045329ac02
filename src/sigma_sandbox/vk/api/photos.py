"""`photos.*`: a photo for a message."""

from sigma_sandbox.vk.api.request import Call, Method
from sigma_sandbox.vk.wire import market_json
from sigma_sandbox.vk.wire.errors import bad_param
from sigma_sandbox.vk.world.models import Json


def get_upload_server(call: Call) -> Json:
    """Where to send the photo."""
    community = call.community(optional=True)
    return {
        "album_id": -64,
        "upload_url": f"{call.vk.root}/upload/messages/{community.id}",
        "user_id": 0,
        "group_id": community.id,
    }


def save_message_photo(call: Call) -> list[Json]:
    """The uploaded photo becomes one that can be attached; once."""
    community = call.community(optional=True)
    photo, name = call.needed("photo"), call.needed("hash")
    upload = call.uploads.waiting.get(name)
    if upload is None or upload.group_id != community.id or name not in photo:
        raise bad_param("photo is invalid")
    del call.uploads.waiting[name]
    picture = call.vk.add_picture(-community.id, upload.content, upload.content_type, upload.size)
    return [market_json.photo_json(call.vk, picture)]


METHODS = {
    "photos.getMessagesUploadServer": Method(get_upload_server, "photos", "photos"),
    "photos.saveMessagesPhoto": Method(save_message_photo, "photos", "photos"),
}
