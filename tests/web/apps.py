"""The web application for tests, with reused routes: building them takes a tenth of a second."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar import Litestar

from sigma.services.context import Context
from sigma.store.engine.statements import text_statement
from sigma.web.app import build_router, create_app
from sigma.web.config import WebConfig

_idle_routers: list[Litestar] = []


@contextmanager
def web_app(ctx: Context, config: WebConfig | None = None) -> Iterator[Any]:
    """Lend the whole application on a context while the block runs.

    `Any`: httpx and Litestar type an ASGI application differently.
    """
    router = _idle_routers.pop() if _idle_routers else build_router()
    try:
        yield create_app(ctx, config, router=router)
    finally:
        _idle_routers.append(router)


DAMAGE_QUESTIONS = text_statement("UPDATE invoices SET questions = 'damaged'")


async def damage_invoices(ctx: Context) -> None:
    """Make every invoice unreadable, so that its page and its API response fail."""
    async with ctx.db.write() as tx:
        assert await tx.execute(DAMAGE_QUESTIONS)
