"""Sigma on a real socket, for tests in which the sandbox calls it back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sigma.services.context import Context
from sigma.web.app import create_app
from sigma_sandbox.server import bind, make_server
from tests.world import TestSettings, World


@asynccontextmanager
async def serve_sigma(world: World) -> AsyncIterator[Context]:
    """Serve Sigma on a real socket, so that the sandbox's VK can call it back."""
    with bind("127.0.0.1", 0) as sock:
        address = f"http://127.0.0.1:{sock.getsockname()[1]}"
        settings = world.ctx.settings
        assert isinstance(settings, TestSettings)
        ctx = replace(world.ctx, settings=replace(settings, base_url=address))
        app: Any = create_app(ctx)
        server = make_server(app)
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        await server.startup_done.wait()
        try:
            yield ctx
        finally:
            server.should_exit = True
            await serving
