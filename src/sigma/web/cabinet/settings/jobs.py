"""Dead jobs: retry or dismiss them."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.platform import jobs
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import read_form_values, redirect, render_cabinet_page
from sigma.web.cabinet.urls import next_page_url, query_values
from sigma.web.forms import first_value, parse_cursor


@get("/settings/jobs")
async def jobs_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """List the shop's dead jobs."""
    cursor = parse_cursor(first_value(query_values(request), "cursor"))
    page = await jobs.list_dead(ctx, session.member, cursor=cursor)
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/jobs.html",
        section="settings",
        jobs=page.data,
        more_url=next_page_url("/settings/jobs", page.next_cursor),
    )


@post("/settings/jobs/retry")
async def retry_job(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Put a dead job back into the queue with a new count of attempts."""
    await jobs.retry(ctx, session.member, first_value(await read_form_values(request), "job"))
    return redirect("/settings/jobs", "settings.done_retry")


@post("/settings/jobs/dismiss")
async def dismiss_job(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Remove a dead job without running it."""
    await jobs.dismiss(ctx, session.member, first_value(await read_form_values(request), "job"))
    return redirect("/settings/jobs", "settings.done_dismiss")


HANDLERS = [jobs_page, retry_job, dismiss_job]
