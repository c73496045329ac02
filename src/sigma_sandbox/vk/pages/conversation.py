"""A client's conversation: write, press buttons, allow; with and without JavaScript."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.responses import (
    AnyRequest,
    json_response,
    not_found_page,
    redirect,
    render_fragment,
)
from sigma_sandbox.vk.actions.client_actions import (
    PRESS_TTL_US,
    MessagesDisabledError,
    NotFoundError,
    Vk,
)
from sigma_sandbox.vk.http import get_vk
from sigma_sandbox.vk.pages import view_models
from sigma_sandbox.vk.pages.home import show_community
from sigma_sandbox.vk.pages.rendering import current_person, render_vk_page
from sigma_sandbox.vk.world.models import Attachment, Community, Person

# How long a request for an unchanged conversation or an unanswered press is held before the page
# repeats it. Shorter than the server's shutdown timeout.
HOLD_TIMEOUT_S = 0.8
POLL_INTERVAL_S = 0.04
START_PAYLOAD = '{"command":"start"}'
GREETING = "Здравствуйте! Меня интересует «{title}»."
MESSAGES_DISABLED_TEXT = "Сообщество не принимает сообщения."
NO_ANSWER_TEXT = "Сообщество не ответило на нажатие."
MAX_TEXT_LENGTH = 9000


def _find_community(request: AnyRequest, name: str) -> Community | None:
    """Return the community of "write-1" or "write-<short name>", or None."""
    if not name.startswith("write-"):
        return None
    return get_vk(request).find_community(name.removeprefix("write-"))


def _wants_json(request: AnyRequest) -> bool:
    return "json" in request.headers.get("accept", "")


def _fragments_json(request: AnyRequest, community: Community) -> dict[str, Any]:
    """Mark messages as read and return the changing parts of the page as HTML fragments."""
    vk, person = get_vk(request), current_person(request)
    vk.mark_read(person.id, community.id)
    feed = view_models.conversation_view(
        vk, community, vk.get_conversation(community.id, person.id)
    )
    values = {
        "community": view_models.community_context(vk, community),
        "feed": feed,
        "ref": "",
        "ref_source": "",
    }
    conversations = view_models.conversation_rows(vk, person)
    return {
        "version": feed.version,
        "feed": render_fragment("vk/feed.html", **values),
        "under": render_fragment("vk/under.html", **values),
        "side": render_fragment(
            "vk/conversations.html", community=values["community"], conversations=conversations
        ),
        "typing": feed.is_typing,
    }


@get("/{name:str}")
async def show_page(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Show a community by its short name, or the conversation with it ("write-1")."""
    if name.startswith("write-"):
        community = _find_community(request, name)
        return (
            not_found_page(request) if community is None else _conversation_page(request, community)
        )
    community = get_vk(request).find_community(name)
    return not_found_page(request) if community is None else show_community(request, community)


def _conversation_page(
    request: AnyRequest, community: Community, status: int = 200, draft: str = "", notice: str = ""
) -> Response[bytes]:
    vk, person, query = get_vk(request), current_person(request), request.query_params
    vk.mark_read(person.id, community.id)
    conversation = vk.get_conversation(community.id, person.id)
    item_id = query.get("item", "")
    item = next(
        (one for one in view_models.service_cards(vk, community) if str(one.id) == item_id), None
    )
    event_id = query.get("event", "")
    answer = _press_outcome(vk, event_id) if event_id else None
    return render_vk_page(
        request,
        "conversation.html",
        status,
        community=view_models.community_context(vk, community),
        feed=view_models.conversation_view(vk, community, conversation),
        conversations=view_models.conversation_rows(vk, person),
        allowed=bool(conversation.is_allowed),
        item=item,
        draft=draft or (GREETING.format(title=item.title) if item else ""),
        ref=query.get("ref", ""),
        ref_source=query.get("ref_source", ""),
        answer={"text": notice, "link": "", "pending_id": ""} if notice else answer,
    )


@get("/{name:str}/feed")
async def poll_feed(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Return the fragments once the version differs from `?version=`; 204 after HOLD_TIMEOUT_S."""
    community = _find_community(request, name)
    if community is None:
        return not_found_page(request)
    vk, person = get_vk(request), current_person(request)
    known_version = request.query_params.get("version", "")
    conversation = vk.get_conversation(community.id, person.id)
    if view_models.view_version(community, conversation) == known_version:
        conversation = await vk.wait_for_change(
            community.id, person.id, conversation.version, HOLD_TIMEOUT_S
        )
        community = vk.communities[community.id]
        if view_models.view_version(community, conversation) == known_version:
            return Response(b"", status_code=204)
    return json_response(_fragments_json(request, community))


@post("/{name:str}", status_code=200)
async def send_message(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Send the composer's message or the press of «Начать»."""
    community = _find_community(request, name)
    if community is None:
        return not_found_page(request)
    form = {key: str(value) for key, value in (await request.form()).items()}
    text, attachments, payload = form.get("text", "").strip()[:MAX_TEXT_LENGTH], [], None
    if form.get("start"):
        text, payload = "Начать", START_PAYLOAD
    elif form.get("item", "").isdecimal():
        attachments = [Attachment(type="market", owner_id=-community.id, id=int(form["item"]))]
    if not text and not attachments:
        return _success_response(request, community)
    try:
        get_vk(request).write_message(
            current_person(request).id,
            community.id,
            text,
            attachments,
            ref=form.get("ref"),
            ref_source=form.get("ref_source"),
            payload=payload,
        )
    except MessagesDisabledError:
        return _error_response(request, community, MESSAGES_DISABLED_TEXT, text)
    return _success_response(request, community)


def _success_response(request: AnyRequest, community: Community, **fields: str) -> Response[bytes]:
    if _wants_json(request):
        return json_response(_fragments_json(request, community) | fields)
    event = {"event": fields["event"]} if fields.get("event") else {}
    return redirect(f"/vk/write-{community.id}{'?' + urlencode(event) if event else ''}")


def _error_response(
    request: AnyRequest, community: Community, notice: str, draft: str = ""
) -> Response[bytes]:
    if _wants_json(request):
        return json_response({"text": notice}, 422)
    return _conversation_page(request, community, 422, draft, notice)


@post("/{name:str}/press", status_code=200)
async def press_button(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Press a button under a message (`cmid`) or under the input (`cmid` 0)."""
    community = _find_community(request, name)
    if community is None:
        return not_found_page(request)
    form = await request.form()
    vk, person = get_vk(request), current_person(request)
    try:
        row, column = (int(one) for one in str(form.get("place", "")).split(","))
        result = vk.press_button(
            person.id, community.id, (row, column), int(str(form.get("cmid") or 0))
        )
    except (NotFoundError, ValueError):
        return _error_response(request, community, "Этой кнопки больше нет.")
    except MessagesDisabledError:
        return _error_response(request, community, MESSAGES_DISABLED_TEXT)
    if result.event_id is None:
        return _success_response(request, community)
    await _wait_for_answer(vk, result.event_id)
    return _success_response(
        request, community, event=result.event_id, **_press_outcome(vk, result.event_id)
    )


@get("/{name:str}/press/{event_id:str}")
async def poll_press(
    request: AnyRequest, name: FromPath[str], event_id: FromPath[str]
) -> Response[bytes]:
    """Return the result of a press: `text`, `link`, or `pending_id` while there is none."""
    if _find_community(request, name) is None:
        return not_found_page(request)
    await _wait_for_answer(get_vk(request), event_id)
    return json_response(_press_outcome(get_vk(request), event_id))


async def _wait_for_answer(vk: Vk, event_id: str) -> None:
    """Wait up to HOLD_TIMEOUT_S for the community's answer to a press."""
    for _ in range(int(HOLD_TIMEOUT_S / POLL_INTERVAL_S)):
        button_press = vk.button_presses.get(event_id)
        if button_press is None or button_press.answer is not None:
            break
        await asyncio.sleep(POLL_INTERVAL_S)


def _press_outcome(vk: Vk, event_id: str) -> dict[str, str]:
    """Return what to show after a press: a `text` or a `link`.

    `pending_id` is the event id while the community has not answered and still may.
    """
    button_press = vk.button_presses.get(event_id)
    answer = (button_press and button_press.answer) or {}
    link = str(answer.get("link") or "")
    if answer.get("type") == "open_link" and view_models.is_http_url(link):
        return {"text": "", "link": link, "pending_id": ""}
    if answer:
        return {"text": str(answer.get("text") or ""), "link": "", "pending_id": ""}
    is_waiting = (
        button_press is not None
        and vk.now_us(button_press.group_id) - button_press.pressed_at_us < PRESS_TTL_US
    )
    return {
        "text": "" if is_waiting else NO_ANSWER_TEXT,
        "link": "",
        "pending_id": event_id if is_waiting else "",
    }


@post("/{name:str}/allow", status_code=200)
async def set_permission(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Allow the community to write, or forbid it."""
    community = _find_community(request, name)
    if community is None:
        return not_found_page(request)
    vk, person = get_vk(request), current_person(request)
    _set_allowed(vk, person, community, str((await request.form()).get("allow")) == "1")
    return redirect(f"/vk/write-{community.id}")


def _set_allowed(vk: Vk, person: Person, community: Community, is_allowed: bool) -> None:
    if is_allowed:
        vk.allow_messages(person.id, community.id)
    else:
        vk.deny_messages(person.id, community.id)


HANDLERS = [show_page, poll_feed, send_message, press_button, poll_press, set_permission]
