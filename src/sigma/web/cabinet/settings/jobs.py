"""Work that failed for good and waits for a person: repeat it, or put it away."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.platform import jobs
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import cabinet_page, go, posted
from sigma.web.forms import one


@get("/settings/jobs")
async def jobs_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The dead jobs of the shop."""
    found = await jobs.dead(ctx, session.member)
    return cabinet_page(
        request, session, "cabinet/settings/jobs.html", place="settings", jobs=found
    )


@post("/settings/jobs/retry")
async def retry(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Tries it again from the start."""
    await jobs.retry(ctx, session.member, one(await posted(request), "job"))
    return go("/settings/jobs", "settings.done_retry")


@post("/settings/jobs/dismiss")
async def dismiss(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Puts it away undone."""
    await jobs.dismiss(ctx, session.member, one(await posted(request), "job"))
    return go("/settings/jobs", "settings.done_dismiss")


HANDLERS = [jobs_page, retry, dismiss]
