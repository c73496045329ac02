"""Commands that run until they are stopped: serve, worker, sandbox; and migrate before them."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import FrameType

import click
import uvicorn
import uvloop

from sigma import worker as workers
from sigma.cli.output import Trouble, plainly, settings, t
from sigma.logs import configure
from sigma.main import build_app, check_migrated, make_place, open_context
from sigma.services.context import Context
from sigma.settings import Settings
from sigma.store.schema import migrate as migrations
from sigma.web.proxy_headers import Proxies
from sigma_sandbox.app import SandboxConfig, run_sandbox

BACKLOG = 2048
STOPS = (signal.SIGINT, signal.SIGTERM)
GRACE_S = 5  # requests under way when the server is stopped


def bind(host: str, port: int) -> socket.socket:
    """A listening place. Raises Trouble when it is taken.

    The protocol is named, or asyncio would leave Nagle's algorithm on and answers would wait.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        what = error.strerror or str(error)
        raise Trouble(t("cli.port", host=host, port=port, what=what)) from error
    return sock


class Server(uvicorn.Server):
    """Ends when it is told to, and lets the rest of the process end in order after it.

    uvicorn's own way is to raise the signal again, which cuts the worker and leaves files behind.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Tells the application first: it has answers that never end by themselves."""
        app: Proxies = self.config.app  # type: ignore[assignment]
        app.close()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes Ctrl-C and SIGTERM while the server runs."""
        loop = asyncio.get_running_loop()
        for number in STOPS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in STOPS:
                loop.remove_signal_handler(number)


async def listen(app: Proxies, sock: socket.socket) -> None:
    """Serves `app` until the process is told to stop."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
    )
    # What was loaded stays for ever: looking it through for garbage would hold a request 0.1 s.
    gc.collect()
    gc.freeze()
    await Server(config).serve(sockets=[sock])


@contextlib.asynccontextmanager
async def working(ctx: Context, wanted: bool = True) -> AsyncIterator[None]:
    """The worker beside the server, in the same process."""
    if not wanted:
        yield
        return
    stop = asyncio.Event()
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
    """Runs the web application, with the worker inside on SQLite."""
    with plainly():
        loaded = settings(host=host, port=port)
        configure(loaded.log_level, loaded.log_format)
        _ = loaded.secret_keys
        check_migrated_or_empty(loaded)
        with bind(loaded.host, loaded.port) as sock:
            click.echo(t("cli.serving", url=loaded.base_url), err=True)
            with contextlib.suppress(KeyboardInterrupt):  # a wished end is no trouble
                uvloop.run(_serve(loaded, sock))


def check_migrated_or_empty(loaded: Settings) -> None:
    """A new SQLite file gets its tables at once; anything else must be migrated on purpose."""
    make_place(loaded)
    if loaded.sqlite and migrations.current(loaded.database_url) is None:
        migrations.upgrade(loaded.database_url)
    check_migrated(loaded)


async def _serve(loaded: Settings, sock: socket.socket) -> None:
    async with open_context(loaded) as ctx, working(ctx, loaded.runs_worker):
        await listen(build_app(ctx, loaded), sock)


@click.command(help=t("cli.worker"))
def worker() -> None:
    """Does jobs until it is stopped."""
    with plainly():
        loaded = settings()
        configure(loaded.log_level, loaded.log_format)
        check_migrated(loaded)
        uvloop.run(_work(loaded))


async def _work(loaded: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, stop.set)
    async with open_context(loaded) as ctx:
        click.echo(t("cli.working"), err=True)
        await workers.run(ctx, stop)


@click.command(help=t("cli.sandbox"))
@click.option("--host", default="127.0.0.1", help=t("cli.host"))
@click.option("--port", type=click.IntRange(1, 65535), default=8001, help=t("cli.port_option"))
@click.option("--smtp-port", type=click.IntRange(1, 65535), default=8025, help=t("cli.smtp_port"))
@click.option("--data", type=click.Path(path_type=Path), default=None, help=t("cli.sandbox_data"))
def sandbox(host: str, port: int, smtp_port: int, data: Path | None) -> None:
    """Runs the bank and the mailbox for tests."""
    with plainly():
        configure("info", "auto")
        url = f"http://{host}:{port}"
        config = SandboxConfig(base_url=url, data_dir=data, smtp_port=smtp_port, smtp_host=host)
        click.echo(t("cli.sandboxing", url=url, smtp=f"{host}:{smtp_port}"), err=True)
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(run_sandbox(config, host, port))


@click.command(help=t("cli.migrate"))
def migrate() -> None:
    """Brings the database to the tables of this version."""
    with plainly():
        loaded = settings()
        make_place(loaded)
        before = migrations.current(loaded.database_url)
        migrations.upgrade(loaded.database_url)
        after = migrations.current(loaded.database_url)
        key = "cli.migrated" if before != after else "cli.already_migrated"
        click.echo(t(key, version=after))
