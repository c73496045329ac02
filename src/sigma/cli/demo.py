"""`sigma demo`: the whole product with its outside world in one process on one machine."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import httpx
import uvloop

from sigma.cli import demo_vk
from sigma.cli.output import Trouble, plainly, t
from sigma.cli.servers import bind, listen, working
from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Seller, SellerKind
from sigma.logs import configure
from sigma.main import build_app, open_context
from sigma.services.accounts import api_keys, shops, users
from sigma.services.billing import connections
from sigma.services.context import Context
from sigma.settings import Settings, load
from sigma.store.schema import migrate as migrations
from sigma_sandbox.app import Sandbox, SandboxConfig, start_sandbox

ACCOUNT, SECRET = "100500", "test_demo"
LOGIN = "owner@example.org"
MARK = ".sigma-demo"  # a folder with this file is ours to wipe

SELLER = Seller(
    kind=SellerKind.IP,
    full_name="ИП Образцова Анна Павловна",
    inn="500100732259",
    ogrn="325774600000039",
    address="г. Москва",
    phone="+7 916 123-45-67",
    email="studio@example.org",
    offer_url="https://example.org/offer",
    policy_url="https://example.org/privacy",
    refund_terms="Вернём деньги в течение 10 дней на ту же карту, если услуга ещё не оказана.",
)


@click.command(help=t("cli.demo"))
@click.option("--port", type=click.IntRange(1, 65510), default=8000, help=t("cli.port_option"))
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path("var/demo"), help=t("cli.demo_data")
)
@click.option("--fresh", is_flag=True, help=t("cli.fresh"))
def demo(port: int, data: Path, fresh: bool) -> None:
    """Runs Sigma, a bank and a mailbox, with a shop ready to sell."""
    with plainly():
        configure("warning", "console")
        with bind("127.0.0.1", port) as sock:
            for beside in (port + 1, port + 25):
                bind("127.0.0.1", beside).close()  # one clear line before anything is started
            _place(data, fresh)
            loaded = _settings(port, data)
            migrations.upgrade(loaded.database_url)
            with contextlib.suppress(KeyboardInterrupt):  # a wished end is no trouble
                uvloop.run(_run(loaded, sock, port, data))


def _place(data: Path, fresh: bool) -> None:
    """The demo's folder. Wipes only what a demo has made. Raises Trouble."""
    if fresh and data.exists():
        if not (data / MARK).exists() and any(data.iterdir()):
            raise Trouble(t("cli.not_a_demo", data=data))
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    (data / MARK).touch()
    (data / "demo.json").unlink(missing_ok=True)  # it says "ready", and we are not yet


def _settings(port: int, data: Path) -> Settings:
    known = _remembered(data)
    key = known.setdefault("secret_key", secrets.token_urlsafe(36))
    _write_private(data / "secrets.json", known)
    return load(
        environ={},
        dotenv=None,
        database_url=f"sqlite:///{data / 'sigma.db'}",
        secret_key=key,
        base_url=f"http://127.0.0.1:{port}",
        port=port,
        smtp_url=f"smtp://127.0.0.1:{port + 25}",
        mail_from="Sigma <sigma@example.org>",
        vk_api_url=f"http://127.0.0.1:{port + 1}/vk",
        vk_site_url=f"http://127.0.0.1:{port + 1}/vk",
        data_dir=data,
    )


def _remembered(data: Path) -> dict[str, Any]:
    try:
        known: dict[str, Any] = json.loads((data / "secrets.json").read_text())
    except FileNotFoundError:
        return {}
    return known


def _write_private(path: Path, value: dict[str, Any]) -> None:
    """Whole or not at all, for nobody else's eyes."""
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
    part.replace(path)


async def _run(loaded: Settings, sock: socket.socket, port: int, data: Path) -> None:
    world = SandboxConfig(
        base_url=f"http://127.0.0.1:{port + 1}", data_dir=data / "sandbox", smtp_port=port + 25
    )
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(start_sandbox(world, "127.0.0.1", port + 1))
        ctx = await stack.enter_async_context(open_context(loaded))
        told = await _seed(ctx, sandbox, data)
        await stack.enter_async_context(working(ctx))
        serving = asyncio.create_task(listen(build_app(ctx, loaded), sock))
        await _wait(loaded.base_url, serving)
        _write_private(data / "demo.json", told)
        click.echo(t("cli.demo_ready", **told, data=data))
        try:
            await serving
        finally:
            (data / "demo.json").unlink(missing_ok=True)


async def _wait(url: str, serving: asyncio.Task[None]) -> None:
    """Until the application answers."""
    async with httpx.AsyncClient(verify=False) as client:  # noqa: S501 - plain http on loopback
        while not serving.done():
            try:
                await client.get(f"{url}/healthz")
            except httpx.TransportError:
                await asyncio.sleep(0.02)
            else:
                return
    serving.result()


async def _seed(ctx: Context, sandbox: Sandbox, data: Path) -> dict[str, str]:
    """The shop, made at the first start; its connections follow the sandbox to another port."""
    sandbox_url = sandbox.base_url
    known = _remembered(data)
    if await users.needs_owner(ctx):
        known |= await _first(ctx)
        _write_private(data / "secrets.json", known)
    member = Member(known["user_id"], known["shop_id"], Role.OWNER)
    there = await connections.listing(ctx, member)
    connection = await connections.save(
        ctx,
        member,
        there[0].id if there else None,
        provider="yookassa",
        title="Тестовый банк",
        account=ACCOUNT,
        secret=None if there else SECRET,
        settings={**(there[0].settings if there else {}), "base_url": f"{sandbox_url}/bank/v3"},
    )
    await connections.check(ctx, member, connection.id)
    about = {"name": "Студия «Лак»", "notification_url": connections.notice_url(ctx, connection)}
    async with httpx.AsyncClient(verify=False) as client:  # noqa: S501 - plain http on loopback
        answer = await client.post(f"{sandbox_url}/bank/test/shops/{ACCOUNT}", json=about)
        answer.raise_for_status()
    vk_url = f"{sandbox_url}/vk"
    await demo_vk.seed(ctx, member, sandbox.vk, {"api_url": vk_url, "site_url": vk_url})
    return {
        "app_url": ctx.settings.base_url,
        "sandbox_url": sandbox_url,
        "login": LOGIN,
        "password": known["password"],
        "api_key": known["api_key"],
        "shop_id": known["shop_id"],
    }


async def _first(ctx: Context) -> dict[str, str]:
    password = secrets.token_urlsafe(9)
    signed = await users.first_owner(
        ctx, login=LOGIN, password=password, name="Анна", shop_name="Студия «Лак»"
    )
    member = Member(signed.user.id, signed.shop.id, Role.OWNER)
    await shops.save_seller(
        ctx,
        member,
        name="Студия «Лак»",
        seller=SELLER,
        tz="Europe/Moscow",
        accent="",
        return_url=f"{ctx.settings.vk_site_url}/me/lak",
        consent_text="",
    )
    _, api_key = await api_keys.create(ctx, member, "demo")
    return {
        "user_id": signed.user.id,
        "shop_id": signed.shop.id,
        "password": password,
        "api_key": api_key,
    }
