"""Authenticator apps: six digits that change every half minute (TOTP, RFC 6238)."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

import pyotp

from sigma.domain.accounts.member import User
from sigma.domain.accounts.second_factor import (
    TOTP_STEP_S,
    AuthenticatorApp,
    confirm_app,
    match_code,
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
    app_id = ctx.new_id("app")
    encrypted = ctx.cipher.encrypt(secret, COLUMN, app_id)
    new = AuthenticatorApp(app_id, user.id, encrypted, ctx.now_us())
    app = confirm_app(new, ctx.now_us() // SECOND_US, _matcher(secret, code))
    if app is None:
        raise validation_error(Problem("code", "totp_wrong"))
    return app


def is_totp(text: str) -> bool:
    """Return whether a typed code has the shape of an app's: six digits, perhaps with spaces."""
    bare = "".join(text.split())
    return len(bare) == 6 and bare.isascii() and bare.isdigit()


async def verify(ctx: Context, user_id: str, code: str) -> bool:
    """Return whether this is the current, unused code of the user's app; record its use.

    Also records what a code of a neighbouring half minute says about the clock of the phone, see
    `match_code`. Raises DecryptionError.
    """
    async with ctx.db.read() as tx:
        app = await second_factors.find_app(tx, user_id)
    if app is None:
        return False
    secret = str(ctx.cipher.decrypt(app.secret_encrypted, COLUMN, app.id))
    match = match_code(app, ctx.now_us() // SECOND_US, _matcher(secret, code))
    if match.app == app:
        return False
    try:
        await changes.commit(ctx.db, Change((match.app,)), ctx.now_us())
    except CONFLICT_ERRORS:  # the same code at the same time
        return False
    return match.is_accepted


def _matcher(secret: str, code: str) -> Callable[[int], bool]:
    """Return a function that compares a typed code with that of a step, in constant time."""
    bare = "".join(code.split()).encode()
    totp = pyotp.TOTP(secret)
    return lambda step: hmac.compare_digest(totp.at(step * TOTP_STEP_S).encode(), bare)
