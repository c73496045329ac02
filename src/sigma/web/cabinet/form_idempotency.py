"""A form of the cabinet that works once: its hidden nonce is an idempotency key of the services."""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from sigma.domain.accounts.member import Member
from sigma.domain.errors import Refused
from sigma.services.context import Context
from sigma.services.platform import idempotency
from sigma.services.platform.idempotency import Remember
from sigma.web.forms import Given, one

_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_OWN = ("csrf", "nonce", "do")
PATIENCE, PAUSE_S = 50, 0.1  # a second click waits up to five seconds for the first one's answer


def fresh_nonce() -> str:
    """A secret for one form."""
    return secrets.token_urlsafe(16)


def nonce_of(given: Given) -> str:
    """The nonce that a form was given; a fresh one when it carries none."""
    nonce = one(given, "nonce")
    return nonce if _NONCE.fullmatch(nonce) else fresh_nonce()


def fingerprint(subject: str, given: Given) -> str:
    """A hash of what a form says and what it is about."""
    said = sorted((name, list(values)) for name, values in given.items() if name not in _OWN)
    return hashlib.sha256(json.dumps([subject, said]).encode()).hexdigest()


async def once(
    ctx: Context,
    member: Member,
    subject: str,
    given: Given,
    act: Callable[[Remember], Awaitable[Any]],
) -> str:
    """What the form's first sending made (its id), however often it is sent.

    Raises Refused("idempotency_key_reused") when the form was sent before with other words.
    """
    key, mark = f"form:{nonce_of(given)}", fingerprint(subject, given)
    for _ in range(PATIENCE):
        try:
            answered, _repeat = await idempotency.once(ctx, member, key, mark, act)
            return answered.body
        except Refused as refused:
            if refused.code != "idempotency_in_flight":
                raise
        await asyncio.sleep(PAUSE_S)
    raise Refused("idempotency_in_flight")
