"""What becomes of errors: a problem document at the API, a kind page elsewhere, never a trace."""

from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from sigma.domain.errors import CODES, Refused
from sigma.texts import Words
from sigma.web.api.problems import problem
from sigma.web.cabinet.error_page import error_page
from sigma.web.checkout.responses import broken, missing
from sigma.web.rendering import language
from sigma.web.storefront.pages import nothing

WebRequest = Request[Any, Any, Any]

log = structlog.get_logger()

# Litestar's own refusals in our words.
_BY_STATUS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
_BY_STATUS |= {413: "too_large", 429: "too_many_requests"}


def on_refused(request: WebRequest, refused: Refused) -> Response[Any]:
    """A wish that cannot be granted."""
    return _answer(request, refused)


def on_http_error(request: WebRequest, error: HTTPException) -> Response[Any]:
    """An address, method or body that the router does not take."""
    code = _BY_STATUS.get(error.status_code, "bad_request")
    answer = _answer(request, Refused(code if error.status_code < 500 else "internal"))
    answer.headers.update(error.headers or {})  # "allow", for one
    return answer


def on_store_conflict(request: WebRequest, error: Exception) -> Response[Any]:
    """Somebody else was there first: the page is asked for again."""
    log.info("request.conflict", error=type(error).__name__, request_id=_request_id(request))
    return _answer(request, Refused("changed_meanwhile"))


def on_fault(request: WebRequest, error: Exception) -> Response[Any]:
    """A fault of ours: the log knows where, the client knows the request's id."""
    log.error("request.fault", exc_info=error, request_id=_request_id(request))
    return _answer(request, Refused("internal"))


def _request_id(request: WebRequest) -> str:
    return str(request.scope["state"].get("request_id", ""))


def _answer(request: WebRequest, refused: Refused) -> Response[Any]:
    path = request.scope["path"]
    if path.startswith(("/api/", "/hooks/", "/metrics", "/readyz", "/healthz")):
        return problem(request, refused)
    if path.startswith(("/i/", "/r/")):
        if refused.status < 500 and refused.code in ("not_found", "method_not_allowed"):
            return missing(request)
        return broken(request, refused.status, _request_id(request))
    if path.startswith("/s/"):
        if refused.status < 500 and refused.code in ("not_found", "method_not_allowed"):
            return nothing(request)
        return broken(request, refused.status, _request_id(request))
    status = CODES[refused.code]
    session = request.scope["state"].get("session")
    words = Words(session.locale if session else language(request))
    sentence = words.refusal(refused) if status == 409 else None
    return error_page(request, status, sentence, _request_id(request))
