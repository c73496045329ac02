"""HTTP responses: pages from templates with security headers, JSON, redirects."""

from pathlib import Path
from typing import Any

import jinja2
import msgspec
from litestar import Request, Response

from sigma_sandbox import money, time_util

AnyRequest = Request[Any, Any, Any]
PACKAGE_DIR = Path(__file__).parent
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(PACKAGE_DIR / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
_TEMPLATES.globals |= {
    "money": money.format_amount,
    "moment": time_util.format_moscow,
}


def json_response(body: Any, status: int = 200) -> Response[bytes]:
    """Encode `body` (anything msgspec can encode) as a JSON response."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def render_page(
    request: AnyRequest, template: str, status: int = 200, **values: Any
) -> Response[bytes]:
    """Render a template as an HTML response. `lang` ("ru" by default) sets the page language.

    Undefined template variables raise jinja2.UndefinedError.
    """
    values.setdefault("lang", "ru")
    html = _TEMPLATES.get_template(template).render(path=request.url.path, **values)
    return Response(
        html.encode(),
        status_code=status,
        media_type="text/html; charset=utf-8",
        headers=PAGE_HEADERS,
    )


def render_fragment(template: str, **values: Any) -> str:
    """Render a template to an HTML string: a fragment that a script inserts into a page."""
    return _TEMPLATES.get_template(template).render(**values)


def not_found_page(request: AnyRequest) -> Response[bytes]:
    """Return the 404 page."""
    return render_page(
        request,
        "message.html",
        404,
        title="Страница не найдена",
        text="Такого адреса в песочнице нет. Проверьте ссылку или начните с главной.",
        link=("/", "На главную"),
    )


def redirect(url: str) -> Response[bytes]:
    """Return a 303 redirect."""
    return Response(b"", status_code=303, headers={"Location": url, "Cache-Control": "no-store"})
