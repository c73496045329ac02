"""Commands that run until they are stopped (serve, worker, sandbox), and migrate."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
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
from sigma.domain.limits import MAX_CONNECTIONS
from sigma.logs import configure
from sigma.main import (
    build_app,
    check_migrated,
    create_database_dir,
    open_context,
    require_profile,
)
from sigma.outbound.tls import build_server_context
from sigma.services.accounts import first_owner
from sigma.services.authentication.setup_codes import setup_code
from sigma.services.context import Context
from sigma.services.platform import limited_process
from sigma.settings import Settings
from sigma.store.postgres_tls import unverified_host
from sigma.store.schema import migrate as migrations
from sigma.web.app import WebApp
from sigma.web.middleware.timeouts import TimedHttpProtocol

log = structlog.get_logger()

BACKLOG = 2048  # connections that may wait to be accepted
# Files that are not connections of clients: database, outgoing connections, static files.
RESERVED_FILES = 512
MIN_CONNECTIONS = 128
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

    For DRAIN_S seconds it answers with `Connection: close`, then it stops accepting; connections
    that clients have opened or keep open are still answered (`TimedHttpProtocol.shutdown`), so
    that a restart cuts no request. uvicorn also raises the signal again after stopping, which
    would interrupt the worker and leave temporary files behind. `on_stop` is called once, at the
    first signal.
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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, finish what clients have begun, end the application."""
        await self._stop_accepting(sockets or [])
        await super().shutdown(sockets)

    async def _stop_accepting(self, sockets: list[socket.socket]) -> None:
        """Close the listening sockets, and accept what their queues hold before that.

        The kernel resets the connections in a queue that is closed; their clients have connected
        and sent a request already. A duplicate holds the queue open while the event loop lets
        go of its own socket.
        """
        duplicates = [sock.dup() for sock in sockets]
        for server in self.servers:
            server.close()
        accepted = [connection for sock in duplicates for connection in _accept_all(sock)]
        for connection in accepted:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, connection, ssl=self.config.ssl
            )

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = TimedHttpProtocol(
            self.config, self.server_state, self.lifespan.state
        )
        return protocol

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


def _accept_all(sock: socket.socket) -> Iterator[socket.socket]:
    """Accept all connections that wait in the queue of a listening socket, and close it."""
    with sock:
        sock.setblocking(False)
        while True:
            try:
                yield sock.accept()[0]
            except BlockingIOError:
                return
            except ConnectionError:  # the client has gone
                continue


def force_exit_later() -> None:
    """End the process after STOP_S seconds, also when the event loop hangs.

    That loses no more than a crash: jobs and requests that were running do not finish. The jobs run
    again.
    """
    timer = threading.Timer(STOP_S, _force_exit)
    timer.daemon = True
    timer.start()


def _force_exit() -> None:
    log.error("stop.forced", after_s=STOP_S)
    os._exit(FORCED_EXIT_CODE)


def raise_file_limit() -> int:
    """Raise the soft limit of open files as far as it is needed and allowed; return it.

    Each connection is a file, and many systems start a process with a limit of 1024.
    """
    try:
        import resource
    except ImportError:  # Windows
        return MAX_CONNECTIONS + RESERVED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = MAX_CONNECTIONS + RESERVED_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    raised = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return raised


async def serve_app(
    app: WebApp,
    sock: socket.socket,
    stop: asyncio.Event | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve `app` until SIGINT or SIGTERM, which also sets `stop`; https with a TLS context."""

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
        ssl_context_factory=(lambda *_: tls) if tls else None,
    )
    app.connections.max_count = max(raise_file_limit() - RESERVED_FILES, MIN_CONNECTIONS)
    # Loaded modules are never freed: scanning them for garbage would delay a request by 0.1 s.
    gc.collect()
    gc.freeze()
    try:
        await GracefulServer(config, on_stop).serve(sockets=[sock])
    finally:
        # Their requests are answered or cancelled. Otherwise the threads that wait for a photo or
        # a spreadsheet would hold the process up, for half a minute each.
        limited_process.end_all()


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
        warn_of_unverified_database(loaded)
        _ = loaded.secret_keys
        ensure_migrated(loaded)
        tls = open_tls(loaded)
        with bind_socket(loaded.host, loaded.port) as sock:
            click.echo(t("cli.serving", url=loaded.base_url), err=True)
            with contextlib.suppress(KeyboardInterrupt):  # the normal way to stop
                uvloop.run(_serve(loaded, sock, tls))


def open_tls(loaded: Settings) -> ssl.SSLContext | None:
    """Return the TLS context of the settings, None for plain http.

    Raises CliError for a certificate and a key that cannot be used.
    """
    if not loaded.tls_certificate:
        return None
    try:
        return build_server_context(loaded.tls_certificate, loaded.tls_key)
    except OSError as error:
        what = error.strerror or str(error)
        raise CliError(t("cli.tls_unusable", file=loaded.tls_certificate, what=what)) from error


def warn_of_unverified_database(loaded: Settings) -> None:
    """Log that the database is on another machine and its certificate is not checked."""
    if host := unverified_host(loaded.database_url):
        log.warning("database.not_verified", host=host, needs="sslmode=verify-full")


def ensure_migrated(loaded: Settings) -> None:
    """Create the tables in a new SQLite file; otherwise require the current schema revision.

    Raises NotMigratedError.
    """
    require_profile(loaded)
    create_database_dir(loaded)
    if loaded.is_sqlite and migrations.current_revision(loaded.database_url) is None:
        migrations.upgrade(loaded.database_url)
    check_migrated(loaded)


async def _serve(loaded: Settings, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
    stop = asyncio.Event()
    async with (
        open_context(loaded) as ctx,
        running_worker(ctx, stop, enabled=loaded.should_run_worker),
    ):
        if await first_owner.needs_owner(ctx):
            code = setup_code(ctx)
            url = f"{loaded.base_url}/start?code={code}"
            click.echo(t("cli.setup_code", code=code, url=url), err=True)
        await serve_app(build_app(ctx, loaded), sock, stop, tls)


@click.command(help=t("cli.worker"))
def worker() -> None:
    """Run jobs until SIGINT or SIGTERM."""
    with errors_as_messages():
        loaded = read_settings()
        configure(loaded.log_level, loaded.log_format)
        warn_of_unverified_database(loaded)
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
        require_profile(loaded)
        create_database_dir(loaded)
        before = migrations.current_revision(loaded.database_url)
        migrations.upgrade(loaded.database_url)
        after = migrations.current_revision(loaded.database_url)
        key = "cli.migrated" if before != after else "cli.already_migrated"
        click.echo(t(key, version=after))
