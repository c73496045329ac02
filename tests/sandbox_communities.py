"""Communities in the sandbox VK and their owner, for tests that connect them."""

import itertools
from dataclasses import dataclass
from typing import Any

from sigma.domain.messaging.community import Community
from sigma.services.communities import communities
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.actions.seed import OWNER_ID
from tests.world import World

ALL_SCOPES = ("manage", "messages", "photos", "market")
_numbers = itertools.count(1)


@dataclass
class SandboxCommunity:
    """A community in the sandbox VK, and what its owner does on VK's pages.

    `key` is its first access key. Profile fields are empty unless given.
    """

    vk: Vk
    group_id: int
    access_key: str

    def create_access_key(self, *scopes: str) -> str:
        """Create another access key with these scopes; all scopes by default."""
        return self.vk.create_community_key(self.group_id, list(scopes or ALL_SCOPES))

    def revoke_access_key(self) -> None:
        """Revoke the first access key."""
        self.vk.revoke_key(self.access_key)


def create_community(
    world: World, name: str = "", *scopes: str, **profile: Any
) -> SandboxCommunity:
    """Create a community with an access key that has these scopes (all by default)."""
    vk = world.sandbox.vk
    created = vk.add_community(name or f"Студия {next(_numbers)}", OWNER_ID, **profile)
    return SandboxCommunity(
        vk, created.id, vk.create_community_key(created.id, list(scopes or ALL_SCOPES))
    )


async def connect_community(
    world: World, sandbox_community: SandboxCommunity, delivery_choice: str = "auto"
) -> Community:
    """Connect the community to the world's shop."""
    return await communities.connect(
        world.ctx, world.member, sandbox_community.access_key, delivery_choice=delivery_choice
    )
