"""Errors of the API in the format of YooKassa API v3.

Source: https://yookassa.ru/developers/using-api/response-handling/response-format
"""

from typing import Any


class ApiError(Exception):
    """An error response of the API: HTTP status, error code, description, faulty parameter."""

    def __init__(self, status: int, code: str, description: str, parameter: str | None = None):
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description
        self.parameter = parameter


def invalid_request(description: str, parameter: str | None = None) -> ApiError:
    """Return (not raise) a 400 `invalid_request` error."""
    return ApiError(400, "invalid_request", description, parameter)


def error_json(error: ApiError, error_id: str) -> dict[str, Any]:
    """Return the error envelope of the API."""
    body: dict[str, Any] = {"type": "error", "id": error_id, "code": error.code}
    body["description"] = error.description
    if error.parameter:
        body["parameter"] = error.parameter
    return body
