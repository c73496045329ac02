"""`photos.*`: a photo for a message."""

from sigma.sandbox.vk import goods
from sigma.sandbox.vk.call import Call, Method
from sigma.sandbox.vk.refusals import bad_param
from sigma.sandbox.vk.things import Json


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
    return [goods.photo_json(call.vk, picture)]


METHODS = {
    "photos.getMessagesUploadServer": Method(get_upload_server, "photos", "photos"),
    "photos.saveMessagesPhoto": Method(save_message_photo, "photos", "photos"),
}
