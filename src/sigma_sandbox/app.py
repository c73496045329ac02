"""The sandbox world put together: one application, one SMTP door, one state; start and stop."""

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
from sigma_sandbox.bank import api, payments, test_api
from sigma_sandbox.bank.notices import Notices
from sigma_sandbox.bank.pages import cabinet, checkout
from sigma_sandbox.bank.pipeline import refusal
from sigma_sandbox.bank.serializers import Refused
from sigma_sandbox.bank.store import Bank
from sigma_sandbox.faults import Control
from sigma_sandbox.mail import pages as mail_pages
from sigma_sandbox.mail import smtp
from sigma_sandbox.mail.mailbox import Mailbox
from sigma_sandbox.persistence import Vault
from sigma_sandbox.responses import HERE, Asked, json_response, missing, page
from sigma_sandbox.server import bind, make_server
from sigma_sandbox.time_util import Clock, system_clock
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.actions.seed import seed
from sigma_sandbox.vk.api import dispatch as vk_api
from sigma_sandbox.vk.api import uploads as vk_uploads
from sigma_sandbox.vk.delivery import long_poll as vk_longpoll
from sigma_sandbox.vk.delivery.callback import Postman
from sigma_sandbox.vk.pages import client as vk_pages
from sigma_sandbox.vk.pages import community_settings as vk_manage
from sigma_sandbox.vk.pages import dialog as vk_dialog
from sigma_sandbox.vk.pages import services as vk_services
from sigma_sandbox.vk.test_api import clients as vk_program
from sigma_sandbox.vk.test_api import owners as vk_owner
from sigma_sandbox.vk.world import pictures as vk_pictures

LOG = logging.getLogger(__name__)
TICK_S = 0.5
MAX_REQUEST = 1_000_000


@dataclass(frozen=True)
class SandboxConfig:
    """Settings. `base_url` is the sandbox's own public address; `clock` gives UTC microseconds."""

    base_url: str
    data_dir: Path | None = None
    smtp_port: int = 0
    smtp_host: str = "127.0.0.1"
    locale: str = "ru"
    clock: Clock = system_clock


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox, for whoever started it in the same process."""

    base_url: str
    smtp_port: int
    bank: Bank
    mail: Mailbox
    vk: Vk
    control: Control


@get("/")
async def home(request: Asked) -> Response[bytes]:
    """What is in the box."""
    bank: Bank = request.app.state["bank"]
    mail: Mailbox = request.app.state["mail"]
    control: Control = request.app.state["control"]
    vk: Vk = request.app.state["vk"]
    counts = {"payments": len(bank.payments), "letters": len(mail.letters)}
    counts["dialogs"] = sum(1 for one in vk.dialogs.values() if one.last_cmid)
    return page(request, "home.html", **counts, rules=len(control.rules))


def on_http_error(request: Asked, error: HTTPException) -> Response[bytes]:
    """Unknown addresses and methods: in the API's envelope, or as a page."""
    if request.url.path.startswith("/bank/v3"):
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code)
        return refusal(Refused(error.status_code, code or "invalid_request", error.detail))
    if error.status_code == 404:
        return missing(request)
    return json_response({"type": "error", "description": error.detail}, error.status_code)


def on_fault(request: Asked, error: Exception) -> Response[bytes]:
    """Our own mistake: say so, and leave the trace where a developer looks."""
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    if request.url.path.startswith("/bank/v3"):
        return refusal(Refused(500, "internal_server_error", "The sandbox has a fault"))
    return json_response({"type": "error", "description": "The sandbox has a fault"}, 500)


def same_site_only(request: Asked) -> Response[bytes] | None:
    """A page of another site must not change the sandbox through the developer's browser."""
    foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if request.method not in ("GET", "HEAD") and foreign:
        return json_response({"type": "error", "description": "Чужая страница"}, 403)
    return None


def create_app(config: SandboxConfig) -> Litestar:
    """The web side of the sandbox. The SMTP door is opened by `run_sandbox` and `start_sandbox`."""
    vault = Vault(config.data_dir)
    control = Control()
    bank = Bank(config.base_url, vault, control, config.clock)
    mail = Mailbox(vault, config.clock)
    vk = Vk(config.base_url, vault, control, config.clock)
    seed(vk)
    notices = Notices(bank)
    postman, rings, uploads = Postman(vk), vk_longpoll.Rings(vk), vk_uploads.Uploads()

    @asynccontextmanager
    async def alive(_: Litestar) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_tick(bank))
        notices.resume()
        postman.resume()
        try:
            yield
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await notices.close()
            await postman.close()
            vault.close()

    static = create_static_files_router(path="/static", directories=[HERE / "static"])
    return Litestar(
        route_handlers=[
            home,
            static,
            Router("/bank/v3", route_handlers=list(api.HANDLERS)),
            Router("/bank/test", route_handlers=list(test_api.HANDLERS)),
            Router("/bank", route_handlers=[*checkout.HANDLERS, *cabinet.HANDLERS]),
            Router("/mail", route_handlers=list(mail_pages.HANDLERS)),
            Router("/vk/method", route_handlers=list(vk_api.HANDLERS)),
            Router("/vk/test", route_handlers=[*vk_program.HANDLERS, *vk_owner.HANDLERS]),
            Router("/vk/longpoll", route_handlers=list(vk_longpoll.HANDLERS)),
            Router("/vk/upload", route_handlers=list(vk_uploads.HANDLERS)),
            Router("/vk/pictures", route_handlers=list(vk_pictures.HANDLERS)),
            Router("/vk", route_handlers=[*vk_pages.HANDLERS, *vk_dialog.HANDLERS]),
            Router("/vk", route_handlers=[*vk_manage.HANDLERS, *vk_services.HANDLERS]),
            *fault_pages.HANDLERS,
        ],
        state=State(
            {
                "bank": bank,
                "mail": mail,
                "vk": vk,
                "vk_api": vk_api.Api(vk, postman, uploads),
                "vk_rings": rings,
                "vk_uploads": uploads,
                "control": control,
                "base_url": bank.base_url,
                "locale": config.locale,
            }
        ),
        lifespan=[alive],
        before_request=same_site_only,
        exception_handlers={HTTPException: on_http_error, Exception: on_fault},
        request_max_body_size=MAX_REQUEST,
        openapi_config=None,
    )


async def _tick(bank: Bank) -> None:
    """Terms come even when nobody asks."""
    while True:
        await asyncio.sleep(TICK_S)
        with bank.together():
            for shop_id in list(bank.shops):
                payments.expire_due(bank, shop_id)


async def run_sandbox(config: SandboxConfig, host: str, port: int) -> None:
    """Serve until cancelled. Raises OSError at once when a port is taken."""
    async with start_sandbox(config, host, port):
        await asyncio.Event().wait()


@asynccontextmanager
async def start_sandbox(
    config: SandboxConfig | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Sandbox]:
    """Serve while the block runs. Port 0 takes a free one, and an empty `base_url` follows it.

    Raises OSError when a port is taken.
    """
    config = config or SandboxConfig(base_url="")
    with contextlib.ExitStack() as sockets:
        web = sockets.enter_context(_bound(host, port))
        mail_sock = sockets.enter_context(_bound(config.smtp_host, config.smtp_port))
        address = f"http://{host}:{web.getsockname()[1]}"
        app = create_app(replace(config, base_url=config.base_url or address))
        state: Any = app.state
        letters = await smtp.serve(state["mail"], state["control"], mail_sock)
        server = make_server(app)
        serving = asyncio.create_task(server.serve(sockets=[web]))
        try:
            await server.ready.wait()
            if not server.started:
                raise RuntimeError("the sandbox did not start; the log says why")
            yield Sandbox(
                base_url=state["base_url"],
                smtp_port=mail_sock.getsockname()[1],
                bank=state["bank"],
                mail=state["mail"],
                vk=state["vk"],
                control=state["control"],
            )
        finally:
            letters.close()
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)


def _bound(host: str, port: int) -> contextlib.closing[socket.socket]:
    try:
        return contextlib.closing(bind(host, port))
    except OSError as error:
        raise OSError(error.errno, f"{host}:{port} cannot be opened: {error.strerror}") from error
