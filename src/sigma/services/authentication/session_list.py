"""A user's open sessions: the list, ending one and all others."""

from sigma.domain.accounts.session import StoredSession
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session, used_after_us
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.store.accounts import sessions


async def list_open(ctx: Context, session: Session) -> list[StoredSession]:
    """Return the user's open sessions, the last used first."""
    async with ctx.db.read() as tx:
        return await sessions.list_open(tx, session.user.id, ctx.now_us(), used_after_us(ctx))


async def end(ctx: Context, session: Session, session_id: str) -> None:
    """End one of the user's sessions. Raises RefusedError("not_found")."""
    async with ctx.db.write() as tx:
        if not session_id or not await sessions.delete_by_id(tx, session.user.id, session_id):
            raise RefusedError("not_found", what="session")
        await audit_log.record(ctx, tx, session.member, Deed.SESSION_ENDED, session.user.id)


async def end_others(ctx: Context, session: Session) -> None:
    """End all sessions of the user but this one."""
    async with ctx.db.write() as tx:
        await sessions.delete_others(tx, session.user.id, session.secret_hash)
        await audit_log.record(ctx, tx, session.member, Deed.SESSION_ENDED, session.user.id)
