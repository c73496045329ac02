"""The server of `sigma demo`: application, worker, sandbox, and a shop that is ready to sell."""

import asyncio
import contextlib
import json
import os
import secrets
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import httpx
import uvloop

from sigma.cli import demo_vk
from sigma.cli.output import t
from sigma.cli.servers import running_worker, serve_app
from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Seller, SellerKind
from sigma.main import build_app, open_context
from sigma.services.accounts import api_keys, first_owner, shops
from sigma.services.billing import connections
from sigma.services.context import Context
from sigma.settings import Settings, load_settings
from sigma.store.schema import migrate as migrations
from sigma_sandbox.app import Sandbox, SandboxConfig, start_sandbox

ACCOUNT, SECRET = "100500", "test_demo"
LOGIN = "owner@example.org"

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


def run(sock: socket.socket, port: int, data: Path) -> None:
    """Run the demo on a bound socket until SIGINT or SIGTERM.

    The sandbox listens on `port` + 1, its mail server on `port` + 25.
    """
    loaded = _demo_settings(port, data)
    migrations.upgrade(loaded.database_url)
    with contextlib.suppress(KeyboardInterrupt):  # the normal way to stop
        uvloop.run(_serve(loaded, sock, port, data))


def _demo_settings(port: int, data: Path) -> Settings:
    stored = _load_secrets(data)
    key = stored.setdefault("secret_key", secrets.token_urlsafe(36))
    _write_private(data / "secrets.json", stored)
    return load_settings(
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
        outbound_allow=(f"127.0.0.1:{port + 1}",),  # its own sandbox: the bank
        data_dir=data,
    )


def _load_secrets(data: Path) -> dict[str, Any]:
    try:
        stored: dict[str, Any] = json.loads((data / "secrets.json").read_text())
    except FileNotFoundError:
        return {}
    return stored


def _write_private(path: Path, value: dict[str, Any]) -> None:
    """Write JSON atomically, readable only by the current user."""
    temporary = path.with_suffix(".part")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(value, file, ensure_ascii=False, indent=1)
    temporary.replace(path)


async def _serve(loaded: Settings, sock: socket.socket, port: int, data: Path) -> None:
    sandbox_config = SandboxConfig(
        base_url=f"http://127.0.0.1:{port + 1}", data_dir=data / "sandbox", smtp_port=port + 25
    )
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(
            start_sandbox(sandbox_config, "127.0.0.1", port + 1)
        )
        ctx = await stack.enter_async_context(open_context(loaded))
        demo_info = await _seed(ctx, sandbox, data)
        stop = asyncio.Event()
        await stack.enter_async_context(running_worker(ctx, stop))
        server = asyncio.create_task(serve_app(build_app(ctx, loaded), sock, stop))
        await _wait_until_ready(loaded.base_url, server)
        _write_private(data / "demo.json", demo_info)
        click.echo(t("cli.demo_ready", **demo_info, data=data))
        try:
            await server
        finally:
            (data / "demo.json").unlink(missing_ok=True)


async def _wait_until_ready(url: str, server: asyncio.Task[None]) -> None:
    """Wait until the application responds. Raises the server's error if the server ends first."""
    async with httpx.AsyncClient(verify=False) as client:  # noqa: S501 - plain http on loopback
        while not server.done():
            try:
                await client.get(f"{url}/healthz")
            except httpx.TransportError:
                await asyncio.sleep(0.02)
            else:
                return
    server.result()


async def _seed(ctx: Context, sandbox: Sandbox, data: Path) -> dict[str, str]:
    """Create the shop at the first start; update its connections when the port has changed.

    Returns the content of demo.json.
    """
    sandbox_url = sandbox.base_url
    stored = _load_secrets(data)
    if await first_owner.needs_owner(ctx):
        stored |= await _create_owner(ctx)
        _write_private(data / "secrets.json", stored)
    member = Member(stored["user_id"], stored["shop_id"], Role.OWNER)
    existing = await connections.list_for_shop(ctx, member)
    connection = await connections.save(
        ctx,
        member,
        existing[0].id if existing else None,
        provider="yookassa",
        title="Тестовый банк",
        account=ACCOUNT,
        secret=SECRET,
        settings={
            **(existing[0].settings if existing else {}),
            "base_url": f"{sandbox_url}/bank/v3",
        },
    )
    await connections.verify_credentials(ctx, member, connection.id)
    bank_shop = {
        "name": "Студия «Лак»",
        "notification_url": connections.notice_url(ctx, connection),
    }
    async with httpx.AsyncClient(verify=False) as client:  # noqa: S501 - plain http on loopback
        response = await client.post(f"{sandbox_url}/bank/test/shops/{ACCOUNT}", json=bank_shop)
        response.raise_for_status()
    vk_url = f"{sandbox_url}/vk"
    await demo_vk.seed(ctx, member, sandbox.vk, {"api_url": vk_url, "site_url": vk_url})
    return {
        "app_url": ctx.settings.base_url,
        "sandbox_url": sandbox_url,
        "login": LOGIN,
        "password": stored["password"],
        "api_key": stored["api_key"],
        "shop_id": stored["shop_id"],
    }


async def _create_owner(ctx: Context) -> dict[str, str]:
    password = secrets.token_urlsafe(16)
    signed = await first_owner.create_first_owner(
        ctx,
        login=LOGIN,
        password=password,
        name="Анна",
        shop_name="Студия «Лак»",
        locale=ctx.settings.locale,
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
