"""Draws pages: one Jinja environment for every door, words of the request, names of built files."""

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

from sigma.texts import LOCALES, Words
from sigma.texts.formats import clock, iso

STATIC = Path(__file__).parent / "static"
LANGUAGE_COOKIE = "sigma_lang"

AnyRequest = Request[Any, Any, Any]


class FrontEndMissingError(RuntimeError):
    """The style sheet and scripts were not built; `make setup` builds them."""


@functools.lru_cache(maxsize=2)
def _manifest(built_at: int) -> dict[str, str]:
    names: dict[str, str] = json.loads((STATIC / "manifest.json").read_text(encoding="utf-8"))
    return names


def asset(name: str) -> str:
    """The address of a built file: "app.css" → "/static/app-3F2A….css".

    Raises FrontEndMissingError.
    """
    try:
        built_at = (
            (STATIC / "manifest.json").stat().st_mtime_ns
        )  # a rebuild shows without a restart
        return f"/static/{_manifest(built_at)[name]}"
    except (FileNotFoundError, KeyError) as error:
        raise FrontEndMissingError(f"{name} is not built: run make setup") from error


@functools.cache
def environment() -> Environment:
    """The one Jinja environment: everything is escaped, an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("sigma.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = asset
    made.filters["iso"] = iso
    made.filters["lines"] = lines
    made.filters["dial"] = dial
    made.filters["first_up"] = first_up
    return made


def lines(text: str) -> Markup:
    """Text that keeps its line breaks; everything in it is escaped."""
    return Markup("<br>").join(text.strip().splitlines())


def first_up(text: str) -> str:
    """A sentence that stood after a colon, on its own."""
    return text[:1].upper() + text[1:]


def dial(phone: str) -> str:
    """A phone as a tel: address wants it."""
    return re.sub(r"[^+\d]", "", phone)


def speaking(words: Words) -> dict[str, Any]:
    """What a template can say: `t`, `rich` (params may be markup), `money`, `date`, `phone`…"""

    def rich(key: str, /, **params: Any) -> Markup:
        shown = {name: words.show(value) for name, value in params.items()}
        return escape(words.raw(key, params.get("n"))).format(**shown)

    return {
        "words": words,
        "locale": words.locale,
        "t": words.t,
        "rich": rich,
        "plural": words.plural,
        "money": words.money,
        "number": words.number,
        "date": words.date,
        "datetime": words.datetime,
        "clock": lambda moment: clock(moment, words.tz),
        "ago": words.ago,
        "phone": words.phone,
    }


def render(template: str, words: Words, **context: Any) -> str:
    """The text of a template in the language of `words`."""
    return environment().get_template(template).render(speaking(words) | context)


def page(
    request: AnyRequest,
    template: str,
    words: Words,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """An HTML answer. The template also gets `path`, the address asked for."""
    return Response(
        render(template, words, path=request.url.path, **context),
        status_code=status,
        media_type=MediaType.HTML,
        headers={"content-language": words.locale, **(headers or {})},
    )


def language(request: AnyRequest) -> str:
    """The reader's language: `?lang=`, the cookie, what the browser clearly prefers, Russian."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in LOCALES:
            return str(chosen)
    return preferred(request.headers.get("accept-language", ""))


_RANGE = re.compile(r"\s*([a-zA-Z]{1,8})(?:-[\w-]+)?\s*(?:;\s*q=([01](?:\.\d{1,3})?))?\s*")


def preferred(header: str) -> str:
    """ "en" when an Accept-Language header wants English and never Russian more; "ru" otherwise."""
    weights: dict[str, float] = {}
    for part in header.split(","):
        if match := _RANGE.fullmatch(part):
            name = match[1].lower()
            weights[name] = max(weights.get(name, 0.0), float(match[2] or 1))
    return "en" if weights.get("en", 0.0) > weights.get("ru", 0.0) else "ru"
