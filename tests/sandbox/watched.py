"""An owner's program whose every request and answer passes the official schema and the models."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from tests import vk_oracle, vk_schema
from tests.sandbox.communities import Owner

TOO_FAST = 6


@dataclass
class Watched(Owner):
    """The same program, watched. `called` are the methods it has called."""

    called: set[str] = field(default_factory=set)

    async def raw(self, method: str, token: str | None = None, **params: Any) -> dict[str, Any]:
        """The whole envelope, checked like the request."""
        form = {name: str(value) for name, value in params.items()}
        vk_schema.check_request(method, form)
        body = await super().raw(method, token, **form)
        while body.get("error", {}).get("error_code") == TOO_FAST:
            await asyncio.sleep(0.1)
            body = await super().raw(method, token, **form)
        vk_schema.check_answer(method, body)
        await vk_oracle.check_answer(method, form, body)
        self.called.add(method)
        return body

    async def call_as_person(self, method: str, **params: Any) -> Any:
        """What a call of the owner brings; a key for each, because one may ask thrice a second."""
        vk = self.sandbox.vk
        person = vk.tokens[self.user_token].person_id
        key = vk.create_user_key(person, ["groups", "market", "photos"])
        return await self.call(method, token=key, **params)
