"""Links of invitations and who invites.

Tokens are computed, so that a mail can contain what is not stored.
"""

from sigma.domain.accounts.invitation import Invitation
from sigma.services.context import Context
from sigma.store.accounts import users
from sigma.store.encryption import HashPurpose
from sigma.store.engine.interface import Tx


def token_of(ctx: Context, invitation_id: str, login: str) -> str:
    """Return the token of an invitation: 160 bits that cannot be computed without the key."""
    return ctx.cipher.keyed_hash(HashPurpose.INVITATION, invitation_id, login)


def invitation_url(ctx: Context, invitation: Invitation) -> str:
    """Return the link of an invitation. Who has it can accept the invitation."""
    token = token_of(ctx, invitation.id, invitation.login)
    return f"{ctx.settings.base_url}/invitations/{token}"


async def find_inviter(tx: Tx, invitation: Invitation) -> str:
    """Return the name of the person who invites, else the login; "" for the command line."""
    inviter = await users.get(tx, invitation.created_by)
    return (inviter.name or inviter.login) if inviter else ""
