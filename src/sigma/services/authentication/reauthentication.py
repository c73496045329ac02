"""Confirmation of identity before deeds that a stolen session must not do.

Whoever signed in or confirmed in the last ten minutes is not asked again.
"""

from sigma.domain.accounts.member import Permission
from sigma.domain.accounts.session import Proof
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import SECOND_FACTOR
from sigma.domain.money import Money
from sigma.services.accounts.password_changes import require_password
from sigma.services.accounts.users import Session, renew_session
from sigma.services.authentication import authenticator_apps, passkeys
from sigma.services.billing import payments
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.services.security_log import SecurityEvent, record


def require_recent(ctx: Context, session: Session) -> None:
    """Raise RefusedError("reauthentication_required") unless the person confirmed recently.

    In the cabinet its page asks for a proof and then sends the same form again.
    """
    if not session.is_recent(ctx.now_us()):
        raise RefusedError("reauthentication_required")


def require_recent_for_refund(ctx: Context, session: Session, amount: Money) -> None:
    """Require a recent confirmation for a refund over the sum that the shop has set."""
    limit_minor = session.shop.refund_confirmation_minor
    if limit_minor is None:
        return
    if amount.currency != "RUB" or amount.minor > limit_minor:
        require_recent(ctx, session)


async def require_recent_for_full_refund(ctx: Context, session: Session, payment_id: str) -> None:
    """Require a recent confirmation for the refund of a whole payment over the shop's sum.

    Raises RefusedError: also "forbidden", "not_found".
    """
    session.member.require(Permission.REFUND)
    payment = await payments.get(ctx, session.member, payment_id)
    require_recent_for_refund(ctx, session, payment.amount)


async def confirm_by_password(ctx: Context, session: Session, password: str) -> str:
    """Confirm by the password; return the session's new secret.

    Raises RefusedError: "validation", "too_many_requests".
    """
    failure = SecurityEvent.REAUTHENTICATION_FAILED
    await require_password(ctx, session, password, "reauthentication_password", failure)
    return await _confirm(ctx, session, Proof.PASSWORD)


async def confirm_by_code(ctx: Context, session: Session, code: str) -> str:
    """Confirm by a code of the authenticator app; return the session's new secret.

    Raises RefusedError: "validation", "too_many_requests".
    """
    await ctx.limiter.require_after_delay(SECOND_FACTOR, session.user.id)
    if not await authenticator_apps.verify(ctx, session.user.id, code):
        await _record_refusal(ctx, session)
        raise validation_error(Problem("reauthentication_code", "totp_wrong"))
    await ctx.limiter.clear(SECOND_FACTOR, session.user.id)
    return await _confirm(ctx, session, Proof.TOTP)


async def confirm_by_passkey(ctx: Context, session: Session, credential: str, ticket: str) -> str:
    """Confirm by a passkey that asks for a PIN, a finger or a face; return the new secret.

    Raises RefusedError("validation").
    """
    user = session.user
    try:
        await passkeys.verify(ctx, credential, ticket, user, require_user_verification=True)
    except RefusedError:
        await _record_refusal(ctx, session)
        raise
    return await _confirm(ctx, session, Proof.PASSKEY)


async def _record_refusal(ctx: Context, session: Session) -> None:
    user_id, shop_id = session.user.id, session.shop.id
    event = SecurityEvent.REAUTHENTICATION_FAILED
    record(event, ip=session.address, user_id=user_id, shop_id=shop_id)
    await audit_log.record_alone(ctx, session.member, Deed.IDENTITY_REFUSED, user_id)


async def _confirm(ctx: Context, session: Session, proof: Proof) -> str:
    async with ctx.db.write() as tx:
        return await renew_session(ctx, tx, session, frozenset({proof}))
