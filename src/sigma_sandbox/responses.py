"""What the sandbox answers with: pages from one set of templates under one policy, and JSON."""

from pathlib import Path
from typing import Any

import jinja2
import msgspec
from litestar import Request, Response

from sigma_sandbox import money, time_util
from sigma_sandbox.bank import cards

Asked = Request[Any, Any, Any]
HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
_TEMPLATES.globals |= {
    "money": money.to_person,
    "moment": time_util.to_person,
    "brand": cards.brand_name,
}


def json_response(body: Any, status: int = 200) -> Response[bytes]:
    """JSON with its status."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def page(request: Asked, template: str, status: int = 200, **values: Any) -> Response[bytes]:
    """Render a template. `lang` in the values chooses the language of the page."""
    values.setdefault("lang", "ru")
    html = _TEMPLATES.get_template(template).render(path=request.url.path, **values)
    return Response(
        html.encode(), status_code=status, media_type="text/html; charset=utf-8", headers=HEADERS
    )


def render(template: str, **values: Any) -> str:
    """A part of a page, for scripts that put it in place."""
    return _TEMPLATES.get_template(template).render(**values)


def missing(request: Asked) -> Response[bytes]:
    """404 in words."""
    return page(
        request,
        "message.html",
        404,
        title="Страница не найдена",
        text="Такого адреса в песочнице нет. Проверьте ссылку или начните с главной.",
        link=("/", "На главную"),
    )


def away(url: str) -> Response[bytes]:
    """303 to another page."""
    return Response(b"", status_code=303, headers={"Location": url, "Cache-Control": "no-store"})
