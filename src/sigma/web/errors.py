"""Exception handlers: a problem document for programs, an error page for browsers.

A response never contains a stack trace.
"""

import errno
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException

from sigma.domain.errors import STATUS_BY_CODE, RefusedError
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.security_log import SecurityEvent, record
from sigma.texts import Translator
from sigma.web.api.problems import problem_response
from sigma.web.cabinet.access.reauthentication import reauthentication_page
from sigma.web.cabinet.error_page import error_page
from sigma.web.cabinet.team.form_of_other_shop import form_of_other_shop_page
from sigma.web.checkout.responses import failure_page, invoice_not_found_page
from sigma.web.middleware.security import PROGRAM_PATHS
from sigma.web.outage_page import RETRY_AFTER_S, outage_page
from sigma.web.rendering import request_language
from sigma.web.request_identity import remote_ip
from sigma.web.retry_after import retry_after_headers
from sigma.web.storefront.pages import storefront_not_found_page

WebRequest = Request[Any, Any, Any]

log = structlog.get_logger()

# HTTP status of Litestar's own exceptions → refusal code.
_CODE_BY_STATUS = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
}
_CODE_BY_STATUS |= {408: "request_timeout", 413: "too_large"}


# Refusals whose own sentence the cabinet shows, beside those with 409 and with a waiting time.
_EXPLAINED = ("refund_over_limit", "https_required", "form_expired")

# Refusals that handlers do not answer themselves. Sign-in is logged where it is decided.
_SECURITY_EVENTS = {
    "forbidden": SecurityEvent.ACCESS_DENIED,
    "form_expired": SecurityEvent.ACCESS_DENIED,
    "too_many_requests": SecurityEvent.LIMIT_EXCEEDED,
} | dict.fromkeys(
    ("bad_request", "repeated_field", "too_large", "unsupported_media_type", "method_not_allowed"),
    SecurityEvent.INPUT_REFUSED,
)


def handle_refusal(request: WebRequest, error: RefusedError) -> Response[Any]:
    """Respond to a domain refusal with the status of its code; log those about security."""
    _record_event(request, error.code)
    return _error_response(request, error)


def _record_event(request: WebRequest, code: str) -> None:
    if event := _SECURITY_EVENTS.get(code):
        session = request.state.get("session")
        user_id, shop_id = (session.user.id, session.shop.id) if session else ("", "")
        reason = code if event is SecurityEvent.INPUT_REFUSED else ""
        record(event, ip=remote_ip(request), user_id=user_id, shop_id=shop_id, reason=reason)


def handle_http_error(request: WebRequest, error: HTTPException) -> Response[Any]:
    """Respond to an unknown path, a wrong method or a body the router refused."""
    code = _CODE_BY_STATUS.get(error.status_code, "bad_request")
    if error.status_code < 500:
        _record_event(request, code)
    response = _error_response(
        request, RefusedError(code if error.status_code < 500 else "internal")
    )
    response.headers.update(error.headers or {})  # such as "allow" with a 405
    return response


def handle_store_conflict(request: WebRequest, error: Exception) -> Response[Any]:
    """Respond with 409 after a lost write race. Nothing was written; the client may try again."""
    log.info("request.conflict", error=type(error).__name__, request_id=_request_id(request))
    return _error_response(request, RefusedError("changed_meanwhile"))


def handle_outage(request: WebRequest, error: Exception) -> Response[Any]:
    """Respond with 503 while the database does not answer or is too busy. Nothing was written.

    The log has one line for an outage, not one for each request.
    """
    ctx: Context = request.app.state.ctx
    ctx.outage.report(error)
    return outage_response(request)


def outage_response(request: WebRequest) -> Response[Any]:
    """Return 503: a problem document for programs, a page that loses no input for people."""
    if request.scope["path"].startswith(PROGRAM_PATHS):
        response: Response[Any] = problem_response(request, RefusedError("unavailable"))
        response.headers["retry-after"] = str(RETRY_AFTER_S)
        return response
    return outage_page(request)


def handle_unreadable(request: WebRequest, _error: Exception) -> Response[Any]:
    """Respond with 409 when a stored value cannot be decrypted: a key is missing in the settings.

    The cipher has logged which key.
    """
    return _error_response(request, RefusedError("value_unreadable"))


def handle_file_error(request: WebRequest, error: InternalServerException) -> Response[Any]:
    """Respond to a static file that cannot be opened; with 404 when no file has so long a name."""
    if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ENAMETOOLONG:
        return _error_response(request, RefusedError("not_found"))
    return handle_exception(request, error)


def handle_exception(request: WebRequest, error: Exception) -> Response[Any]:
    """Respond with 500 to an unexpected exception. The log has the trace under the request id."""
    log.error("request.failed", exc_info=error, request_id=_request_id(request))
    return _error_response(request, RefusedError("internal"))


def _request_id(request: WebRequest) -> str:
    return str(request.scope["state"].get("request_id", ""))


def _error_response(request: WebRequest, error: RefusedError) -> Response[Any]:
    response = _error_page(request, error)
    response.headers.update(retry_after_headers(error))
    return response


def _error_page(request: WebRequest, error: RefusedError) -> Response[Any]:
    path = request.scope["path"]
    if path.startswith(PROGRAM_PATHS):
        return problem_response(request, error)
    if path.startswith(("/i/", "/r/")):
        if error.http_status < 500 and error.code in ("not_found", "method_not_allowed"):
            page = invoice_not_found_page(request)
            page.status_code = error.http_status  # 405 for a wrong method
            return page
        return failure_page(request, error.http_status, _request_id(request))
    if path.startswith("/s/"):
        if error.http_status < 500 and error.code in ("not_found", "method_not_allowed"):
            page = storefront_not_found_page(request)
            page.status_code = error.http_status  # 405 for a wrong method
            return page
        return failure_page(request, error.http_status, _request_id(request))
    status = STATUS_BY_CODE[error.code]
    session = request.scope["state"].get("session")
    if error.code == "reauthentication_required" and session is not None:
        return reauthentication_page(request, session)
    if error.code == "form_of_other_shop" and session is not None:
        return form_of_other_shop_page(request, session, error)
    translator = Translator(session.locale if session else request_language(request))
    sentence = _sentence(error, session, translator)
    return error_page(request, status, sentence, _request_id(request), _title_key(error))


def _sentence(error: RefusedError, session: Session | None, translator: Translator) -> str | None:
    """Return why exactly, when more is known than what the status says."""
    if error.code == "forbidden" and "permission" in error.params and session is not None:
        role = translator.t(f"team.role_{session.member.role.value}")
        return translator.t("cabinet.error_403_role", role=role)
    if error.http_status == 409 or "wait" in error.params or error.code in _EXPLAINED:
        return translator.refusal_text(error)
    return None


def _title_key(error: RefusedError) -> str:
    """Return the title of a refusal with 409 for another reason than a concurrent change."""
    if error.code == "value_unreadable":
        return "cabinet.error_unreadable"
    if error.code == "form_expired":
        return "cabinet.error_form_expired"
    is_other = error.http_status == 409 and error.code != "changed_meanwhile"
    return "cabinet.error_405" if is_other else ""
