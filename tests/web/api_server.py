"""The API on a real socket, in its own thread and event loop, for synchronous tools."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sigma.domain.money import Money
from sigma.services.accounts import api_keys
from sigma.services.billing import refunds
from sigma.web.app import create_app
from sigma_sandbox.app import start_sandbox
from sigma_sandbox.server import bind, make_server
from tests.world import World, open_world


@dataclass
class ServedApi:
    """URL and key of the served API; `ids`: path parameter → id of an existing object."""

    base_url: str = ""
    api_key: str = ""
    ids: dict[str, str] = field(default_factory=dict)


@contextmanager
def serve_api(database_url: str) -> Iterator[ServedApi]:
    """Serve a shop with a paid invoice and a refund while the block runs."""
    served, ready, stop = ServedApi(), threading.Event(), threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(database_url, served, ready, stop)), daemon=True
    )
    thread.start()
    assert ready.wait(60), "the server did not start"
    try:
        yield served
    finally:
        stop.set()
        thread.join(30)


async def _serve(
    database_url: str, served: ServedApi, ready: threading.Event, stop: threading.Event
) -> None:
    async with start_sandbox() as sandbox, open_world(database_url, sandbox) as world:
        await _fill(world, served)
        with bind("127.0.0.1", 0) as sock:
            served.base_url = f"http://127.0.0.1:{sock.getsockname()[1]}"
            app: Any = create_app(world.ctx)
            server = make_server(app)
            running = asyncio.create_task(server.serve(sockets=[sock]))
            await server.startup_done.wait()
            ready.set()
            await asyncio.to_thread(stop.wait)
            server.should_exit = True
            await running


async def _fill(world: World, served: ServedApi) -> None:
    _, served.api_key = await api_keys.create(world.ctx, world.member, "Проверка")
    payment = await world.complete_payment()
    refund = await refunds.request(world.ctx, world.member, payment.id, Money(100), "")
    served.ids = {
        "invoice_id": (await world.create_invoice()).id,
        "payment_id": payment.id,
        "refund_id": refund.id,
    }
