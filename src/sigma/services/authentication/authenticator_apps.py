"""Authenticator apps: six digits that change every half minute (TOTP, RFC 6238)."""

import hmac
from dataclasses import dataclass

import pyotp

from sigma.domain.accounts.member import User
from sigma.domain.accounts.second_factor import (
    TOTP_STEP_S,
    AuthenticatorApp,
    matching_step,
    use_app,
)
from sigma.domain.change import Change
from sigma.domain.errors import Problem, validation_error
from sigma.domain.time_units import MINUTE_US, SECOND_US
from sigma.services.context import CONFLICT_ERRORS, Context
from sigma.store import changes
from sigma.store.accounts import second_factors
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import DecryptionError

TICKET = "form.authenticator_app"  # what the ciphertext of a ticket is bound to, beside the user
TICKET_TTL_US = 30 * MINUTE_US
SECRET_CHARS = 32  # base 32: 160 bits, as RFC 4226 recommends
COLUMN = EncryptedColumn.AUTHENTICATOR_SECRET


@dataclass(frozen=True, slots=True)
class AppEnrolment:
    """A secret for an app, not stored before a code proves that the app has it.

    `uri` is what the QR code holds, `secret` the same to type by hand, `ticket` the secret
    encrypted, for the form.
    """

    secret: str
    uri: str
    ticket: str


def start(ctx: Context, user: User) -> AppEnrolment:
    """Return a new secret for a user's app. Stores nothing."""
    secret = pyotp.random_base32(SECRET_CHARS)
    values = {"secret": secret, "issued_at_us": ctx.now_us()}
    return _enrolment(user, secret, ctx.cipher.encrypt(values, TICKET, user.id))


def resume(ctx: Context, user: User, ticket: str) -> AppEnrolment:
    """Return the enrolment of a ticket. Raises RefusedError("validation") when it is too old."""
    try:
        values = ctx.cipher.decrypt(ticket, TICKET, user.id)
    except DecryptionError:
        values = {}
    if ctx.now_us() - values.get("issued_at_us", 0) > TICKET_TTL_US:
        raise validation_error(Problem("code", "authenticator_again"))
    return _enrolment(user, str(values["secret"]), ticket)


def _enrolment(user: User, secret: str, ticket: str) -> AppEnrolment:
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.login, issuer_name="Sigma")
    return AppEnrolment(" ".join(secret[n : n + 4] for n in range(0, len(secret), 4)), uri, ticket)


def confirm(ctx: Context, user: User, ticket: str, code: str) -> AuthenticatorApp:
    """Return the new app of a user once it shows the right code; it is not stored yet.

    Raises RefusedError("validation").
    """
    secret = resume(ctx, user, ticket).secret.replace(" ", "")
    step = _match(ctx, secret, code, last_step=0)
    if step is None:
        raise validation_error(Problem("code", "totp_wrong"))
    app_id = ctx.new_id("app")
    encrypted = ctx.cipher.encrypt(secret, COLUMN, app_id)
    return AuthenticatorApp(app_id, user.id, encrypted, ctx.now_us(), last_step=step)


def is_totp(text: str) -> bool:
    """Return whether a typed code has the shape of an app's: six digits, perhaps with spaces."""
    bare = "".join(text.split())
    return len(bare) == 6 and bare.isascii() and bare.isdigit()


async def verify(ctx: Context, user_id: str, code: str) -> bool:
    """Return whether this is a code of the user's app that was not used before; record its use.

    Raises DecryptionError.
    """
    async with ctx.db.read() as tx:
        app = await second_factors.find_app(tx, user_id)
    if app is None:
        return False
    secret = str(ctx.cipher.decrypt(app.secret_encrypted, COLUMN, app.id))
    step = _match(ctx, secret, code, app.last_step)
    if step is None:
        return False
    try:
        await changes.commit(ctx.db, Change((use_app(app, step),)), ctx.now_us())
    except CONFLICT_ERRORS:  # the same code at the same time
        return False
    return True


def _match(ctx: Context, secret: str, code: str, last_step: int) -> int | None:
    bare = "".join(code.split()).encode()
    totp = pyotp.TOTP(secret)
    return matching_step(
        ctx.now_us() // SECOND_US,
        last_step,
        lambda step: hmac.compare_digest(totp.at(step * TOTP_STEP_S).encode(), bare),
    )
