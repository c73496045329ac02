"""The upload server for photos. Uploads wait in memory until a `save` method stores them."""

import secrets
from dataclasses import dataclass, field

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from sigma_sandbox.responses import AnyRequest, json_response
from sigma_sandbox.vk.world.images import InvalidImageError, identify_photo
from sigma_sandbox.vk.world.models import Json

MAX_PHOTO_BYTES = 50_000_000
FORM_FIELDS = {"messages": "photo", "product": "file"}


@dataclass(frozen=True)
class PendingUpload:
    """An uploaded photo that is not saved yet. `size` is (width, height) in pixels."""

    group_id: int
    content: bytes
    content_type: str
    size: tuple[int, int]


@dataclass(frozen=True)
class PendingUploads:
    """Uploads by their random hash; lost when the sandbox stops."""

    by_hash: dict[str, PendingUpload] = field(default_factory=dict)

    def add(self, upload: PendingUpload) -> str:
        """Add an upload and return its hash."""
        upload_hash = secrets.token_hex(16)
        self.by_hash[upload_hash] = upload
        return upload_hash


@post("/{purpose:str}/{group_id:int}", status_code=200, request_max_body_size=MAX_PHOTO_BYTES)
async def upload_photo(
    request: AnyRequest, purpose: FromPath[str], group_id: FromPath[int]
) -> Response[bytes]:
    """Accept a photo for a message (form field `photo`) or for a market item (`file`).

    A file that is not an image gets VK's error response with status 200.
    """
    form = await request.form()
    part = form.get(FORM_FIELDS.get(purpose, ""))
    try:
        content = await part.read()  # type: ignore[union-attr]
        content_type, size = identify_photo(content)
    except (InvalidImageError, AttributeError):
        if purpose == "messages":
            return json_response({"server": 0, "photo": "[]", "hash": ""})
        return json_response({"error": "ERR_UPLOAD_BAD_IMAGE_SIZE: no picture in `file`"})
    uploads: PendingUploads = request.app.state["vk_uploads"]
    upload_hash = uploads.add(PendingUpload(group_id, content, content_type, size))
    if purpose == "messages":
        photo = msgspec.json.encode([{"photo": upload_hash, "sizes": []}]).decode()
        return json_response({"server": 628_000 + group_id, "photo": photo, "hash": upload_hash})
    body: Json = {"app_id": 0, "group_id": group_id, "photo_token": upload_hash, "sha": upload_hash}
    return json_response(body)


HANDLERS = [upload_photo]
