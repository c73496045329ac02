"""Problem documents (RFC 9457): a stable code and a text in the language of the client."""

import re
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from msgspec import UNSET, Meta, Struct, UnsetType

from sigma.domain.errors import RefusedError
from sigma.texts import Translator
from sigma.web.rendering import preferred_language

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:sigma:problem:"

_RUSSIAN = re.compile(r"(?<![\w-])ru\b", re.IGNORECASE)
_ENCODER = msgspec.json.Encoder()


class Fault(Struct, frozen=True):
    """One problem with one field of the request."""

    field: Annotated[str, Meta(description="Path of the field", examples=["items.0.price.value"])]
    code: Annotated[str, Meta(examples=["required"])]
    message: str


class ProblemResponse(Struct, frozen=True):
    """A problem document (RFC 9457). Programs should check `code`, not the texts."""

    type: Annotated[str, Meta(examples=["urn:sigma:problem:not_found"])]
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(examples=["not_found"])]
    request_id: str
    errors: list[Fault] | UnsetType = UNSET
    required_scope: Annotated[
        str | UnsetType,
        Meta(description="With `missing_scope`: the scope that the key needs"),
    ] = UNSET


def translator_for(request: Request[Any, Any, Any]) -> Translator:
    """Return the translator of a request: English unless Accept-Language prefers Russian."""
    header = request.headers.get("accept-language", "")
    russian = _RUSSIAN.search(header) and preferred_language(header) == "ru"
    return Translator("ru" if russian else "en", "UTC")


def problem_response(request: Request[Any, Any, Any], error: RefusedError) -> Response[bytes]:
    """Return the problem document of a refusal, with the status of its code."""
    translator = translator_for(request)
    key = f"api.detail.{error.code}"
    detail = (
        translator.t(key, **error.params) if translator.has(key) else translator.refusal_text(error)
    )
    document = ProblemResponse(
        type=TYPE + error.code,
        title=translator.t(f"api.title.{error.code}"),
        status=error.http_status,
        detail=detail,
        code=error.code,
        request_id=str(request.scope["state"].get("request_id", "")),
        errors=[Fault(p.field, p.code, translator.problem_text(p)) for p in error.problems]
        or UNSET,
        required_scope=error.params.get("scope", UNSET),
    )
    headers = {"content-language": translator.locale, "vary": "Accept-Language"}
    if error.code == "unsupported_media_type":
        headers["accept"] = "application/json"
    if error.http_status == 401:
        headers["www-authenticate"] = 'Bearer realm="sigma"'
    return Response(
        _ENCODER.encode(document),
        status_code=error.http_status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )
