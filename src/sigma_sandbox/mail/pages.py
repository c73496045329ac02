"""The inbox for people (`/mail/`) and for programs (`/mail/api/messages`)."""

from urllib.parse import quote

from litestar import Response, delete, get
from litestar.params import FromPath

from sigma_sandbox.mail import mailbox as mail
from sigma_sandbox.mail.mailbox import Letter, Mailbox
from sigma_sandbox.responses import Asked, json_response, missing, page

# The letter is somebody else's HTML: no scripts, no loads, an origin of its own.
LETTER_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src data:; style-src 'unsafe-inline'; font-src data:"
)
# Types a browser may show in place without running anything of theirs; the rest is downloaded.
SHOWN_IN_PLACE = frozenset(
    ["application/pdf", "image/png", "image/jpeg", "image/gif", "text/plain"]
)


def file_size(size: int) -> str:
    """Bytes for people: "8 Б", "12,5 КБ"."""
    if size < 1024:
        return f"{size}\u00a0Б"
    return f"{size / 1024:.1f}\u00a0КБ".replace(".", ",")


def _box(request: Asked) -> Mailbox:
    box = request.app.state["mail"]
    assert isinstance(box, Mailbox)
    return box


def _base_url(request: Asked) -> str:
    return str(request.app.state["base_url"])


@get("/api/messages")
async def messages(request: Asked) -> Response[bytes]:
    """Letters as JSON, newest first; `?to=` keeps one recipient's."""
    letters = _box(request).newest(request.query_params.get("to"))
    return json_response([mail.letter_json(one, _base_url(request)) for one in letters])


@get("/api/messages/{letter_id:str}")
async def message(request: Asked, letter_id: FromPath[str]) -> Response[bytes]:
    """One letter as JSON."""
    letter = _box(request).letters.get(letter_id)
    if letter is None:
        return json_response({"type": "error", "code": "not_found"}, 404)
    return json_response(mail.letter_json(letter, _base_url(request)))


@delete("/api/messages", status_code=204)
async def clear(request: Asked) -> None:
    """Throw all letters away."""
    _box(request).clear()


@get("/")
async def inbox(request: Asked) -> Response[bytes]:
    """The list of letters."""
    to = request.query_params.get("to", "").strip()
    rows = [(one, mail.parse(one)) for one in _box(request).newest(to or None)[:200]]
    letters = [
        {
            "id": letter.id,
            "to": ", ".join(letter.recipients),
            "subject": mail.subject(parsed),
            "at": letter.received_at,
            "files": sum(part.content_id is None for part in mail.parts(parsed)),
        }
        for letter, parsed in rows
    ]
    return page(request, "inbox.html", letters=letters, to=to)


@get("/{letter_id:str}")
async def show(request: Asked, letter_id: FromPath[str]) -> Response[bytes]:
    """One letter: envelope, HTML or text, attachments."""
    letter = _box(request).letters.get(letter_id)
    if letter is None:
        return missing(request)
    parsed = mail.parse(letter)
    html = mail.body(parsed, "html")
    text = mail.body(parsed, "plain")
    view = request.query_params.get("view") or ("html" if html is not None else "text")
    files = [
        {"n": n, "name": part.name, "size": file_size(len(part.content))}
        for n, part in enumerate(mail.parts(parsed))
        if html is None or part.content_id is None  # pictures are seen in their place
    ]
    return page(
        request,
        "letter.html",
        letter=letter,
        subject=mail.subject(parsed),
        author=str(parsed.get("from", letter.sender)),
        text=text,
        has_html=html is not None,
        view=view,
        headers=[(name, str(value)) for name, value in parsed.items()],
        files=files,
    )


@get("/{letter_id:str}/body")
async def letter_body(request: Asked, letter_id: FromPath[str]) -> Response[bytes]:
    """The letter's HTML, harmless, for the frame."""
    letter = _box(request).letters.get(letter_id)
    if letter is None:
        return missing(request)
    html = mail.html_with_pictures(mail.parse(letter))
    return Response(
        f'<base target="_blank">{html}'.encode(),
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": LETTER_POLICY, "X-Content-Type-Options": "nosniff"},
    )


@get("/{letter_id:str}/parts/{number:int}")
async def letter_part(
    request: Asked, letter_id: FromPath[str], number: FromPath[int]
) -> Response[bytes]:
    """An attachment."""
    letter: Letter | None = _box(request).letters.get(letter_id)
    parts = mail.parts(mail.parse(letter)) if letter else []
    if not 0 <= number < len(parts):
        return missing(request)
    part = parts[number]
    shown = part.content_type in SHOWN_IN_PLACE
    disposition = "inline" if shown and "download" not in request.query_params else "attachment"
    return Response(
        part.content,
        media_type=part.content_type if shown else "application/octet-stream",
        headers={
            "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(part.name)}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
        },
    )


HANDLERS = [messages, message, clear, inbox, show, letter_body, letter_part]
