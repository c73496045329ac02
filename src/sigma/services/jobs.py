"""What went wrong for good and waits for a person: dead jobs, seen and repeated."""

from sigma.domain.errors import Refused
from sigma.domain.member import Member, Permission
from sigma.services.context import Context
from sigma.store import jobs
from sigma.store.jobs import Claimed


async def dead(ctx: Context, member: Member) -> list[Claimed]:
    """The shop's dead jobs, the latest first."""
    member.must(Permission.JOBS)
    async with ctx.db.read() as tx:
        return await jobs.dead(tx, member.shop_id)


async def retry(ctx: Context, member: Member, job_id: str) -> None:
    """Brings a dead job back to life. Raises Refused("not_found")."""
    member.must(Permission.JOBS)
    kind, _, subject = job_id.partition(":")
    async with ctx.db.write() as tx:
        if not await jobs.retry(tx, member.shop_id, kind, subject, ctx.now()):
            raise Refused("not_found", what="job")
    await ctx.db.notify(jobs.CHANNEL)


async def dismiss(ctx: Context, member: Member, job_id: str) -> None:
    """Removes a dead job that nobody needs. Raises Refused("not_found")."""
    member.must(Permission.JOBS)
    kind, _, subject = job_id.partition(":")
    async with ctx.db.write() as tx:
        if not await jobs.dismiss(tx, member.shop_id, kind, subject):
            raise Refused("not_found", what="job")
