"""Wishes that cannot be granted: every refusal has a stable code, shown kindly on pages and as a
problem at the API.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

# code → HTTP status. The words live in texts/{ru,en}/errors.toml; docs/api.md lists every code.
CODES: dict[str, int] = {
    "bad_request": 400,
    "validation": 422,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_large": 413,
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
    "refund_too_large": 409,
    "refund_currency": 422,
    "no_connection": 409,
    "acquirer_refused": 502,
    "mail_no_address": 409,
    "no_community": 409,
    "vk_refused": 502,
    "vk_silent": 503,
    "cannot_write": 409,
    "service_not_payable": 409,
    "internal": 500,
}


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one input: `field` is its path («items.0.price»), `code` names the
    sentence, `params` fill it.
    """

    field: str
    code: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)


class Refused(Exception):  # noqa: N818 - a word of ours
    """A wish that cannot be granted.

    `code` is one of CODES; `problems` name the fields, when fields are to blame.
    """

    def __init__(self, code: str, *, problems: tuple[Problem, ...] = (), **params: Any) -> None:
        assert code in CODES, f"unknown refusal {code}"
        super().__init__(code)
        self.code = code
        self.problems = problems
        self.params = params

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return CODES[self.code]


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def has_controls(text: str, *, lines: bool = False) -> bool:
    """Whether a text holds characters that are no text: they break headers, PostgreSQL and PDFs.
    With `lines` it may have line breaks and tabs.
    """
    return bool(_CONTROLS.search(re.sub(r"[\t\n\r]", "", text) if lines else text))


def invalid(*problems: Problem) -> Refused:
    """A refusal of input: which fields, and what is wrong with each."""
    return Refused("validation", problems=problems)
