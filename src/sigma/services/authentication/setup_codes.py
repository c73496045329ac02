"""The code of the set-up page: only who can read the server's output creates the first owner.

It is derived from the installation's own key, so that all processes print the same one and none is
stored. It is worthless once there is an owner: the page is closed then.
"""

import hmac

from sigma.domain.accounts.second_factor import (
    RECOVERY_ALPHABET,
    format_recovery_code,
    normalize_recovery_code,
)
from sigma.domain.errors import Problem, validation_error
from sigma.domain.limits import SETUP_CODE
from sigma.services.context import Context
from sigma.services.limits import client_network
from sigma.store.encryption import HashPurpose

CODE_CHARS = 28  # 140 bits


def setup_code(ctx: Context) -> str:
    """Return the code of this installation."""
    number = int(ctx.cipher.keyed_hash(HashPurpose.SETUP_CODE), 16)
    digits = (RECOVERY_ALPHABET[(number >> 5 * n) & 31] for n in range(CODE_CHARS))
    return format_recovery_code("".join(digits))


async def require(ctx: Context, typed: str, ip: str) -> None:
    """Raise RefusedError unless this is the code: "validation", "too_many_requests"."""
    await ctx.limiter.require(SETUP_CODE, client_network(ip))
    given, expected = normalize_recovery_code(typed), normalize_recovery_code(setup_code(ctx))
    if not given:
        raise validation_error(Problem("code", "required"))
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise validation_error(Problem("code", "setup_code"))
