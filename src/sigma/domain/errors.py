"""Refusals of the domain. Each has a stable code: pages show its text, the API returns it as a
problem document (RFC 9457).
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

# Code → HTTP status. The texts are in texts/{ru,en}/errors.toml; docs/api.md lists every code.
STATUS_BY_CODE: dict[str, int] = {
    "bad_request": 400,
    "repeated_field": 400,
    "validation": 422,
    "unauthorized": 401,
    "key_expired": 401,
    "forbidden": 403,
    "https_required": 403,
    "missing_scope": 403,
    "address_not_allowed": 403,
    "refund_over_limit": 403,
    "reauthentication_required": 403,
    "form_expired": 403,
    "form_of_other_shop": 409,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "too_large": 413,
    "unsupported_media_type": 415,
    "too_many_requests": 429,
    "idempotency_key_missing": 400,
    "idempotency_key_reused": 409,
    "idempotency_in_flight": 409,
    "changed_meanwhile": 409,
    "invoice_not_open": 409,
    "invoice_expired": 409,
    "invoice_limit_reached": 409,
    "invoice_void": 409,
    "invoice_already_paid": 409,
    "invoice_has_live_payment": 409,
    "payment_not_captured": 409,
    "payment_not_authorized": 409,
    "payment_not_acceptable": 409,
    "refund_too_large": 409,
    "already_refunded": 409,
    "refund_currency": 422,
    "no_connection": 409,
    "secret_unreadable": 409,
    "amount_not_accepted": 409,
    "acquirer_refused": 502,
    "mail_no_address": 409,
    "mail_limit": 429,
    "mail_stopped": 409,
    "reminders_stopped": 409,
    "no_community": 409,
    "vk_refused": 502,
    "vk_silent": 503,
    "cannot_write": 409,
    "service_not_payable": 409,
    "value_unreadable": 409,
    "last_owner": 409,
    "already_member": 409,
    "invitation_used": 409,
    "invitation_expired": 409,
    "invitation_other_person": 409,
    "quota_invoices": 429,
    "quota_messages": 429,
    "exports_running": 429,
    "import_running": 409,
    "internal": 500,
    "unavailable": 503,
}


@dataclass(frozen=True)
class Problem:
    """One mistake in one input field.

    `field` is its path ("items.0.price"), `code` the key of the text in errors.toml, `params` the
    values that the text needs.
    """

    field: str
    code: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)


class RefusedError(Exception):
    """The request cannot be carried out.

    `code` is one of STATUS_BY_CODE. `problems` lists the wrong fields when the input is at fault.
    `params` are the values that the text of the code needs.
    """

    def __init__(self, code: str, *, problems: tuple[Problem, ...] = (), **params: Any) -> None:
        assert code in STATUS_BY_CODE, f"unknown refusal code {code}"
        super().__init__(code)
        self.code = code
        self.problems = problems
        self.params = params

    @property
    def http_status(self) -> int:
        """The HTTP status of the code."""
        return STATUS_BY_CODE[self.code]


_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def has_control_characters(text: str, *, allow_line_breaks: bool = False) -> bool:
    """Return whether a text has control characters or lone surrogates.

    They break mail headers, PostgreSQL and PDFs. `allow_line_breaks` permits line breaks and tabs.
    """
    return bool(
        _CONTROL_CHARACTERS.search(re.sub(r"[\t\n\r]", "", text) if allow_line_breaks else text)
    )


def validation_error(*problems: Problem) -> RefusedError:
    """Return (not raise) the "validation" refusal with these problems."""
    return RefusedError("validation", problems=problems)
