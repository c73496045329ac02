"""What all HTTP handlers of the bank share: the bank of the application, JSON bodies, errors."""

import uuid

import msgspec
from litestar import Response

from sigma_sandbox.bank.errors import ApiError, error_json, invalid_request
from sigma_sandbox.bank.store import Bank, Json
from sigma_sandbox.responses import AnyRequest, json_response

MAX_BODY_BYTES = 1_000_000


def get_bank(request: AnyRequest) -> Bank:
    """Return the bank of the application."""
    bank = request.app.state["bank"]
    assert isinstance(bank, Bank)
    return bank


def error_response(error: ApiError) -> Response[bytes]:
    """Return the error as an HTTP response with a new error id."""
    return json_response(error_json(error, str(uuid.uuid4())), error.status)


async def read_json(request: AnyRequest) -> Json:
    """Return the body as a JSON object; an empty body is `{}`.

    Raises ApiError: 400 for malformed JSON or another type, 415 for another content type.
    """
    raw = await request.body()
    if len(raw) > MAX_BODY_BYTES:
        raise invalid_request("The body is too large")
    if not raw:
        return {}
    if "json" not in request.headers.get("content-type", ""):
        raise ApiError(415, "invalid_request", "Content-Type: application/json is expected")
    try:
        body = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise invalid_request("The body is not JSON") from None
    if not isinstance(body, dict):
        raise invalid_request("A JSON object is expected")
    return body
