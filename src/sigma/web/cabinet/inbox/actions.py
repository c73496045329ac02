"""What is done in a dialog: an answer sent, a failed one sent again, and what is said of it: read,
needs no answer, I am answering, I take it over.
"""

import re
import secrets
from typing import Any

from litestar import post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.errors import Problem, Refused, invalid
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.conversations import inbox, outbox
from sigma.texts import Words
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.inbox.conversations import Draft, partly, read_chosen, show
from sigma.web.cabinet.inbox.view_models import refusal
from sigma.web.cabinet.responses import go, posted, words_of
from sigma.web.forms import clean, one, read_id

MAX_SENT = 12 * 1024 * 1024  # bytes: a photo and a text
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
# Refusals that are shown over the field; what was typed stays in it.
_SAID = ("validation", "cannot_write", "no_community", "vk_silent", "vk_refused")


@post("/inbox/{conversation_id:str}/send", request_max_body_size=MAX_SENT)
async def send(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> Response[Any]:
    """Sends what was typed. The form's key makes one message of it, however often it comes."""
    conversation_id = read_id(conversation_id, "dlg")
    given = await posted(request)
    text, key = one(given, "text", lines=True), one(given, "key")
    if not _KEY.fullmatch(key):
        key = secrets.token_urlsafe(12)
    photo = await _photo(request)
    words = words_of(session)
    try:
        await outbox.post(ctx, session.member, conversation_id, text, key=key, photo=photo)
    except Refused as refused:
        if refused.code not in _SAID:
            raise
        errors = _errors(refused, words)
        if partly(request):
            said = {"error": " ".join(errors.values())}
            return Response(said, status_code=refused.status)
        draft = Draft(text, key, errors)
        return await show(request, ctx, session, conversation_id, draft, refused.status)
    if partly(request):
        return await show(request, ctx, session, conversation_id)
    return go(read_chosen(request).url(f"/inbox/{conversation_id}"))


async def _photo(request: WebRequest) -> bytes | None:
    """The picture of a form; None when none was chosen."""
    given = (await request.form()).get("photo")
    if not isinstance(given, UploadFile) or not given.filename:
        return None
    return await given.read()


def _errors(refused: Refused, words: Words) -> dict[str, str]:
    """Why an answer was not sent, by field; "" is about the dialog."""
    if refused.code == "validation":
        return {p.field: _sentence(p, words) for p in refused.problems}
    reason = str(refused.params.get("reason", ""))
    if refused.code in ("cannot_write", "vk_refused"):
        return {"": refusal(reason, words)}
    return {"": words.refusal(refused)}


def _sentence(problem: Problem, words: Words) -> str:
    own = f"inbox.wrong_{problem.field}_{problem.code}"
    return words.t(own) if words.has(own) else words.problem(problem)


@post("/inbox/{conversation_id:str}/messages/{message_id:str}/again")
async def again(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
    message_id: FromPath[str],
) -> Response[Any]:
    """Tries a failed message once more."""
    conversation_id = read_id(conversation_id, "dlg")
    try:
        await outbox.again(ctx, session.member, read_id(message_id, "msg"))
    except Refused as refused:
        if refused.code not in _SAID:
            raise
        draft = Draft(errors=_errors(refused, words_of(session)))
        return await show(request, ctx, session, conversation_id, draft, refused.status)
    return _back(request, conversation_id)


@post("/inbox/{conversation_id:str}/answered")
async def answered(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> Response[Any]:
    """«Ответа не нужно»."""
    conversation_id = read_id(conversation_id, "dlg")
    await inbox.answer_not_needed(ctx, session.member, conversation_id)
    return _back(request, conversation_id)


@post("/inbox/{conversation_id:str}/hand")
async def hand(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> Response[Any]:
    """«Взять на себя» and «Вернуть автоответам»."""
    conversation_id = read_id(conversation_id, "dlg")
    by = one(await posted(request), "by")
    if by not in ("person", "auto"):
        raise invalid(Problem("by", "choose"))
    await inbox.take_over(ctx, session.member, conversation_id, by_hand=by == "person")
    return _back(request, conversation_id)


@post("/inbox/{conversation_id:str}/answering", status_code=204)
async def answering(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> None:
    """A page says that its person is in the field, or types: the others see it."""
    typing = clean(one(await posted(request), "typing")) == "yes"
    await inbox.answering(ctx, session.member, read_id(conversation_id, "dlg"), typing=typing)


@post("/inbox/{conversation_id:str}/read", status_code=204)
async def read(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> None:
    """A page that is open and in sight says what it has shown."""
    last = one(await posted(request), "last")
    if last.isdecimal() and len(last) < 16:
        await inbox.read(ctx, session.member, read_id(conversation_id, "dlg"), int(last))


def _back(request: WebRequest, conversation_id: str) -> Response[Any]:
    return go(read_chosen(request).url(f"/inbox/{conversation_id}"))


HANDLERS = [send, again, answered, hand, answering, read]
