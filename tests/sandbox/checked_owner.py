"""A community owner's program that checks every call with VK's schema and the models."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from tests import vk_models, vk_schema
from tests.sandbox.community_owner import CommunityOwner

TOO_MANY_REQUESTS = 6


@dataclass
class CheckedOwner(CommunityOwner):
    """The same program with checks. `called_methods` holds the API methods it has called."""

    called_methods: set[str] = field(default_factory=set)

    async def call_raw(
        self, method: str, access_key: str | None = None, **params: Any
    ) -> dict[str, Any]:
        """Call a method; check the request and the envelope, return the envelope.

        Waits and retries while the key is over its rate limit.
        """
        form = {name: str(value) for name, value in params.items()}
        vk_schema.check_request(method, form)
        body = await super().call_raw(method, access_key, **form)
        while body.get("error", {}).get("error_code") == TOO_MANY_REQUESTS:
            await asyncio.sleep(0.1)
            body = await super().call_raw(method, access_key, **form)
        vk_schema.check_response(method, body)
        await vk_models.check_response(method, form, body)
        self.called_methods.add(method)
        return body

    async def call_as_user(self, method: str, **params: Any) -> Any:
        """Call a method with a user key of the owner; return `response`.

        Each call has a new key, because a user key may make three calls per second.
        """
        vk = self.sandbox.vk
        person = vk.access_keys[self.user_key].person_id
        key = vk.create_user_key(person, ["groups", "market", "photos"])
        return await self.call(method, access_key=key, **params)
