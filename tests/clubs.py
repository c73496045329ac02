"""Communities of the sandbox's VK and their owner, for tests that connect them."""

import itertools
from dataclasses import dataclass
from typing import Any

from sigma.domain.messaging.community import Community
from sigma.services.communities import communities
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.actions.seed import OWNER
from tests.world import World

ALL_RIGHTS = ("manage", "messages", "photos", "market")
_numbers = itertools.count(1)


@dataclass
class Club:
    """A community of VK with nothing filled unless told, and its owner's deeds on VK's pages."""

    vk: Vk
    group_id: int
    key: str

    def new_key(self, *rights: str) -> str:
        """Another access key; all rights unless named."""
        return self.vk.create_key(self.group_id, list(rights or ALL_RIGHTS))

    def revoke(self) -> None:
        """The key that the club was made with dies."""
        self.vk.revoke_key(self.key)


def open_club(world: World, name: str = "", *rights: str, **filled: Any) -> Club:
    """A fresh community with a key."""
    vk = world.sandbox.vk
    made = vk.add_community(name or f"Студия {next(_numbers)}", OWNER, **filled)
    return Club(vk, made.id, vk.create_key(made.id, list(rights or ALL_RIGHTS)))


async def connected(world: World, club: Club, wanted: str = "auto") -> Community:
    """The club, connected to the world's shop."""
    return await communities.connect(world.ctx, world.member, club.key, wanted=wanted)
