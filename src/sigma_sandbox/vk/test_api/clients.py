"""Calls for programs under `/vk/test`: be a client, or an owner of a community, without a browser.

They need no key: the sandbox lives on the developer's machine. Refusals come with words: 400 (the
body), 404 (no such person, community, button), 409 (the community takes no messages now).
"""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.responses import Asked, json_response
from sigma_sandbox.vk.actions import outgoing
from sigma_sandbox.vk.actions.client_actions import Closed, Missing, Vk
from sigma_sandbox.vk.actions.seed import OWNER
from sigma_sandbox.vk.wire import serializers
from sigma_sandbox.vk.wire.errors import VkRefused
from sigma_sandbox.vk.world import pictures
from sigma_sandbox.vk.world.models import Attachment, Json


class Meeting(msgspec.Struct, kw_only=True):
    """A person and a community."""

    person_id: int
    group_id: int


class Writing(Meeting, kw_only=True):
    """What a client writes; `photo` true draws one, `market_item` is an item's id."""

    text: str = ""
    ref: str | None = None
    ref_source: str | None = None
    market_item: int | None = None
    photo: bool = False
    link: str | None = None
    raw: dict[str, Json] = {}
    payload: str | None = None
    reply_to: int = 0


class Pushing(Meeting, kw_only=True):
    """Which button: (row, column) under message `cmid`, or under the input (0)."""

    button: tuple[int, int]
    cmid: int = 0


class Allowing(Meeting, kw_only=True):
    """The `key` that was given when the permission was asked for."""

    key: str = ""


class Replying(Meeting, kw_only=True):
    """An administrator writes by hand, on VK's own page."""

    text: str
    admin_id: int = OWNER


class Ordering(Meeting, kw_only=True):
    """Lines are (item id, quantity)."""

    lines: list[tuple[int, int]]
    comment: str = ""


def _vk(request: Asked) -> Vk:
    vk = request.app.state["vk"]
    assert isinstance(vk, Vk)
    return vk


async def answer(request: Asked, kind: Any, work: Callable[[Vk, Any], Json]) -> Response[bytes]:
    """Read the body as `kind`, do the work, and say what came of it."""

    def no(status: int, error: Exception) -> Response[bytes]:
        return json_response({"type": "error", "description": str(error)}, status)

    try:
        body = msgspec.json.decode(await request.body() or b"{}", type=kind)
        return json_response(work(_vk(request), body))
    except (msgspec.MsgspecError, TypeError) as error:
        return no(400, error)
    except Missing as error:
        return no(404, error)
    except (Closed, VkRefused) as error:
        return no(409, error)


def attached(vk: Vk, said: Writing) -> list[Attachment]:
    """What hangs on a client's message. Raises Missing."""
    found = [Attachment(type=kind, raw=raw) for kind, raw in said.raw.items()]
    if said.market_item is not None:
        if (said.group_id, said.market_item) not in vk.items:
            raise Missing(f"no item {said.market_item}")
        item = Attachment(type="market", owner_id=-said.group_id, id=said.market_item)
        found.append(item)
    if said.photo:
        picture = vk.add_picture(said.person_id, *pictures.draw_photo("#8aa4c8"))
        found.append(Attachment(type="photo", owner_id=said.person_id, id=picture.id))
    if said.link:
        found.append(Attachment(type="link", url=said.link, title=said.link))
    return found


def write_as_client(vk: Vk, said: Writing) -> Json:
    """A client writes."""
    vk.person(said.person_id)
    message = vk.write(
        said.person_id,
        said.group_id,
        said.text,
        attached(vk, said),
        said.ref,
        said.ref_source,
        said.payload,
        said.reply_to,
    )
    return serializers.message_json(vk, message)


def press_as_client(vk: Vk, said: Pushing) -> Json:
    """A client presses a button."""
    pressed = vk.press(said.person_id, said.group_id, said.button, said.cmid)
    message = pressed.message and serializers.message_json(vk, pressed.message)
    found = {"link": pressed.link, "event_id": pressed.event_id, "message": message}
    return {"kind": pressed.kind} | {k: v for k, v in found.items() if v is not None}


@post("/write", status_code=200)
async def write(request: Asked) -> Response[bytes]:
    """{"person_id", "group_id", "text", "ref"?, "market_item"?, "photo"?, "link"?, "payload"?…}."""
    return await answer(request, Writing, write_as_client)


@post("/press", status_code=200)
async def press(request: Asked) -> Response[bytes]:
    """{"person_id", "group_id", "cmid", "button": [row, column]}."""
    return await answer(request, Pushing, press_as_client)


@post("/allow", status_code=200)
async def allow(request: Asked) -> Response[bytes]:
    """{"person_id", "group_id", "key"?}: the client lets the community write."""

    def work(vk: Vk, said: Allowing) -> Json:
        vk.allow(said.person_id, said.group_id, said.key)
        return {"allowed": True}

    return await answer(request, Allowing, work)


@post("/deny", status_code=200)
async def deny(request: Asked) -> Response[bytes]:
    """{"person_id", "group_id"}: the client forbids it."""

    def work(vk: Vk, said: Meeting) -> Json:
        vk.deny(said.person_id, said.group_id)
        return {"allowed": False}

    return await answer(request, Meeting, work)


@post("/read", status_code=200)
async def read(request: Asked) -> Response[bytes]:
    """{"person_id", "group_id"}: the client has seen everything."""

    def work(vk: Vk, said: Meeting) -> Json:
        vk.read(said.person_id, said.group_id)
        return {"out_read": vk.dialog(said.group_id, said.person_id).out_read}

    return await answer(request, Meeting, work)


@post("/typing", status_code=200)
async def typing(request: Asked) -> Response[bytes]:
    """{"person_id", "group_id"}: the client is typing."""

    def work(vk: Vk, said: Meeting) -> Json:
        vk.typing(vk.person(said.person_id).id, said.group_id)
        return {}

    return await answer(request, Meeting, work)


@post("/reply", status_code=200)
async def reply(request: Asked) -> Response[bytes]:
    """{"person_id", "group_id", "text"}: an administrator answers on VK's own page."""

    def work(vk: Vk, said: Replying) -> Json:
        community = vk.community(said.group_id)
        message = outgoing.say(
            vk, community, said.person_id, text=said.text, admin_id=said.admin_id
        )
        return serializers.message_json(vk, message)

    return await answer(request, Replying, work)


@post("/orders", status_code=200)
async def order(request: Asked) -> Response[bytes]:
    """{"person_id", "group_id", "lines": [[item_id, quantity]], "comment"?}: the advanced shop."""

    def work(vk: Vk, said: Ordering) -> Json:
        if vk.community(said.group_id).market != "advanced":
            raise VkRefused(1409)
        made = vk.order(said.person_id, said.group_id, said.lines, said.comment)
        return {"order_id": made.id, "total": made.total}

    return await answer(request, Ordering, work)


@get("/dialogs/{group_id:int}/{person_id:int}")
async def dialog(
    request: Asked, group_id: FromPath[int], person_id: FromPath[int]
) -> Response[bytes]:
    """The dialog as it lies in VK: {"allowed", "in_read", "out_read", "typing", "messages"}."""

    def work(vk: Vk, _: Any) -> Json:
        vk.community(group_id), vk.person(person_id)
        found = vk.dialog(group_id, person_id)
        messages = [serializers.message_json(vk, one) for one in vk.messages(group_id, person_id)]
        marks = {"in_read": found.in_read, "out_read": found.out_read, "keyboard": found.keyboard}
        state = {"allowed": found.allowed, "typing": vk.is_typing(group_id, person_id)}
        return state | marks | {"messages": messages}

    return await answer(request, dict[str, Any], work)


HANDLERS = [write, press, allow, deny, read, typing, reply, order, dialog]
