"""Bots Long Poll: the last events of a community, numbered by `ts`.

Source: https://dev.vk.com/ru/api/bots-long-poll/getting-started. Events are in memory only: after a
restart an old `ts` gets `failed` 1, as in VK when the history is lost.
"""

import asyncio
import secrets
from collections import deque
from typing import Any

from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from msgspec.structs import replace

from sigma_sandbox.faults import Effect
from sigma_sandbox.responses import AnyRequest, json_response
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.http import get_vk
from sigma_sandbox.vk.wire.serializers import event_json
from sigma_sandbox.vk.world.models import EVENT_TYPES, Community, Json

HISTORY_SIZE = 1000
MAX_WAIT_S = 90


class LongPollServer:
    """The last events of every community and the requests that wait for the next one."""

    def __init__(self, vk: Vk) -> None:
        self._vk = vk
        self._histories: dict[int, deque[tuple[int, Json]]] = {}
        self._waiters: dict[int, set[asyncio.Future[None]]] = {}
        vk.event_listeners.append(self.enqueue)

    def enqueue(self, community: Community, event_type: str, object_json: Any) -> None:
        """Add an event, if the community has it switched on, and wake waiting requests.

        An event of a type that has no switch is always added.
        """
        group_id, faults = community.id, self._vk.faults
        long_poll = self._vk.long_polls.get(group_id)
        if long_poll is None or not long_poll.enabled:
            return
        if event_type in EVENT_TYPES and event_type not in long_poll.events:
            return
        if faults.consume(Effect.VK_EVENTS_OFF, event_type, str(group_id)):
            return
        copies = faults.consume(Effect.VK_EVENTS_DUPLICATE, event_type, str(group_id)) or 1
        history = self._histories.setdefault(group_id, deque(maxlen=HISTORY_SIZE))
        update = event_json(
            group_id, event_type, object_json, secrets.token_hex(20), long_poll.api_version
        )
        for _ in range(copies):
            long_poll = self._vk.put_long_poll(replace(long_poll, ts=long_poll.ts + 1))
            history.append((long_poll.ts, update))
        for future in self._waiters.pop(group_id, set()):
            if not future.done():
                future.set_result(None)

    async def poll(self, group_id: int, key: str, ts: str, wait_s: float) -> Json:
        """Return the events after `ts`; if there are none, wait up to `wait_s` seconds for one."""
        if (failure := self._failure(group_id, key, ts)) is not None:
            return failure
        if not self._list_since(group_id, int(ts)):
            future = asyncio.get_running_loop().create_future()
            waiters = self._waiters.setdefault(group_id, set())
            waiters.add(future)
            try:
                await asyncio.wait([future], timeout=wait_s)
            finally:
                waiters.discard(future)
        updates = self._list_since(group_id, int(ts))
        return {"ts": str(self._vk.get_or_create_long_poll(group_id).ts), "updates": updates}

    def _list_since(self, group_id: int, ts: int) -> list[Json]:
        return [update for number, update in self._histories.get(group_id, ()) if number > ts]

    def _failure(self, group_id: int, key: str, ts: str) -> Json | None:
        """Return a `failed` response, or None when the request can be served.

        1: the history after `ts` is lost; 2: wrong key or long poll is off; 3: `ts` is not valid.
        """
        long_poll = self._vk.get_or_create_long_poll(group_id)
        if key != long_poll.key or not long_poll.enabled:
            return {"failed": 2}
        failed_code = self._vk.faults.consume(Effect.VK_LONGPOLL_FAILED, "", str(group_id))
        if failed_code is not None:
            if failed_code > 1:
                self._vk.put_long_poll(replace(long_poll, key=secrets.token_hex(20)))
            return (
                {"failed": 1, "ts": long_poll.ts} if failed_code == 1 else {"failed": failed_code}
            )
        if not ts.isdecimal() or int(ts) > long_poll.ts:
            return {"failed": 3}
        history = self._histories.get(group_id)
        oldest = history[0][0] if history else long_poll.ts + 1
        return {"failed": 1, "ts": long_poll.ts} if int(ts) < oldest - 1 else None


@route("/{group_id:int}", http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200)
async def poll(request: AnyRequest, group_id: FromPath[int]) -> Response[bytes]:
    """Serve `?act=a_check&key=…&ts=…&wait=25`, by GET or POST."""
    long_polls: LongPollServer = request.app.state["vk_long_poll"]
    vk = get_vk(request)
    query = request.query_params
    wait = query.get("wait", "25")
    if group_id not in vk.communities or query.get("act") != "a_check":
        return json_response({"failed": 2})
    wait_s = min(int(wait), MAX_WAIT_S) if wait.isdecimal() else 25
    reply = await long_polls.poll(group_id, query.get("key", ""), query.get("ts", ""), wait_s)
    return json_response(reply)


HANDLERS = [poll]
