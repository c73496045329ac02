"""Page rendering: the Jinja environment, the request language and URLs of built assets."""

import asyncio
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response
from litestar.enums import MediaType
from markupsafe import Markup, escape

from sigma.domain.bank_cards import mask_card_numbers
from sigma.texts import LOCALES, Translator
from sigma.texts.formats import rfc3339
from sigma.web.cookies import read_cookie

STATIC = Path(__file__).parent / "static"
LANGUAGE_COOKIE = "sigma_lang"
# A phone number as Sigma writes it: "+7 916 765-43-21", masked: "+7 ••• •••-43-21".
_PHONE = re.compile(r"(\+\d[\d\u00a0 ()*•-]{6,20}\d)")
THREAD_CHARS = 64 * 1024  # a larger page is searched for card numbers in a thread

AnyRequest = Request[Any, Any, Any]


class FrontEndMissingError(RuntimeError):
    """The style sheet and the scripts are not built; run `make setup`."""


@functools.lru_cache(maxsize=2)
def _manifest(mtime_ns: int) -> dict[str, str]:
    names: dict[str, str] = json.loads((STATIC / "manifest.json").read_text(encoding="utf-8"))
    return names


def asset_url(name: str) -> str:
    """Return the URL of a built file: "app.css" → "/static/app-3F2A….css".

    Raises FrontEndMissingError when the front end has not been built.
    """
    try:
        # The modification time is the cache key, so a rebuild is served without a restart.
        mtime_ns = (STATIC / "manifest.json").stat().st_mtime_ns
        return f"/static/{_manifest(mtime_ns)[name]}"
    except (FileNotFoundError, KeyError) as error:
        raise FrontEndMissingError(f"{name} is not built: run make setup") from error


@functools.cache
def jinja_environment() -> Environment:
    """Return the shared Jinja environment: autoescape is on, an unknown variable is an error."""
    jinja = Environment(
        loader=PackageLoader("sigma.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.globals["asset_url"] = asset_url
    jinja.filters["iso"] = rfc3339
    jinja.filters["line_breaks"] = line_breaks
    jinja.filters["unbroken_phones"] = unbroken_phones
    jinja.filters["tel_number"] = tel_number
    jinja.filters["capitalize_first"] = capitalize_first
    return jinja


def line_breaks(text: str) -> Markup:
    """Replace line breaks with <br>, keep phone numbers whole; everything else is escaped."""
    return Markup("<br>").join(unbroken_phones(one) for one in text.strip().splitlines())


def unbroken_phones(text: str) -> Markup:
    """Mark the phone numbers of a text, also masked ones, so that none wraps at its hyphens."""
    found: list[str] = _PHONE.split(text)  # every second part is a phone
    for index in range(1, len(found), 2):
        found[index] = Markup('<span class="nowrap">') + found[index] + Markup("</span>")
    return Markup("").join(found)


def capitalize_first(text: str) -> str:
    """Return the text with its first letter in upper case; the rest is unchanged."""
    return text[:1].upper() + text[1:]


def tel_number(phone: str) -> str:
    """Return a phone number for a tel: URL: digits and "+" only."""
    return re.sub(r"[^+\d]", "", phone)


def text_functions(translator: Translator) -> dict[str, Any]:
    """Return the text functions of templates: `t`, `rich` (params may be markup), `money`…"""

    def rich(key: str, /, **params: Any) -> Markup:
        formatted = {name: translator.format_value(value) for name, value in params.items()}
        return escape(translator.raw(key, params.get("n"))).format(**formatted)

    return {
        "translator": translator,
        "locale": translator.locale,
        "t": translator.t,
        "rich": rich,
        "plural": translator.plural,
        "money": translator.money,
        "number": translator.number,
        "datetime": translator.datetime,
        "phone": translator.phone,
    }


def render(template: str, translator: Translator, **context: Any) -> str:
    """Render a template to text in the language of the translator."""
    return jinja_environment().get_template(template).render(text_functions(translator) | context)


def render_page(
    request: AnyRequest,
    template: str,
    translator: Translator,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """Return an HTML response. The template also gets `path`, the path of the request.

    A refused form (`status` 422) is displayed with its texts as typed, except bank card numbers.
    """
    html = render(template, translator, path=request.url.path, **context)
    return (RefusedFormPage if status == 422 else Response)(
        html,
        status_code=status,
        media_type=MediaType.HTML,
        headers={"content-language": translator.locale, **(headers or {})},
    )


class RefusedFormPage(Response[str]):
    """A page that displays a form as typed, without the bank card numbers in it.

    They are masked by `mask_outside_loop`, or at last when the response is sent.
    """

    _is_masked = False

    def mask(self) -> None:
        """Mask the card numbers once. A hostile form of 256 KB takes a fifth of a second."""
        if not self._is_masked:
            self.content = mask_card_numbers(self.content)
            self._is_masked = True

    def to_asgi_response(self, app: Any, request: Any, **options: Any) -> Any:
        """Return the ASGI response without card numbers."""
        self.mask()
        return super().to_asgi_response(app, request, **options)


async def mask_outside_loop(response: Response[Any]) -> Response[Any]:
    """Mask a large refused form in a thread: the event loop must not wait for it."""
    if isinstance(response, RefusedFormPage) and len(response.content) > THREAD_CHARS:
        await asyncio.to_thread(response.mask)
    return response


def request_language(request: AnyRequest, shop_locale: str = "") -> str:
    """Return "ru" or "en": what the reader asks for, else `shop_locale`, else SIGMA_LOCALE."""
    default = str(request.app.state.get("default_locale", "ru"))
    return requested_language(request) or shop_locale or default


def requested_language(request: AnyRequest) -> str:
    """Return "ru" or "en" from `?lang=`, the cookie or Accept-Language; "" if none names either."""
    for chosen in (request.query_params.get("lang"), read_cookie(request, LANGUAGE_COOKIE)):
        if chosen in LOCALES:
            return str(chosen)
    return preferred_language(request.headers.get("accept-language", ""), "")


# Without spaces at its ends: two optional runs of spaces side by side take quadratic time.
MAX_LANGUAGE_CHARS = 1000  # of Accept-Language: what is behind them is not read
_LANGUAGE_RANGE = re.compile(r"([a-zA-Z]{1,8})(?:-[\w-]+)?\s*(?:;\s*q=([01](?:\.\d{1,3})?))?")


def preferred_language(header: str, default: str = "ru") -> str:
    """Return "ru" or "en", whichever an Accept-Language header weighs more.

    `default` is returned when it weighs both the same or names neither.
    """
    weights: dict[str, float] = {}
    for part in header[:MAX_LANGUAGE_CHARS].split(","):
        if match := _LANGUAGE_RANGE.fullmatch(part.strip()):
            name = match[1].lower()
            weights[name] = max(weights.get(name, 0.0), float(match[2] or 1))
    english, russian = weights.get("en", 0.0), weights.get("ru", 0.0)
    if english == russian:
        return default
    return "en" if english > russian else "ru"
