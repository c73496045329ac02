"""Actions in a conversation: send, retry, mark read or answered, typing, pause auto-replies."""

import re
import secrets
from typing import Any

from litestar import post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.conversations import inbox, outbox
from sigma.texts import Translator
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.inbox.conversations import (
    ReplyDraft,
    is_partial,
    parse_inbox_filter,
    render_conversation,
)
from sigma.web.cabinet.inbox.view_models import failure_text
from sigma.web.cabinet.responses import read_form_values, redirect, translator_for
from sigma.web.forms import clean, first_value
from sigma.web.ids import parse_id

MAX_SEND_BYTES = 12 * 1024 * 1024  # bytes: a photo and a text
_MESSAGE_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
# Refusals that are displayed above the message field, which keeps its text.
_FORM_REFUSALS = (
    *("validation", "cannot_write", "no_community", "vk_silent", "vk_refused"),
    "quota_messages",
)


@post("/inbox/{conversation_id:str}/send", request_max_body_size=MAX_SEND_BYTES)
async def send_message(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> Response[Any]:
    """Send a message. The form's `key` makes repeated submissions one message."""
    conversation_id = parse_id(conversation_id, "cnv")
    form_data = await read_form_values(request)
    text, key = first_value(form_data, "text", multiline=True), first_value(form_data, "key")
    if not _MESSAGE_KEY.fullmatch(key):
        key = secrets.token_urlsafe(16)
    photo, photo_name = await _read_photo(request)
    translator = translator_for(session)
    try:
        await outbox.post(
            ctx,
            session.member,
            conversation_id,
            text,
            idempotency_key=key,
            photo=photo,
            photo_name=photo_name,
        )
    except RefusedError as error:
        if error.code not in _FORM_REFUSALS:
            raise
        errors = _refusal_texts(error, translator)
        if is_partial(request):
            body = {"error": " ".join(errors.values())}
            return Response(body, status_code=error.http_status)
        draft = ReplyDraft(text, key, errors)
        return await render_conversation(
            request, ctx, session, conversation_id, draft, error.http_status
        )
    if is_partial(request):
        return await render_conversation(request, ctx, session, conversation_id)
    return redirect(parse_inbox_filter(request).url(f"/inbox/{conversation_id}"))


async def _read_photo(request: WebRequest) -> tuple[bytes | None, str]:
    """Return the uploaded image and its file name, None when no file was chosen."""
    upload = (await request.form()).get("photo")
    if not isinstance(upload, UploadFile) or not upload.filename:
        return None, ""
    return await upload.read(), upload.filename


def _refusal_texts(error: RefusedError, translator: Translator) -> dict[str, str]:
    """Return field → why the message was not sent; key "" is about the conversation."""
    if error.code == "validation":
        return {p.field: _problem_text(p, translator) for p in error.problems}
    reason = str(error.params.get("reason", ""))
    if error.code in ("cannot_write", "vk_refused"):
        return {"": failure_text(reason, translator)}
    return {"": translator.refusal_text(error)}


def _problem_text(problem: Problem, translator: Translator) -> str:
    key = f"inbox.wrong_{problem.field}_{problem.code}"
    return translator.t(key) if translator.has(key) else translator.problem_text(problem)


@post("/inbox/{conversation_id:str}/messages/{message_id:str}/again")
async def retry_message(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
    message_id: FromPath[str],
) -> Response[Any]:
    """Send a failed message again."""
    conversation_id = parse_id(conversation_id, "cnv")
    try:
        await outbox.retry(ctx, session.member, parse_id(message_id, "msg"))
    except RefusedError as error:
        if error.code not in _FORM_REFUSALS:
            raise
        draft = ReplyDraft(errors=_refusal_texts(error, translator_for(session)))
        return await render_conversation(
            request, ctx, session, conversation_id, draft, error.http_status
        )
    return _redirect_back(request, conversation_id)


@post("/inbox/{conversation_id:str}/answered")
async def mark_answered(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> Response[Any]:
    """Mark the conversation as answered without a reply («Ответа не нужно»)."""
    conversation_id = parse_id(conversation_id, "cnv")
    await inbox.mark_answered(ctx, session.member, conversation_id)
    return _redirect_back(request, conversation_id)


@post("/inbox/{conversation_id:str}/hand")
async def set_auto_replies_paused(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> Response[Any]:
    """Pause or resume auto-replies («Взять на себя», «Вернуть автоответам»).

    `by`: "person" or "auto". Raises RefusedError("validation").
    """
    conversation_id = parse_id(conversation_id, "cnv")
    by = first_value(await read_form_values(request), "by")
    if by not in ("person", "auto"):
        raise validation_error(Problem("by", "choose"))
    await inbox.set_auto_replies_paused(ctx, session.member, conversation_id, paused=by == "person")
    return _redirect_back(request, conversation_id)


@post("/inbox/{conversation_id:str}/answering", status_code=204)
async def report_answering(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> None:
    """Record that the operator is at the message field or typing; other operators see it."""
    typing = clean(first_value(await read_form_values(request), "typing")) == "yes"
    await inbox.start_answering(
        ctx, session.member, parse_id(conversation_id, "cnv"), is_typing=typing
    )


@post("/inbox/{conversation_id:str}/read", status_code=204)
async def mark_read(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> None:
    """Mark the conversation read up to message `last` (VK's `conversation_message_id`)."""
    last = first_value(await read_form_values(request), "last")
    if last.isdecimal() and len(last) < 16:
        await inbox.mark_read(ctx, session.member, parse_id(conversation_id, "cnv"), int(last))


def _redirect_back(request: WebRequest, conversation_id: str) -> Response[Any]:
    return redirect(parse_inbox_filter(request).url(f"/inbox/{conversation_id}"))


HANDLERS = [
    send_message,
    retry_message,
    mark_answered,
    set_auto_replies_paused,
    report_answering,
    mark_read,
]
