"""Endpoints under `/vk/test`: act as a client, read a conversation.

There is no authentication: the sandbox runs on the developer's machine. Errors have a description:
400 invalid body, 404 unknown person, community or button, 409 the action is not possible now.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.responses import AnyRequest, json_response
from sigma_sandbox.vk.actions import outgoing
from sigma_sandbox.vk.actions.client_actions import MessagesDisabledError, NotFoundError, Vk
from sigma_sandbox.vk.actions.seed import OWNER_ID
from sigma_sandbox.vk.http import get_vk
from sigma_sandbox.vk.wire import serializers
from sigma_sandbox.vk.wire.errors import VkApiError
from sigma_sandbox.vk.world import images
from sigma_sandbox.vk.world.models import Attachment, Json


class ClientRequest(msgspec.Struct, kw_only=True):
    """The client and the community of an action."""

    person_id: int
    group_id: int


class ContentRequest(ClientRequest, kw_only=True):
    """The parts of a message that can have any shape, as VK's own JSON.

    `attachments`: VK's attachment objects, {"type": "poll", "poll": {…}}. `forwarded` and `quoted`:
    VK's message objects. `cropped`: events and lists leave parts of the message out.
    """

    attachments: list[Json] = []
    forwarded: list[Json] = []
    quoted: Json | None = None
    geo: Json | None = None
    format_data: Json | None = None
    unavailable: bool = False
    cropped: bool = False

    def message_fields(self) -> dict[str, Any]:
        """Return these parts as fields of `Message`, without the attachments."""
        extra: Json = {
            "fwd_messages": self.forwarded,
            "reply_message": self.quoted,
            "geo": self.geo,
            "format_data": self.format_data,
            "is_unavailable": self.unavailable,
        }
        return {
            "extra": {name: value for name, value in extra.items() if value},
            "is_cropped": self.cropped,
        }

    def raw_attachments(self) -> list[Attachment]:
        """Return `attachments` as the sandbox stores them."""
        return [
            Attachment(type=str(one.get("type")), raw=one.get(str(one.get("type"))) or {})
            for one in self.attachments
        ]


class WriteRequest(ContentRequest, kw_only=True):
    """A client's message. `photo`: attach a drawn one. `market_item`: an item id to attach.

    `raw` holds further attachments: VK's JSON by attachment type. `reply_to` is the number of a
    message in the conversation.
    """

    text: str = ""
    ref: str | None = None
    ref_source: str | None = None
    market_item: int | None = None
    photo: bool = False
    link: str | None = None
    raw: dict[str, Json] = {}
    payload: str | None = None
    reply_to: int = 0


class PressRequest(ClientRequest, kw_only=True):
    """The button at (row, column) under message `cmid`, or under the input if `cmid` is 0."""

    button: tuple[int, int]
    cmid: int = 0


class AllowRequest(ClientRequest, kw_only=True):
    """`key`: the value the site passed when it asked for the permission."""

    key: str = ""


class ReplyRequest(ContentRequest, kw_only=True):
    """A message an administrator writes on VK's own page."""

    text: str = ""
    admin_id: int = OWNER_ID


async def run_action(
    request: AnyRequest, body_type: Any, action: Callable[[Vk, Any], Json]
) -> Response[bytes]:
    """Decode the body as `body_type`, run the action, and return its result as JSON.

    Exceptions of the action become 400, 404 or 409.
    """

    def error_response(status: int, error: Exception) -> Response[bytes]:
        return json_response({"type": "error", "description": str(error)}, status)

    try:
        body = msgspec.json.decode(await request.body() or b"{}", type=body_type)
        return json_response(action(get_vk(request), body))
    except (msgspec.MsgspecError, TypeError) as error:
        return error_response(400, error)
    except NotFoundError as error:
        return error_response(404, error)
    except (MessagesDisabledError, VkApiError) as error:
        return error_response(409, error)


def build_attachments(vk: Vk, body: WriteRequest) -> list[Attachment]:
    """Build the attachments of a client's message. Raises NotFoundError."""
    attachments = [Attachment(type=kind, raw=raw) for kind, raw in body.raw.items()]
    attachments += body.raw_attachments()
    if body.market_item is not None:
        if (body.group_id, body.market_item) not in vk.items:
            raise NotFoundError(f"no item {body.market_item}")
        item = Attachment(type="market", owner_id=-body.group_id, id=body.market_item)
        attachments.append(item)
    if body.photo:
        photo = vk.add_photo(body.person_id, *images.draw_photo("#8aa4c8"))
        attachments.append(Attachment(type="photo", owner_id=body.person_id, id=photo.id))
    if body.link:
        attachments.append(Attachment(type="link", url=body.link, title=body.link))
    return attachments


def write_as_client(vk: Vk, body: WriteRequest) -> Json:
    """Write a message as a client; return it as VK's JSON."""
    vk.get_person(body.person_id)
    message = vk.write_message(
        body.person_id,
        body.group_id,
        body.text,
        build_attachments(vk, body),
        body.ref,
        body.ref_source,
        body.payload,
        body.reply_to,
        **body.message_fields(),
    )
    return serializers.message_json(vk, message)


def press_as_client(vk: Vk, body: PressRequest) -> Json:
    """Press a button as a client; return the button type and what the press created."""
    result = vk.press_button(body.person_id, body.group_id, body.button, body.cmid)
    message = result.message and serializers.message_json(vk, result.message)
    created = {"link": result.link, "event_id": result.event_id, "message": message}
    return {"kind": result.button_type} | {k: v for k, v in created.items() if v is not None}


@post("/write", status_code=200)
async def write_message(request: AnyRequest) -> Response[bytes]:
    """Body: "person_id", "group_id", "text", and optional fields of `WriteRequest`."""
    return await run_action(request, WriteRequest, write_as_client)


@post("/press", status_code=200)
async def press_button(request: AnyRequest) -> Response[bytes]:
    """Body: "person_id", "group_id", "cmid", "button": [row, column]."""
    return await run_action(request, PressRequest, press_as_client)


@post("/allow", status_code=200)
async def allow_messages(request: AnyRequest) -> Response[bytes]:
    """Body: "person_id", "group_id", optional "key". The client allows messages."""

    def act(vk: Vk, body: AllowRequest) -> Json:
        vk.allow_messages(body.person_id, body.group_id, body.key)
        return {"allowed": True}

    return await run_action(request, AllowRequest, act)


@post("/deny", status_code=200)
async def deny_messages(request: AnyRequest) -> Response[bytes]:
    """Body: "person_id", "group_id". The client forbids messages."""

    def act(vk: Vk, body: ClientRequest) -> Json:
        vk.deny_messages(body.person_id, body.group_id)
        return {"allowed": False}

    return await run_action(request, ClientRequest, act)


@post("/read", status_code=200)
async def mark_read(request: AnyRequest) -> Response[bytes]:
    """Body: "person_id", "group_id". The client reads everything."""

    def act(vk: Vk, body: ClientRequest) -> Json:
        vk.mark_read(body.person_id, body.group_id)
        return {"out_read": vk.get_conversation(body.group_id, body.person_id).out_read}

    return await run_action(request, ClientRequest, act)


@post("/typing", status_code=200)
async def start_typing(request: AnyRequest) -> Response[bytes]:
    """Body: "person_id", "group_id". The client starts typing."""

    def act(vk: Vk, body: ClientRequest) -> Json:
        vk.start_typing(vk.get_person(body.person_id).id, body.group_id)
        return {}

    return await run_action(request, ClientRequest, act)


@post("/reply", status_code=200)
async def send_reply(request: AnyRequest) -> Response[bytes]:
    """Body: "person_id", "group_id", "text". An administrator replies on VK's own page."""

    def act(vk: Vk, body: ReplyRequest) -> Json:
        community = vk.get_community(body.group_id)
        message = outgoing.send_message(
            vk,
            community,
            body.person_id,
            text=body.text,
            admin_id=body.admin_id,
            attachments=body.raw_attachments(),
            **body.message_fields(),
        )
        return serializers.message_json(vk, message)

    return await run_action(request, ReplyRequest, act)


@get("/dialogs/{group_id:int}/{person_id:int}")
async def get_conversation(
    request: AnyRequest, group_id: FromPath[int], person_id: FromPath[int]
) -> Response[bytes]:
    """Return "allowed", "typing", "in_read", "out_read", "keyboard" and "messages"."""

    def act(vk: Vk, _: Any) -> Json:
        vk.get_community(group_id), vk.get_person(person_id)
        conversation = vk.get_conversation(group_id, person_id)
        messages = [
            serializers.message_json(vk, one) for one in vk.list_messages(group_id, person_id)
        ]
        read_state = {
            "in_read": conversation.in_read,
            "out_read": conversation.out_read,
            "keyboard": conversation.keyboard,
        }
        state = {"allowed": conversation.is_allowed, "typing": vk.is_typing(group_id, person_id)}
        return state | read_state | {"messages": messages}

    return await run_action(request, dict[str, Any], act)


HANDLERS = [
    write_message,
    press_button,
    allow_messages,
    deny_messages,
    mark_read,
    start_typing,
    send_reply,
    get_conversation,
]
