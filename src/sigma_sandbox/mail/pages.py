"""Handlers under `/mail`: HTML pages, and JSON under `/mail/api/messages`."""

from urllib.parse import quote

from litestar import Response, delete, get
from litestar.params import FromPath

from sigma_sandbox.mail import mailbox as mail
from sigma_sandbox.mail.mailbox import Email, Mailbox
from sigma_sandbox.responses import AnyRequest, json_response, not_found_page, render_page

# The HTML of an email is untrusted: no scripts, no requests, an opaque origin (CSP sandbox).
EMAIL_BODY_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src data:; style-src 'unsafe-inline'; font-src data:"
)
# Types that a browser displays without running active content; others are downloaded.
INLINE_CONTENT_TYPES = frozenset(
    ["application/pdf", "image/png", "image/jpeg", "image/gif", "text/plain"]
)


def format_size(size_bytes: int) -> str:
    """Format a number of bytes: "8 Б", "12,5 КБ"."""
    if size_bytes < 1024:
        return f"{size_bytes}\u00a0Б"
    return f"{size_bytes / 1024:.1f}\u00a0КБ".replace(".", ",")


def _mailbox(request: AnyRequest) -> Mailbox:
    mailbox = request.app.state["mailbox"]
    assert isinstance(mailbox, Mailbox)
    return mailbox


def _base_url(request: AnyRequest) -> str:
    return str(request.app.state["base_url"])


@get("/api/messages")
async def list_messages(request: AnyRequest) -> Response[bytes]:
    """Return emails as JSON, newest first; `?to=` selects one recipient."""
    emails = _mailbox(request).list_newest(request.query_params.get("to"))
    return json_response([mail.email_json(email, _base_url(request)) for email in emails])


@get("/api/messages/{email_id:str}")
async def get_message(request: AnyRequest, email_id: FromPath[str]) -> Response[bytes]:
    """Return one email as JSON."""
    email = _mailbox(request).emails.get(email_id)
    if email is None:
        return json_response({"type": "error", "code": "not_found"}, 404)
    return json_response(mail.email_json(email, _base_url(request)))


@delete("/api/messages", status_code=204)
async def delete_messages(request: AnyRequest) -> None:
    """Delete all emails."""
    _mailbox(request).clear()


@get("/")
async def show_inbox(request: AnyRequest) -> Response[bytes]:
    """Show the newest 200 emails; `?to=` selects one recipient."""
    to = request.query_params.get("to", "").strip()
    newest = _mailbox(request).list_newest(to or None)[:200]
    parsed_emails = [(email, mail.parse(email)) for email in newest]
    rows = [
        {
            "id": email.id,
            "to": ", ".join(email.recipients),
            "subject": mail.subject(parsed),
            "received_at_us": email.received_at_us,
            "files": sum(part.content_id is None for part in mail.parts(parsed)),
        }
        for email, parsed in parsed_emails
    ]
    return render_page(request, "inbox.html", emails=rows, to=to)


@get("/{email_id:str}")
async def show_email(request: AnyRequest, email_id: FromPath[str]) -> Response[bytes]:
    """Show one email; `?view=` is html, text or headers."""
    email = _mailbox(request).emails.get(email_id)
    if email is None:
        return not_found_page(request)
    parsed = mail.parse(email)
    html = mail.body(parsed, "html")
    text = mail.body(parsed, "plain")
    view = request.query_params.get("view") or ("html" if html is not None else "text")
    files = [
        {"n": n, "name": part.name, "size": format_size(len(part.content))}
        for n, part in enumerate(mail.parts(parsed))
        if html is None or part.content_id is None  # inline images are shown in the HTML
    ]
    return render_page(
        request,
        "email.html",
        email=email,
        subject=mail.subject(parsed),
        author=mail.header(parsed, "from") or email.sender,
        text=text,
        has_html=html is not None,
        view=view,
        headers=mail.headers(parsed),
        files=files,
    )


@get("/{email_id:str}/body")
async def email_body(request: AnyRequest, email_id: FromPath[str]) -> Response[bytes]:
    """Return the HTML body for the iframe, under a policy that blocks scripts and requests."""
    email = _mailbox(request).emails.get(email_id)
    if email is None:
        return not_found_page(request)
    html = mail.html_with_inline_images(mail.parse(email))
    return Response(
        f'<base target="_blank">{html}'.encode(),
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": EMAIL_BODY_POLICY, "X-Content-Type-Options": "nosniff"},
    )


@get("/{email_id:str}/parts/{number:int}")
async def email_part(
    request: AnyRequest, email_id: FromPath[str], number: FromPath[int]
) -> Response[bytes]:
    """Return an attachment by its index; `?download` always downloads it."""
    email: Email | None = _mailbox(request).emails.get(email_id)
    parts = mail.parts(mail.parse(email)) if email else []
    if not 0 <= number < len(parts):
        return not_found_page(request)
    part = parts[number]
    is_inline = part.content_type in INLINE_CONTENT_TYPES
    disposition = "inline" if is_inline and "download" not in request.query_params else "attachment"
    return Response(
        part.content,
        media_type=part.content_type if is_inline else "application/octet-stream",
        headers={
            "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(part.name)}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
        },
    )


HANDLERS = [
    list_messages,
    get_message,
    delete_messages,
    show_inbox,
    show_email,
    email_body,
    email_part,
]
