"""The sandbox application: one Litestar app, one SMTP server, shared state; start and stop."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from litestar import Litestar, Response, Router, get
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router

from sigma_sandbox import fault_pages
from sigma_sandbox.bank import payments, test_api
from sigma_sandbox.bank.api import operations
from sigma_sandbox.bank.errors import ApiError
from sigma_sandbox.bank.http import error_response, get_bank
from sigma_sandbox.bank.notices import NoticeSender
from sigma_sandbox.bank.pages import cabinet, checkout
from sigma_sandbox.bank.store import Bank
from sigma_sandbox.faults import FaultRules
from sigma_sandbox.mail import pages as mail_pages
from sigma_sandbox.mail import smtp
from sigma_sandbox.mail.mailbox import Mailbox
from sigma_sandbox.persistence import ObjectStore
from sigma_sandbox.responses import (
    PACKAGE_DIR,
    AnyRequest,
    json_response,
    not_found_page,
    render_page,
)
from sigma_sandbox.server import bind, make_server
from sigma_sandbox.telegram import api as telegram_api
from sigma_sandbox.telegram.world import Telegram
from sigma_sandbox.time_util import Clock, system_clock
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.actions.seed import seed
from sigma_sandbox.vk.api import dispatch, uploads
from sigma_sandbox.vk.delivery import long_poll
from sigma_sandbox.vk.delivery.callback import CallbackSender
from sigma_sandbox.vk.http import get_vk
from sigma_sandbox.vk.pages import community_settings, conversation, home, images, services
from sigma_sandbox.vk.test_api import clients, edits, owners

LOG = logging.getLogger(__name__)
EXPIRY_CHECK_INTERVAL_S = 0.5
MAX_REQUEST_BYTES = 1_000_000


@dataclass(frozen=True)
class SandboxConfig:
    """Sandbox settings.

    `base_url` is the sandbox's own public address. `data_dir` None keeps the state in memory only.
    `smtp_port` 0 takes a free port. `clock` returns UTC microseconds.
    """

    base_url: str
    data_dir: Path | None = None
    smtp_port: int = 0
    smtp_host: str = "127.0.0.1"
    locale: str = "ru"
    clock: Clock = system_clock


@dataclass(frozen=True)
class Sandbox:
    """The addresses and the state of a sandbox that runs in this process."""

    base_url: str
    smtp_port: int
    bank: Bank
    mailbox: Mailbox
    vk: Vk
    faults: FaultRules
    telegram: Telegram


@get("/")
async def show_home(request: AnyRequest) -> Response[bytes]:
    """Show the start page: links and how many objects each part holds."""
    bank = get_bank(request)
    mailbox: Mailbox = request.app.state["mailbox"]
    faults: FaultRules = request.app.state["faults"]
    vk = get_vk(request)
    counts = {"payments": len(bank.payments), "emails": len(mailbox.emails)}
    counts["conversations"] = sum(1 for one in vk.conversations.values() if one.last_cmid)
    telegram: Telegram = request.app.state["telegram"]
    counts["chats"] = len(telegram.chats)
    return render_page(request, "home.html", **counts, rules=len(faults.rules))


def on_http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer an HTTP error: the API's envelope under `/bank/v3`, else the 404 page or JSON."""
    if request.url.path.startswith("/bank/v3"):
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code)
        return error_response(ApiError(error.status_code, code or "invalid_request", error.detail))
    if error.status_code == 404:
        return not_found_page(request)
    return json_response({"type": "error", "description": error.detail}, error.status_code)


def on_unexpected_error(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer an unexpected exception with 500 and log its traceback."""
    LOG.error("sandbox request failed: %s %s", request.method, request.url.path, exc_info=error)
    if request.url.path.startswith("/bank/v3"):
        return error_response(ApiError(500, "internal_server_error", "Internal sandbox error"))
    return json_response({"type": "error", "description": "Internal sandbox error"}, 500)


def reject_cross_site(request: AnyRequest) -> Response[bytes] | None:
    """Refuse state-changing browser requests from other sites (CSRF) with 403; else return None.

    The sandbox has no sign-in, so any page open in the developer's browser could call it.
    """
    is_cross_site = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if request.method not in ("GET", "HEAD") and is_cross_site:
        return json_response({"type": "error", "description": "Чужая страница"}, 403)
    return None


def create_app(config: SandboxConfig) -> Litestar:
    """Build the HTTP application. `run_sandbox` and `start_sandbox` also start the SMTP server."""
    object_store = ObjectStore(config.data_dir)
    faults = FaultRules()
    bank = Bank(config.base_url, object_store, faults, config.clock)
    mailbox = Mailbox(object_store, config.clock)
    vk = Vk(config.base_url, object_store, faults, config.clock)
    seed(vk)
    telegram = Telegram(object_store, faults, config.clock)
    notices = NoticeSender(bank)
    callbacks, pending_uploads = CallbackSender(vk), uploads.PendingUploads()

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        expiry_task = asyncio.create_task(_expire_periodically(bank))
        notices.resume()
        callbacks.resume()
        try:
            yield
        finally:
            expiry_task.cancel()
            await asyncio.gather(expiry_task, return_exceptions=True)
            await notices.close()
            await callbacks.close()
            object_store.close()

    static = create_static_files_router(path="/static", directories=[PACKAGE_DIR / "static"])
    return Litestar(
        route_handlers=[
            show_home,
            static,
            Router("/bank/v3", route_handlers=list(operations.HANDLERS)),
            Router("/bank/test", route_handlers=list(test_api.HANDLERS)),
            Router("/bank", route_handlers=[*checkout.HANDLERS, *cabinet.HANDLERS]),
            Router("/mail", route_handlers=list(mail_pages.HANDLERS)),
            Router("/telegram", route_handlers=list(telegram_api.HANDLERS)),
            Router("/vk/method", route_handlers=list(dispatch.HANDLERS)),
            Router(
                "/vk/test",
                route_handlers=[*clients.HANDLERS, *edits.HANDLERS, *owners.HANDLERS],
            ),
            Router("/vk/longpoll", route_handlers=list(long_poll.HANDLERS)),
            Router("/vk/upload", route_handlers=list(uploads.HANDLERS)),
            Router("/vk/pictures", route_handlers=list(images.HANDLERS)),
            Router("/vk", route_handlers=[*home.HANDLERS, *conversation.HANDLERS]),
            Router("/vk", route_handlers=[*community_settings.HANDLERS, *services.HANDLERS]),
            *fault_pages.HANDLERS,
        ],
        state=State(
            {
                "bank": bank,
                "mailbox": mailbox,
                "vk": vk,
                "vk_api": dispatch.ApiDispatcher(vk, callbacks, pending_uploads),
                "vk_long_poll": long_poll.LongPollServer(vk),
                "vk_uploads": pending_uploads,
                "faults": faults,
                "telegram": telegram,
                "base_url": bank.base_url,
                "locale": config.locale,
            }
        ),
        lifespan=[lifespan],
        before_request=reject_cross_site,
        exception_handlers={HTTPException: on_http_error, Exception: on_unexpected_error},
        request_max_body_size=MAX_REQUEST_BYTES,
        openapi_config=None,
    )


async def _expire_periodically(bank: Bank) -> None:
    """Expire due payments periodically, so that deadlines take effect without any request."""
    while True:
        await asyncio.sleep(EXPIRY_CHECK_INTERVAL_S)
        with bank.transaction():
            for shop_id in list(bank.shops):
                payments.expire_due(bank, shop_id)


async def run_sandbox(config: SandboxConfig, host: str, port: int) -> None:
    """Serve until cancelled. Raises OSError when a port is in use."""
    async with start_sandbox(config, host, port):
        await asyncio.Event().wait()


@asynccontextmanager
async def start_sandbox(
    config: SandboxConfig | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Sandbox]:
    """Serve while the block runs; yields when the server accepts requests.

    Port 0 takes a free port. An empty `base_url` becomes `http://host:port`.
    Raises OSError when a port is in use, RuntimeError when the application fails to start.
    """
    config = config or SandboxConfig(base_url="")
    with contextlib.ExitStack() as sockets:
        web_sock = sockets.enter_context(_open_socket(host, port))
        mail_sock = sockets.enter_context(_open_socket(config.smtp_host, config.smtp_port))
        address = f"http://{host}:{web_sock.getsockname()[1]}"
        app = create_app(replace(config, base_url=config.base_url or address))
        state: Any = app.state
        smtp_server = await smtp.start_server(state["mailbox"], state["faults"], mail_sock)
        server = make_server(app)
        serve_task = asyncio.create_task(server.serve(sockets=[web_sock]))
        try:
            await server.startup_done.wait()
            if not server.started:
                raise RuntimeError("the sandbox failed to start; see the log")
            yield Sandbox(
                base_url=state["base_url"],
                smtp_port=mail_sock.getsockname()[1],
                bank=state["bank"],
                mailbox=state["mailbox"],
                vk=state["vk"],
                faults=state["faults"],
                telegram=state["telegram"],
            )
        finally:
            smtp_server.close()
            server.should_exit = True
            await asyncio.gather(serve_task, return_exceptions=True)


def _open_socket(host: str, port: int) -> contextlib.closing[socket.socket]:
    try:
        return contextlib.closing(bind(host, port))
    except OSError as error:
        raise OSError(error.errno, f"{host}:{port} cannot be opened: {error.strerror}") from error
