"""Mails with secret links pass no mail server that somebody with fewer rights may change."""

from dataclasses import replace

import pytest

from sigma.channels.email import OutgoingMail
from sigma.domain.accounts.member import Role
from sigma.services.accounts import invitations, shops
from sigma.services.authentication import password_resets
from sigma.services.context import Context
from tests.people import add_person
from tests.world import World

OWNER = "owner@example.org"
SHOP_SERVER = "smtp://name:x9@smtp.example.com:587"  # pragma: allowlist secret
INSTALLATION, SHOP = "installation", "shop"


class RecordingMailer:
    """A mail server that accepts everything."""

    def __init__(self, name: str, sent: list[tuple[str, str]]) -> None:
        self.destination = name
        self._sent = sent

    async def send(self, mail: OutgoingMail) -> str:
        """Record the server and the recipient."""
        self._sent.append((self.destination, mail.to))
        return "250 ok"


async def open_servers(world: World, *, has_own: bool) -> tuple[World, list[tuple[str, str]]]:
    """Return a world whose shop has a server of its own, and what both servers have sent."""
    sent: list[tuple[str, str]] = []

    def mailer(smtp_url: str) -> RecordingMailer | None:
        name = SHOP if smtp_url else INSTALLATION
        return RecordingMailer(name, sent) if smtp_url or has_own else None

    ctx: Context = replace(world.ctx, mailer_factory=mailer)
    await shops.save_mail(
        ctx, world.member, from_name="", reply_to="", smtp_url=SHOP_SERVER, origin=None
    )
    return replace(world, ctx=ctx), sent


@pytest.mark.parametrize(
    ("has_own", "others", "servers"),
    [
        (True, [Role.ADMIN], [INSTALLATION]),
        (True, [], [INSTALLATION]),
        (False, [], [SHOP]),
        (False, [Role.OPERATOR, Role.ACCOUNTANT, Role.VIEWER], [SHOP]),
        (False, [Role.ADMIN], []),
        (False, [Role.OWNER], []),
    ],
)
async def test_link_for_a_password_is_hidden_from_who_edits_the_shops_server(
    world: World, has_own: bool, others: list[Role], servers: list[str]
) -> None:
    """An admin must not become the owner by reading the owner's mail."""
    world, sent = await open_servers(world, has_own=has_own)
    for role in others:
        await add_person(world.ctx, world.shop.id, f"{role}2@example.org", role)
    await password_resets.request(world.ctx, OWNER, "192.0.2.7")
    await world.run_jobs()
    assert sent == [(server, OWNER) for server in servers]


@pytest.mark.parametrize(
    ("has_own", "has_admin", "role", "servers"),
    [
        (True, True, Role.OWNER, [INSTALLATION]),
        (False, True, Role.OWNER, []),
        (False, True, Role.ADMIN, [SHOP]),
        (False, False, Role.OWNER, [SHOP]),
    ],
)
async def test_invitation_of_an_owner_is_hidden_from_admins(
    world: World, has_own: bool, has_admin: bool, role: Role, servers: list[str]
) -> None:
    world, sent = await open_servers(world, has_own=has_own)
    if has_admin:
        await add_person(world.ctx, world.shop.id, "admin@example.org", Role.ADMIN)
    invitation, _, _ = await invitations.invite(world.ctx, world.member, "new@example.org", role)
    shop = await shops.get(world.ctx, world.member)
    assert await invitations.is_mailed(world.ctx, shop, invitation) == bool(servers)
    await world.run_jobs()
    assert sent == [(server, "new@example.org") for server in servers]


async def test_notice_of_a_new_mail_server_does_not_pass_it(world: World) -> None:
    """A thief who changes the server must not receive the notice about it."""
    world, sent = await open_servers(world, has_own=True)
    session_origin = replace(world.member.origin, address="192.0.2.7")
    await shops.save_mail(
        world.ctx,
        world.member,
        from_name="",
        reply_to="",
        smtp_url=SHOP_SERVER.replace("x9", "y8"),  # pragma: allowlist secret
        origin=session_origin,
    )
    await world.run_jobs()
    assert sent == [(INSTALLATION, OWNER)]
