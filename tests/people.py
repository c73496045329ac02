"""People of a shop for tests: accounts with a role, browsers that are signed in as them."""

from sigma.domain.accounts.member import Member, Role, User
from sigma.services.accounts import installation
from sigma.services.accounts.installation import Administrator
from sigma.services.context import Context
from sigma.store.accounts import members, users
from tests.world import World

PASSWORD = "three random words"


async def add_person(ctx: Context, shop_id: str, login: str, role: Role, name: str = "") -> Member:
    """Create an account with PASSWORD and make it a member of a shop."""
    now_us = ctx.now_us()
    password_hash = await ctx.passwords.hash(PASSWORD)
    user = User(ctx.new_id("usr", shop_id), login, password_hash, name, "ru", now_us)
    async with ctx.db.write() as tx:
        await users.save(tx, user)
        await members.add(tx, shop_id, user.id, role, now_us)
    return Member(user.id, shop_id, role)


async def other_shop(world: World) -> str:
    """Create a second shop of the world's owner; return its id."""
    created = await installation.create_shop(
        world.ctx, Administrator(world.member.actor), "Второй", "owner@example.org"
    )
    return created.shop.id
