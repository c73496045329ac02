"""Idempotent forms: the hidden nonce of a form is the idempotency key of the service call."""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable

from sigma.domain.accounts.member import Member
from sigma.domain.errors import RefusedError
from sigma.domain.idempotency import HasId, Idempotency, render_id
from sigma.services.context import Context
from sigma.services.platform.idempotency import run_once
from sigma.web.forms import FormValues, first_value
from sigma.web.submitted_form import PROOF_PREFIX

_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_IGNORED_FIELDS = ("csrf", "nonce", "do")
MAX_WAITS, WAIT_PAUSE_S = 50, 0.1  # a second click waits up to 5 s for the result of the first


def new_nonce() -> str:
    """Return a random nonce for one form: 22 URL-safe characters, 128 bits."""
    return secrets.token_urlsafe(16)


def read_nonce(form_data: FormValues) -> str:
    """Return the nonce of a posted form, or a new one when it is missing or malformed."""
    nonce = first_value(form_data, "nonce")
    return nonce if _NONCE.fullmatch(nonce) else new_nonce()


def form_fingerprint(subject: str, form_data: FormValues) -> str:
    """Return the SHA-256 (hex) of `subject` and the form's fields except _IGNORED_FIELDS.

    A proof of identity that was given for the form is no part of it either.
    """
    fields = sorted(
        (name, list(values))
        for name, values in form_data.items()
        if name not in _IGNORED_FIELDS and not name.startswith(PROOF_PREFIX)
    )
    return hashlib.sha256(json.dumps([subject, fields]).encode()).hexdigest()


def form_idempotency(member: Member, subject: str, form_data: FormValues) -> Idempotency[HasId]:
    """Return the idempotency key of a submitted form; the id of the result is stored.

    `subject` names the form and what it is about.
    """
    key = f"form:{read_nonce(form_data)}"
    return Idempotency(member.shop_id, key, form_fingerprint(subject, form_data), 201, render_id)


async def run_form_once(
    ctx: Context, idempotency: Idempotency[HasId], action: Callable[[], Awaitable[HasId]]
) -> str:
    """Run `action` once per form nonce and return the id it stored, also for repeated submissions.

    The action must pass `idempotency` to the service that it calls. Raises
    RefusedError("idempotency_key_reused") when the same nonce was submitted before with
    other values, and RefusedError("idempotency_in_flight") when the first submission is still
    running after five seconds.
    """
    for _ in range(MAX_WAITS):
        try:
            response, _ = await run_once(ctx, idempotency, action)
            return response.body
        except RefusedError as error:
            if error.code != "idempotency_in_flight":
                raise
        await asyncio.sleep(WAIT_PAUSE_S)
    raise RefusedError("idempotency_in_flight")
