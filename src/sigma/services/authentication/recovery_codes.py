"""Recovery codes: each replaces a lost second factor once. Only argon2id hashes are stored."""

import secrets
from dataclasses import replace

from sigma.domain.accounts.second_factor import (
    RECOVERY_ALPHABET,
    RECOVERY_CODE_COUNT,
    RECOVERY_CODE_LENGTH,
    RecoveryCode,
    format_recovery_code,
    normalize_recovery_code,
)
from sigma.domain.change import Change
from sigma.services.context import CONFLICT_ERRORS, Context
from sigma.store import changes
from sigma.store.accounts import second_factors


async def generate(ctx: Context, user_id: str) -> tuple[list[str], tuple[RecoveryCode, ...]]:
    """Return new codes as people read them, and their rows, which are not stored yet.

    Each begins with another character, so that one hash decides about a typed code.
    """
    prefixes = secrets.SystemRandom().sample(RECOVERY_ALPHABET, RECOVERY_CODE_COUNT)
    texts, rows = [], []
    for prefix in prefixes:
        rest = (secrets.choice(RECOVERY_ALPHABET) for _ in range(RECOVERY_CODE_LENGTH - 1))
        code = prefix + "".join(rest)
        code_hash = await ctx.passwords.hash(code, is_known=True)
        texts.append(format_recovery_code(code))
        rows.append(RecoveryCode(ctx.new_id("rcv"), user_id, prefix, code_hash, ctx.now_us()))
    return texts, tuple(rows)


async def verify(ctx: Context, user_id: str, text: str) -> bool:
    """Return whether this is an unused code of the user; it is used up then."""
    code = normalize_recovery_code(text)
    if len(code) != RECOVERY_CODE_LENGTH:
        return False
    async with ctx.db.read() as tx:
        row = await second_factors.find_recovery_code(tx, user_id, code[0])
    if not await ctx.passwords.verify(row.code_hash if row else None, code, is_known=True):
        return False
    assert row is not None, "only an existing hash is verified"
    try:
        used = replace(row, used_at_us=ctx.now_us())
        await changes.commit(ctx.db, Change((used,)), ctx.now_us())
    except CONFLICT_ERRORS:  # used twice at once, or replaced meanwhile
        return False
    return True
