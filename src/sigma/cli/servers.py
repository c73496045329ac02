"""Commands that run until they are stopped (serve, worker, sandbox), and migrate."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import FrameType

import click
import structlog
import uvicorn
import uvloop

from sigma import worker as workers
from sigma.cli.output import CliError, errors_as_messages, read_settings, sandbox_required, t
from sigma.logs import configure
from sigma.main import build_app, check_migrated, create_database_dir, open_context
from sigma.services.accounts import users
from sigma.services.authentication.setup_codes import setup_code
from sigma.services.context import Context
from sigma.settings import Settings
from sigma.store.schema import migrate as migrations
from sigma.web.app import WebApp
from sigma.web.middleware.timeouts import TimedHttpProtocol

log = structlog.get_logger()

BACKLOG = 2048  # connections that may wait to be accepted
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A stop first ends the keep-alive connections with their next response, then stops accepting.
DRAIN_S = 1.0
SHUTDOWN_GRACE_S = 4  # time for open requests to finish after that
STOP_S = 10.0  # after this time a stop ends the process, whatever it waits for
FORCED_EXIT_CODE = 1


def bind_socket(host: str, port: int) -> socket.socket:
    """Bind a TCP socket. Raises CliError when the port is in use.

    IPPROTO_TCP is passed explicitly: without it asyncio does not set TCP_NODELAY, and Nagle's
    algorithm delays responses.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        raise CliError(t("cli.port", host=host, port=port, what=reason)) from error
    return sock


class GracefulServer(uvicorn.Server):
    """A server that stops on a signal and lets the rest of the process shut down in order.

    uvicorn closes idle keep-alive connections at once, which cuts a request that is on its way.
    This server answers for DRAIN_S seconds with `Connection: close` before it does so. uvicorn also
    raises the signal again after stopping, which would interrupt the worker and leave temporary
    files behind. `on_stop` is called once, at the first signal.
    """

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop
        self._is_draining = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, stop at the second one or after DRAIN_S seconds."""
        if self._is_draining:
            super().handle_exit(sig, frame)
            return
        self._is_draining = True
        app: WebApp = self.config.app  # type: ignore[assignment]
        app.drain()
        self._on_stop()
        asyncio.get_running_loop().call_later(DRAIN_S, super().handle_exit, sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM while the server runs."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)


def force_exit_later() -> None:
    """End the process after STOP_S seconds, also when the event loop hangs.

    What is lost then is what a crash would lose: work in progress, which is done again.
    """
    timer = threading.Timer(STOP_S, _force_exit)
    timer.daemon = True
    timer.start()


def _force_exit() -> None:
    log.error("stop.forced", after_s=STOP_S)
    os._exit(FORCED_EXIT_CODE)


async def serve_app(app: WebApp, sock: socket.socket, stop: asyncio.Event | None = None) -> None:
    """Serve `app` until SIGINT or SIGTERM, which also sets `stop`."""

    def on_stop() -> None:
        force_exit_later()
        if stop is not None:
            stop.set()

    config = uvicorn.Config(
        app,
        http=TimedHttpProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )
    # Loaded modules are never freed: scanning them for garbage would delay a request by 0.1 s.
    gc.collect()
    gc.freeze()
    await GracefulServer(config, on_stop).serve(sockets=[sock])


@contextlib.asynccontextmanager
async def running_worker(
    ctx: Context, stop: asyncio.Event, *, enabled: bool = True
) -> AsyncIterator[None]:
    """Run the worker in this process until `stop` is set or the block ends, if `enabled`."""
    if not enabled:
        yield
        return
    task = asyncio.create_task(workers.run(ctx, stop))
    try:
        yield
    finally:
        stop.set()
        await task


@click.command(help=t("cli.serve"))
@click.option("--host", default=None, help=t("cli.host"))
@click.option("--port", type=click.IntRange(1, 65535), default=None, help=t("cli.port_option"))
def serve(host: str | None, port: int | None) -> None:
    """Run the web application, with the worker if the setting `worker_inside` says so."""
    with errors_as_messages():
        loaded = read_settings(host=host, port=port)
        configure(loaded.log_level, loaded.log_format)
        _ = loaded.secret_keys
        ensure_migrated(loaded)
        with bind_socket(loaded.host, loaded.port) as sock:
            click.echo(t("cli.serving", url=loaded.base_url), err=True)
            with contextlib.suppress(KeyboardInterrupt):  # the normal way to stop
                uvloop.run(_serve(loaded, sock))


def ensure_migrated(loaded: Settings) -> None:
    """Create the tables in a new SQLite file; otherwise require the current schema revision.

    Raises NotMigratedError.
    """
    create_database_dir(loaded)
    if loaded.is_sqlite and migrations.current_revision(loaded.database_url) is None:
        migrations.upgrade(loaded.database_url)
    check_migrated(loaded)


async def _serve(loaded: Settings, sock: socket.socket) -> None:
    stop = asyncio.Event()
    async with (
        open_context(loaded) as ctx,
        running_worker(ctx, stop, enabled=loaded.should_run_worker),
    ):
        if await users.needs_owner(ctx):
            code = setup_code(ctx)
            url = f"{loaded.base_url}/start?code={code}"
            click.echo(t("cli.setup_code", code=code, url=url), err=True)
        await serve_app(build_app(ctx, loaded), sock, stop)


@click.command(help=t("cli.worker"))
def worker() -> None:
    """Run jobs until SIGINT or SIGTERM."""
    with errors_as_messages():
        loaded = read_settings()
        configure(loaded.log_level, loaded.log_format)
        check_migrated(loaded)
        uvloop.run(_run_worker(loaded))


async def _run_worker(loaded: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_stop() -> None:
        force_exit_later()
        stop.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_stop)
    async with open_context(loaded) as ctx:
        click.echo(t("cli.working"), err=True)
        await workers.run(ctx, stop)


@click.command(help=t("cli.sandbox"))
@click.option("--host", default="127.0.0.1", help=t("cli.host"))
@click.option("--port", type=click.IntRange(1, 65535), default=8001, help=t("cli.port_option"))
@click.option("--smtp-port", type=click.IntRange(1, 65535), default=8025, help=t("cli.smtp_port"))
@click.option("--data", type=click.Path(path_type=Path), default=None, help=t("cli.sandbox_data"))
def sandbox(host: str, port: int, smtp_port: int, data: Path | None) -> None:
    """Run the sandbox bank, VKontakte and mailbox."""
    with errors_as_messages():
        with sandbox_required():
            from sigma_sandbox.app import SandboxConfig, run_sandbox
        configure("info", "auto")
        url = f"http://{host}:{port}"
        config = SandboxConfig(base_url=url, data_dir=data, smtp_port=smtp_port, smtp_host=host)
        click.echo(t("cli.sandboxing", url=url, smtp=f"{host}:{smtp_port}"), err=True)
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(run_sandbox(config, host, port))


@click.command(help=t("cli.migrate"))
def migrate() -> None:
    """Migrate the database to this version's schema revision."""
    with errors_as_messages():
        loaded = read_settings()
        create_database_dir(loaded)
        before = migrations.current_revision(loaded.database_url)
        migrations.upgrade(loaded.database_url)
        after = migrations.current_revision(loaded.database_url)
        key = "cli.migrated" if before != after else "cli.already_migrated"
        click.echo(t(key, version=after))
