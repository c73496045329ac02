"""A whole installation: Sigma's processes, its database, the outside world, one shop that sells."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from sigma.domain.accounts.member import Member, Role
from sigma.main import open_context
from sigma.services.accounts import api_keys, first_owner, users
from sigma.services.billing import connections
from sigma.services.communities import communities
from sigma.services.context import Context
from sigma.settings import load_settings
from sigma_sandbox.app import Sandbox, start_sandbox
from sigma_sandbox.vk.actions.seed import OWNER_ID
from tests.chaos.balancer import running_balancer
from tests.chaos.processes import SigmaProcess, free_ports
from tests.network_proxy import NetworkProxy, proxied
from tests.world import Clock, World, fill_in_shop

LOGIN = "owner@example.org"
ACCOUNT = "700700"
KEY_SCOPES = ["manage", "messages", "photos"]
# VK and the acquirer repeat what was refused after three seconds, not after ten: how late Sigma is
# shall not depend on their pauses. Sooner, VK would count twenty failures in a short outage and
# stop calling, as it does in earnest.
RETRY_MS = 3000


@dataclass
class Installation:
    """Everything that runs. `base_url` leads through the balancer.

    `database` is the way from Sigma's processes to PostgreSQL, None on SQLite. `community_groups`:
    VK's group ids, one community with long poll and one with callbacks. `session` is the cookie
    value of the signed-in owner, `csrf` the token of its forms.
    """

    world: World
    base_url: str
    database_url: str
    api_key: str
    session: str
    csrf: str
    servers: list[SigmaProcess]
    workers: list[SigmaProcess]
    database: NetworkProxy | None
    community_groups: dict[int, str] = field(default_factory=dict)
    on_letter: list[Callable[[], None]] = field(default_factory=list)

    @property
    def sandbox(self) -> Sandbox:
        """The bank, VK and the mailbox."""
        return self.world.sandbox

    @property
    def is_sqlite(self) -> bool:
        """Whether one process does everything on a SQLite file."""
        return self.database is None

    @property
    def processes(self) -> list[SigmaProcess]:
        """All processes of Sigma."""
        return [*self.servers, *self.workers]

    @property
    def working(self) -> list[SigmaProcess]:
        """The processes that run jobs."""
        return self.workers or self.servers


@asynccontextmanager
async def open_installation(database_url: str, folder: Path) -> AsyncIterator[Installation]:
    """Start an installation on a migrated, empty database; stop it when the block ends."""
    on_letter: list[Callable[[], None]] = []

    def on_smtp_reply(data: bytes) -> None:
        if b"stored as" in data:
            for notify in tuple(on_letter):
                notify()

    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(start_sandbox())
        sandbox.faults.update({"notices_retry_ms": RETRY_MS, "vk_retry_ms": RETRY_MS})
        smtp = f"smtp://127.0.0.1:{sandbox.smtp_port}"
        _, smtp_url = await stack.enter_async_context(proxied(smtp, on_smtp_reply))
        network, process_url = None, database_url
        if not database_url.startswith("sqlite"):
            network, process_url = await stack.enter_async_context(proxied(database_url))
        balancer_port, *ports = free_ports(2 if network is None else 3)
        base_url = f"http://127.0.0.1:{balancer_port}"
        common = _process_settings(base_url, sandbox, smtp_url, folder)
        settings = common | {"SIGMA_DATABASE_URL": process_url}
        servers = [SigmaProcess(f"serve {n}", settings, port) for n, port in enumerate(ports, 1)]
        workers = [SigmaProcess(f"worker {n}", settings) for n in (1, 2) if network is not None]
        await stack.enter_async_context(running_balancer(balancer_port, ports))
        own_settings = load_settings(environ=common, dotenv=None, database_url=database_url)
        ctx = await stack.enter_async_context(open_context(own_settings))
        world = await _create_shop(ctx, sandbox, await stack.enter_async_context(_http()))
        session, csrf = await _sign_in(ctx, world)
        installation = Installation(
            world=world,
            base_url=base_url,
            database_url=database_url,
            api_key=(await api_keys.create(ctx, world.member, "chaos"))[1],
            session=session,
            csrf=csrf,
            servers=servers,
            workers=workers,
            database=network,
            on_letter=on_letter,
        )
        stack.push_async_callback(_kill_all, installation)
        await asyncio.gather(*(process.start() for process in installation.processes))
        await asyncio.gather(*(one.wait_until_ready() for one in installation.processes))
        await _connect_communities(installation)
        yield installation


def _process_settings(
    base_url: str, sandbox: Sandbox, smtp_url: str, folder: Path
) -> dict[str, str]:
    return {
        "SIGMA_SECRET_KEY": secrets.token_hex(20),
        "SIGMA_BASE_URL": base_url,
        "SIGMA_SMTP_URL": smtp_url,
        "SIGMA_MAIL_FROM": "Sigma <sigma@example.org>",
        "SIGMA_VK_API_URL": f"{sandbox.base_url}/vk",
        "SIGMA_VK_SITE_URL": f"{sandbox.base_url}/vk",
        "SIGMA_OUTBOUND_ALLOW": "127.0.0.1",
        "SIGMA_TRUSTED_PROXIES": "127.0.0.0/8",  # each client sends its own X-Forwarded-For
        "SIGMA_API_REQUESTS_PER_MINUTE": "100000",
        "SIGMA_DATA_DIR": str(folder),
        "SIGMA_LOG_LEVEL": "warning",
        "SIGMA_LOG_FORMAT": "json",
    }


@asynccontextmanager
async def _http() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the sandbox, whose idle connections end after 5 s."""
    limits = httpx.Limits(keepalive_expiry=2)
    async with httpx.AsyncClient(timeout=60, verify=False, limits=limits) as http:
        yield http


async def _create_shop(ctx: Context, sandbox: Sandbox, http: httpx.AsyncClient) -> World:
    signed = await first_owner.create_first_owner(
        ctx, login=LOGIN, password=World.password, name="Пётр", shop_name="Студия"
    )
    member = Member(signed.user.id, signed.shop.id, Role.OWNER)
    shop = await fill_in_shop(ctx, member)
    connection = await connections.save(
        ctx,
        member,
        None,
        provider="yookassa",
        title="",
        account=ACCOUNT,
        secret="test_secret",
        settings={"base_url": f"{sandbox.base_url}/bank/v3", "timeout_s": 5},
    )
    await connections.verify_credentials(ctx, member, connection.id)
    settings = {"name": "Студия", "notification_url": connections.notice_url(ctx, connection)}
    response = await http.post(f"{sandbox.base_url}/bank/test/shops/{ACCOUNT}", json=settings)
    response.raise_for_status()
    return World(ctx, sandbox, http, ACCOUNT, Clock(), member, shop, connection)


async def _sign_in(ctx: Context, world: World) -> tuple[str, str]:
    """Return the owner's session cookie and the token of its forms."""
    signed_in = await users.sign_in(ctx, LOGIN, world.password, ip="192.0.2.1")
    session = await users.find_session(ctx, signed_in.secret)
    assert session is not None
    return signed_in.secret, session.csrf


async def _connect_communities(installation: Installation) -> None:
    world, vk = installation.world, installation.sandbox.vk
    for delivery in ("long_poll", "callback"):
        name = f"Студия {delivery}"
        group = vk.add_community(name, OWNER_ID, messages=True, bots_capabilities=True)
        key = vk.create_community_key(group.id, KEY_SCOPES)
        community = await communities.connect(
            world.ctx, world.member, key, delivery_choice=delivery
        )
        assert community.event_delivery == delivery
        installation.community_groups[group.id] = community.id


async def _kill_all(installation: Installation) -> None:
    for process in installation.processes:
        await process.kill()
