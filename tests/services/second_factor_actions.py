"""Actions of a person who signs in: sessions, passkeys, authenticator app."""

from sigma.domain.origin import Origin
from sigma.services.accounts import users
from sigma.services.accounts.users import NewSession, Session
from sigma.services.authentication import authenticator_apps, passkeys, second_factors
from sigma.services.context import Context
from tests.authenticators import SoftwarePasskey, app_code
from tests.world import World

LOGIN = "owner@example.org"
ORIGIN = Origin("192.0.2.7", "Firefox · Linux")


async def sign_in(world: World, device: str = "") -> NewSession:
    """Sign in as the owner by password."""
    return await users.sign_in(
        world.ctx, LOGIN, world.password, ip=ORIGIN.address, device=device, origin=ORIGIN
    )


async def open_session(world: World) -> Session:
    """Sign in as the owner, who has no second factor, and return the open session."""
    return await find_session(world.ctx, (await sign_in(world)).secret)


async def find_session(ctx: Context, secret: str) -> Session:
    """Return the open session of a secret. Raises AssertionError without one."""
    session = await users.find_session(ctx, secret)
    assert session is not None
    return session


async def find_pending(ctx: Context, secret: str) -> Session:
    """Return the session whose second step is missing. Raises AssertionError without one."""
    pending = await users.find_pending_session(ctx, secret)
    assert pending is not None
    return pending


async def add_app(world: World, session: Session) -> tuple[str, second_factors.AddedFactor]:
    """Add an authenticator app; return its secret and what follows. Stops the clock."""
    world.clock.stop()  # a code is valid in its own half minute only
    enrolment = authenticator_apps.start(world.ctx, session.user)
    code = app_code(world.ctx, enrolment.secret)
    enrolled = await second_factors.add_app(world.ctx, session, enrolment.ticket, code)
    return enrolment.secret, enrolled


async def add_passkey(
    world: World, session: Session, passkey: SoftwarePasskey | None = None
) -> tuple[SoftwarePasskey, second_factors.AddedFactor]:
    """Add a passkey named «Телефон»; return it and what follows."""
    passkey = passkey or SoftwarePasskey()
    request = await passkeys.registration_request(world.ctx, session.user)
    enrolled = await second_factors.add_passkey(
        world.ctx, session, "Телефон", passkey.create(request.options), request.ticket
    )
    return passkey, enrolled


async def sign_in_by_passkey(world: World, passkey: SoftwarePasskey) -> NewSession:
    """Sign in by a passkey alone."""
    request = await passkeys.authentication_request(world.ctx, None)
    return await second_factors.sign_in_by_passkey(
        world.ctx, passkey.get(request.options), request.ticket, ORIGIN, ""
    )
