"""Where photos are uploaded, and what waits there to be saved."""

import secrets
from dataclasses import dataclass, field

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from sigma_sandbox.responses import Asked, json_response
from sigma_sandbox.vk.world.models import Json
from sigma_sandbox.vk.world.pictures import NotAPicture, read_photo

MAX_PHOTO = 50_000_000
FIELDS = {"messages": "photo", "product": "file"}


@dataclass(frozen=True)
class Upload:
    """A photo that is uploaded, but not saved yet."""

    group_id: int
    content: bytes
    content_type: str
    size: tuple[int, int]


@dataclass(frozen=True)
class Uploads:
    """Photos by their hash. They are forgotten when the sandbox stops."""

    waiting: dict[str, Upload] = field(default_factory=dict)

    def keep(self, upload: Upload) -> str:
        """Remember a photo under a fresh hash."""
        name = secrets.token_hex(16)
        self.waiting[name] = upload
        return name


@post("/{purpose:str}/{group_id:int}", status_code=200, request_max_body_size=MAX_PHOTO)
async def upload(
    request: Asked, purpose: FromPath[str], group_id: FromPath[int]
) -> Response[bytes]:
    """Take a photo for a message (field `photo`) or for a good (field `file`)."""
    form = await request.form()
    part = form.get(FIELDS.get(purpose, ""))
    try:
        content = await part.read()  # type: ignore[union-attr]
        kind, size = read_photo(content)
    except (NotAPicture, AttributeError):
        if purpose == "messages":
            return json_response({"server": 0, "photo": "[]", "hash": ""})
        return json_response({"error": "ERR_UPLOAD_BAD_IMAGE_SIZE: no picture in `file`"})
    uploads: Uploads = request.app.state["vk_uploads"]
    name = uploads.keep(Upload(group_id, content, kind, size))
    if purpose == "messages":
        photo = msgspec.json.encode([{"photo": name, "sizes": []}]).decode()
        return json_response({"server": 628_000 + group_id, "photo": photo, "hash": name})
    body: Json = {"app_id": 0, "group_id": group_id, "photo_token": name, "sha": name}
    return json_response(body)


HANDLERS = [upload]
