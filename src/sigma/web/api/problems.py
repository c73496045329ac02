"""Problem documents (RFC 9457): what went wrong, under a stable code, in the reader's language."""

import re
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from msgspec import UNSET, Meta, Struct, UnsetType

from sigma.domain.errors import Refused
from sigma.texts import Words
from sigma.web.rendering import preferred

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:sigma:problem:"

_RUSSIAN = re.compile(r"(?<![\w-])ru\b", re.IGNORECASE)
_ENCODER = msgspec.json.Encoder()


class Fault(Struct, frozen=True):
    """One thing wrong with one field."""

    field: Annotated[str, Meta(description="Its path", examples=["items.0.price.value"])]
    code: Annotated[str, Meta(examples=["required"])]
    message: str


class ProblemTold(Struct, frozen=True):
    """A problem document; programs go by `code`."""

    type: Annotated[str, Meta(examples=["urn:sigma:problem:not_found"])]
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(examples=["not_found"])]
    request_id: str
    errors: list[Fault] | UnsetType = UNSET


def words_of(request: Request[Any, Any, Any]) -> Words:
    """English, unless the program asks for Russian."""
    header = request.headers.get("accept-language", "")
    russian = _RUSSIAN.search(header) and preferred(header) == "ru"
    return Words("ru" if russian else "en", "UTC")


def problem(request: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:
    """The answer to a wish that cannot be granted."""
    words = words_of(request)
    key = f"api.detail.{refused.code}"
    detail = words.t(key, **refused.params) if words.has(key) else words.refusal(refused)
    told = ProblemTold(
        type=TYPE + refused.code,
        title=words.t(f"api.title.{refused.code}"),
        status=refused.status,
        detail=detail,
        code=refused.code,
        request_id=str(request.scope["state"].get("request_id", "")),
        errors=[Fault(p.field, p.code, words.problem(p)) for p in refused.problems] or UNSET,
    )
    headers = {"content-language": words.locale, "vary": "Accept-Language"}
    if refused.code == "unauthorized":
        headers["www-authenticate"] = 'Bearer realm="sigma"'
    return Response(
        _ENCODER.encode(told), status_code=refused.status, media_type=MEDIA_TYPE, headers=headers
    )
