"""Confirmation of identity before deeds that a stolen session must not do.

A sign-in or a confirmation of the last ten minutes is enough.
"""

from sigma.domain.accounts.member import REFUND_CURRENCY
from sigma.domain.accounts.session import Proof
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.refund import Refund
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import SECOND_FACTOR
from sigma.services.accounts.password_changes import require_password
from sigma.services.accounts.users import Session, renew_session
from sigma.services.authentication import authenticator_apps, passkeys
from sigma.services.billing.refunds import RefundGuard
from sigma.services.context import Context
from sigma.services.ids import min_id
from sigma.services.platform import audit_log
from sigma.services.security_log import SecurityEvent, record
from sigma.store.billing import refunds
from sigma.store.engine.interface import Tx


def require_recent(ctx: Context, session: Session) -> None:
    """Raise RefusedError("reauthentication_required") unless the person confirmed recently.

    In the cabinet its page asks for a proof and then sends the same form again.
    """
    if not session.is_recent(ctx.now_us()):
        raise RefusedError("reauthentication_required")


def refund_guard(ctx: Context, session: Session) -> RefundGuard:
    """Return the check of refunds that a person requests in a session.

    It requires a recent confirmation for refunds over the sum that the shop has set. All that the
    person has refunded since the last proof counts together, also of other payments: a stolen
    session must not refund a large sum in small parts.
    """

    async def require_confirmed(tx: Tx, refund: Refund) -> None:
        limit_minor = session.shop.refund_confirmation_minor
        if limit_minor is None or session.is_recent(ctx.now_us()):
            return
        since_id = min_id("ref", session.authenticated_at_us)
        total_minor = await refunds.sum_requested(
            tx, session.shop.id, session.user.id, since_id, REFUND_CURRENCY
        )
        if refund.amount.currency != REFUND_CURRENCY or total_minor > limit_minor:
            require_recent(ctx, session)

    return require_confirmed


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
