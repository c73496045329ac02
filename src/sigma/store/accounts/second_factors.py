"""Passkeys, authenticator apps and recovery codes of users."""

from sqlalchemy import bindparam, func, literal_column, select, union_all
from sqlalchemy import delete as delete_from

from sigma.domain.accounts.second_factor import AuthenticatorApp, Passkey, RecoveryCode
from sigma.domain.accounts.session import Proof, Proofs
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.account_tables import authenticator_apps, passkeys, recovery_codes


def _passkey_from_row(row: Row) -> Passkey:
    fields = column_values(passkeys, row, "is_backed_up")
    return Passkey(is_backed_up=bool(row["is_backed_up"]), **fields)


def _passkey_to_row(passkey: Passkey) -> dict[str, object]:
    return field_values(passkey) | {"is_backed_up": int(passkey.is_backed_up)}


PASSKEY_CODEC = build_codec(passkeys, _passkey_to_row, _passkey_from_row)
APP_CODEC = build_codec(
    authenticator_apps,
    field_values,
    lambda row: AuthenticatorApp(**column_values(authenticator_apps, row)),
)
CODE_CODEC = build_codec(
    recovery_codes, field_values, lambda row: RecoveryCode(**column_values(recovery_codes, row))
)

_list_passkeys = statement(
    select(passkeys).where(passkeys.c.user_id == bindparam("user_id")).order_by(passkeys.c.id)
)
_find_passkey = statement(
    select(passkeys).where(passkeys.c.credential_id == bindparam("credential_id"))
)
_remove_passkey = statement(
    delete_from(passkeys).where(
        passkeys.c.user_id == bindparam("user_id"), passkeys.c.id == bindparam("id")
    )
)
_remove_passkeys = statement(
    delete_from(passkeys).where(passkeys.c.user_id == bindparam("user_id"))
)
_find_app = statement(
    select(authenticator_apps).where(authenticator_apps.c.user_id == bindparam("user_id"))
)
_remove_app = statement(
    delete_from(authenticator_apps).where(authenticator_apps.c.user_id == bindparam("user_id"))
)
_find_code = statement(
    select(recovery_codes).where(
        recovery_codes.c.user_id == bindparam("user_id"),
        recovery_codes.c.prefix == bindparam("prefix"),
        recovery_codes.c.used_at_us.is_(None),
    )
)
_count_codes = statement(
    select(func.count().label("n")).where(
        recovery_codes.c.user_id == bindparam("user_id"), recovery_codes.c.used_at_us.is_(None)
    )
)
_remove_codes = statement(
    delete_from(recovery_codes).where(recovery_codes.c.user_id == bindparam("user_id"))
)
_list_kinds = statement(
    union_all(
        select(literal_column("'passkey'").label("kind")).where(
            passkeys.c.user_id == bindparam("user_id")
        ),
        select(literal_column("'totp'").label("kind")).where(
            authenticator_apps.c.user_id == bindparam("user_id")
        ),
    )
)


async def list_kinds(tx: Tx, user_id: str) -> Proofs:
    """Return which second factors a user has: passkey, totp, both or none."""
    rows = await tx.fetch_all(_list_kinds, user_id=user_id)
    return frozenset(Proof(row["kind"]) for row in rows)


async def list_passkeys(tx: Tx, user_id: str) -> list[Passkey]:
    """Return the passkeys of a user, the oldest first."""
    return [_passkey_from_row(row) for row in await tx.fetch_all(_list_passkeys, user_id=user_id)]


async def find_passkey(tx: Tx, credential_id: str) -> Passkey | None:
    """Return the passkey with this credential id, of any user, or None."""
    row = await tx.fetch_one(_find_passkey, credential_id=credential_id)
    return _passkey_from_row(row) if row else None


async def remove_passkey(tx: Tx, user_id: str, passkey_id: str) -> bool:
    """Delete a passkey. Returns False when the user has no such passkey."""
    return await tx.execute(_remove_passkey, user_id=user_id, id=passkey_id) == 1


async def find_app(tx: Tx, user_id: str) -> AuthenticatorApp | None:
    """Return the authenticator app of a user, or None."""
    row = await tx.fetch_one(_find_app, user_id=user_id)
    return APP_CODEC.from_row(row) if row else None


async def remove_app(tx: Tx, user_id: str) -> bool:
    """Delete the authenticator app of a user. Returns False when there is none."""
    return await tx.execute(_remove_app, user_id=user_id) == 1


async def find_recovery_code(tx: Tx, user_id: str, prefix: str) -> RecoveryCode | None:
    """Return the unused recovery code that begins with `prefix`, or None."""
    row = await tx.fetch_one(_find_code, user_id=user_id, prefix=prefix)
    return CODE_CODEC.from_row(row) if row else None


async def count_recovery_codes(tx: Tx, user_id: str) -> int:
    """Return how many recovery codes a user has left."""
    row = await tx.fetch_one(_count_codes, user_id=user_id)
    return int(row["n"]) if row else 0


async def remove_recovery_codes(tx: Tx, user_id: str) -> None:
    """Delete all recovery codes of a user."""
    await tx.execute(_remove_codes, user_id=user_id)


async def remove_all(tx: Tx, user_id: str) -> None:
    """Delete all second factors and recovery codes of a user."""
    for query in (_remove_passkeys, _remove_app, _remove_codes):
        await tx.execute(query, user_id=user_id)
