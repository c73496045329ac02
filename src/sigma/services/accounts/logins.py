"""Logins: e-mail addresses, in one spelling wherever a person types one, and their passwords."""

from dataclasses import replace

from sigma.domain.accounts.member import User
from sigma.domain.accounts.password import MAX_PASSWORD, normalize_password
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import INSTALLATION
from sigma.domain.billing.question import parse_email
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import SIGN_IN_DEVICE
from sigma.domain.origin import Origin
from sigma.services.accounts.devices import device_cookie, find_device
from sigma.services.accounts.sign_in_limits import count_sign_in, undo_sign_in
from sigma.services.context import CONFLICT_ERRORS, Context
from sigma.services.platform import audit_log
from sigma.services.security_log import SecurityEvent, record
from sigma.store.accounts import members, users
from sigma.store.encryption import HashPurpose


def check_login(text: str) -> str:
    """Return an address as accounts store it: in lower case. Raises RefusedError("validation")."""
    email = parse_email(text)
    if not email:
        raise validation_error(Problem("login", "email" if text.strip() else "required"))
    return email.lower()


def normalize_login(text: str) -> str:
    """Return a typed login as accounts store it; what is no address only in lower case.

    Full-width letters, decomposed letters and a copied "mailto:" give the same login as where the
    account was created, and count for the same limits.
    """
    return (parse_email(text) or text.strip()).lower()


async def verify_password(
    ctx: Context, login: str, password: str, origin: Origin, *, device: str = ""
) -> tuple[User, str]:
    """Return the user with this login and password, and the cookie of the device; open nothing.

    The cookie includes the hash of the password, which may be renewed here. See `users.sign_in`
    for the limits.

    Raises RefusedError: "unauthorized", "too_many_requests".
    """
    ip = origin.address
    login = normalize_login(login)
    async with ctx.db.read() as tx:
        user = await users.find_by_login(tx, login)
    device_id = find_device(ctx, device, login, user.password_hash) if user else None
    try:
        ctx.passwords.require_capacity(is_known=device_id is not None)
        counted = await count_sign_in(ctx, login, ip, device_id)
    except RefusedError:
        record(SecurityEvent.SIGN_IN_LIMITED, ip=ip)
        raise
    try:
        is_valid = await ctx.passwords.verify(
            user.password_hash if user else None,
            normalize_password(password[: MAX_PASSWORD + 1]),
            is_known=device_id is not None,
        )
    except RefusedError:  # the queue has filled up meanwhile: nothing was tried
        await undo_sign_in(ctx, counted)
        record(SecurityEvent.SIGN_IN_LIMITED, ip=ip)
        raise
    if user is None or not is_valid:
        record(SecurityEvent.SIGN_IN_FAILED, ip=ip, user_id=user.id if user else "")
        await _record_failed_sign_in(ctx, login, user, origin)
        raise RefusedError("unauthorized")
    if ctx.passwords.needs_rehash(user.password_hash):
        user, device = await _upgrade_hash(ctx, user, password, device, device_id is not None)
    if device_id is not None:
        await ctx.limiter.clear(SIGN_IN_DEVICE, f"{login} {device_id}")
    else:
        await undo_sign_in(ctx, counted)
    return user, device


async def _upgrade_hash(
    ctx: Context, user: User, password: str, device: str, is_known: bool
) -> tuple[User, str]:
    """Hash a password that was right again, with today's parameters.

    Returns the user and the cookie of the device, which includes the hash; both as they were when
    too many hashes wait or the user changed meanwhile: the next sign-in tries again.
    """
    try:
        password_hash = await ctx.passwords.hash(normalize_password(password), is_known=is_known)
        async with ctx.db.write() as tx:
            await users.save(tx, replace(user, password_hash=password_hash))
            saved = await users.get(tx, user.id)
    except (RefusedError, *CONFLICT_ERRORS):
        return user, device
    assert saved is not None
    return saved, device_cookie(ctx, device, user.login, password_hash) if is_known else device


async def _record_failed_sign_in(
    ctx: Context, login: str, user: User | None, origin: Origin
) -> None:
    """Record a wrong password in the log of the user's shop, an unknown login in that of the
    installation. The login is stored as a keyed hash: people type passwords into this field.
    """
    login_hash = ctx.cipher.keyed_hash(HashPurpose.LOGIN, login)[:16]
    async with ctx.db.write() as tx:
        membership = await members.find_earliest_membership(tx, user.id if user else "")
        await audit_log.record_for_chain(
            ctx,
            tx,
            membership[0] if membership else INSTALLATION,
            "",
            origin,
            Deed.SIGN_IN_FAILED,
            user.id if user else "",
            login_hash=login_hash,
        )
