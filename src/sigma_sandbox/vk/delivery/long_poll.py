"""Bots Long Poll: events of a community wait in a ring, numbered by `ts`.

Source: dev.vk.com/ru/api/bots-long-poll/getting-started. The ring lives in memory: after a restart
an old `ts` is answered with `failed` 1, as VK does when history is lost.
"""

import asyncio
import secrets
from collections import deque

from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from msgspec.structs import replace

from sigma_sandbox.faults import Effect
from sigma_sandbox.responses import Asked, json_response
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.delivery.callback import envelope
from sigma_sandbox.vk.world.models import Community, Json

REMEMBERED = 1000
MAX_WAIT_S = 90


class Rings:
    """The last events of every community, and who waits for the next."""

    def __init__(self, vk: Vk) -> None:
        self._vk = vk
        self._rings: dict[int, deque[tuple[int, Json]]] = {}
        self._waiting: dict[int, set[asyncio.Future[None]]] = {}
        vk.on_event.append(self.tell)

    def tell(self, community: Community, event: str, thing: Json) -> None:
        """Remember an event for those who ask."""
        group_id, control = community.id, self._vk.control
        longpoll = self._vk.longpolls.get(group_id)
        if longpoll is None or not longpoll.enabled or event not in longpoll.events:
            return
        if control.take(Effect.VK_EVENTS_OFF, event, str(group_id)):
            return
        copies = control.take(Effect.VK_EVENTS_DUPLICATE, event, str(group_id)) or 1
        ring = self._rings.setdefault(group_id, deque(maxlen=REMEMBERED))
        told = envelope(group_id, event, thing, secrets.token_hex(20), longpoll.api_version)
        for _ in range(copies):
            longpoll = self._vk.put_longpoll(replace(longpoll, ts=longpoll.ts + 1))
            ring.append((longpoll.ts, told))
        for future in self._waiting.pop(group_id, set()):
            if not future.done():
                future.set_result(None)

    async def check(self, group_id: int, key: str, ts: str, wait_s: float) -> Json:
        """What happened since `ts`: at once, or when it happens within `wait_s`."""
        if (failed := self._failed(group_id, key, ts)) is not None:
            return failed
        if not self._since(group_id, int(ts)):
            future = asyncio.get_running_loop().create_future()
            waiting = self._waiting.setdefault(group_id, set())
            waiting.add(future)
            try:
                await asyncio.wait([future], timeout=wait_s)
            finally:
                waiting.discard(future)
        updates = self._since(group_id, int(ts))
        return {"ts": str(self._vk.longpoll(group_id).ts), "updates": updates}

    def _since(self, group_id: int, ts: int) -> list[Json]:
        return [told for number, told in self._rings.get(group_id, ()) if number > ts]

    def _failed(self, group_id: int, key: str, ts: str) -> Json | None:
        """Why nothing is told: 1 lost history, 2 another key, 3 everything lost."""
        longpoll = self._vk.longpoll(group_id)
        if key != longpoll.key or not longpoll.enabled:
            return {"failed": 2}
        said = self._vk.control.take(Effect.VK_LONGPOLL_FAILED, "", str(group_id))
        if said is not None:
            if said > 1:
                self._vk.put_longpoll(replace(longpoll, key=secrets.token_hex(20)))
            return {"failed": 1, "ts": longpoll.ts} if said == 1 else {"failed": said}
        if not ts.isdecimal() or int(ts) > longpoll.ts:
            return {"failed": 3}
        ring = self._rings.get(group_id)
        oldest = ring[0][0] if ring else longpoll.ts + 1
        return {"failed": 1, "ts": longpoll.ts} if int(ts) < oldest - 1 else None


@route("/{group_id:int}", http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200)
async def check(request: Asked, group_id: FromPath[int]) -> Response[bytes]:
    """`?act=a_check&key=…&ts=…&wait=25`; public clients ask by GET or by POST."""
    rings: Rings = request.app.state["vk_rings"]
    vk: Vk = request.app.state["vk"]
    query = request.query_params
    wait = query.get("wait", "25")
    if group_id not in vk.communities or query.get("act") != "a_check":
        return json_response({"failed": 2})
    wait_s = min(int(wait), MAX_WAIT_S) if wait.isdecimal() else 25
    answer = await rings.check(group_id, query.get("key", ""), query.get("ts", ""), wait_s)
    return json_response(answer)


HANDLERS = [check]
