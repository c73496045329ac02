"""Callback API: the confirmation handshake, events with their secret, repeats, spoiled deliveries.

Events of one dialog go one after another; repeats of what failed go on their own. Source:
dev.vk.com/ru/api/callback/getting-started: five repeats after 10 s, 3 min, 10 min, 30 min, 1 h.
"""

import asyncio
import contextlib
import secrets
from typing import Any

import httpx
import msgspec
from msgspec.structs import replace

from sigma_sandbox import time_util
from sigma_sandbox.faults import Effect
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.world.models import CallbackServer, Community, Json, Parcel, Sent

REPEATS_S = (10, 180, 600, 1800, 3600)
FIRST_REPEAT_MS = 10_000
MAX_STEERED_S = 3 * 3600
ANSWER_TIMEOUT_S = 5.0
MAX_ERRORS = 20
STEERING = (410, 429, 503)


def lane_of(event: str, thing: Json) -> str:
    """The dialog an event belongs to ("" for none): its events keep their order."""
    message = thing.get("message", thing)
    peer = message.get("peer_id") or message.get("user_id") or ""
    return str(peer) if event.startswith("message") else ""


class Postman:
    """Carries events to callback servers. A restart takes the waiting ones up again."""

    def __init__(self, vk: Vk) -> None:
        self._vk = vk
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: dict[tuple[int, int, str], list[Parcel]] = {}
        self._gathered: dict[tuple[int, int], list[Parcel]] = {}
        vk.on_event.append(self.tell)

    async def confirm(self, server: CallbackServer) -> None:
        """Ask the address for the code now; later again when it answers something else."""
        if not await self._confirmed(server):
            self._spawn(self._confirm_later(server))

    def tell(self, community: Community, event: str, thing: Json) -> None:
        """Promise an event to every server that wants it."""
        control, shop = self._vk.control, str(community.id)
        servers = [
            one
            for one in self._vk.servers_of(community.id)
            if self._open(one) and event in one.events
        ]
        if not servers or control.take(Effect.VK_EVENTS_OFF, event, shop):
            return
        window_ms = control.take(Effect.VK_EVENTS_REORDER_MS, event, shop)
        for server in servers:
            parcel = self._vk.put_parcel(_parcel(server, event, thing))
            if window_ms is None:
                self._line_up(parcel)
            else:
                self._gather(parcel, window_ms)

    def _open(self, server: CallbackServer) -> bool:
        """A server that failed is tried again after the longest pause."""
        if server.status != "failed":
            return server.status == "ok"
        since = (time_util.system_clock() - server.failed_at) / time_util.SECOND
        return bool(server.failed_at) and since > self._scaled(REPEATS_S[-1], server.group_id)

    def resume(self) -> None:
        """Take up what was waiting when the sandbox stopped."""
        for parcel in list(self._vk.parcels.values()):
            if parcel.state == "waiting":
                self._line_up(parcel)

    async def close(self) -> None:
        """Stop; waiting events stay in the books."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _spawn(self, work: Any) -> None:
        with contextlib.suppress(RuntimeError):
            task = asyncio.get_running_loop().create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        work.close()  # told outside a loop: it waits in the books for `resume`

    def _line_up(self, parcel: Parcel) -> None:
        key = parcel.group_id, parcel.server_id, parcel.lane
        lane = self._lanes.setdefault(key, [])
        lane.append(parcel)
        if len(lane) == 1:
            self._spawn(self._walk(key))

    async def _walk(self, key: tuple[int, int, str]) -> None:
        """First tries of one lane, one after another."""
        lane = self._lanes[key]
        while lane:
            try:
                await self._first(lane[0])
            finally:
                lane.pop(0)
        del self._lanes[key]

    def _gather(self, parcel: Parcel, window_ms: int) -> None:
        key = parcel.group_id, parcel.server_id
        waiting = self._gathered.setdefault(key, [])
        waiting.append(parcel)
        if len(waiting) == 1:
            self._spawn(self._send_reversed(key, window_ms))

    async def _send_reversed(self, key: tuple[int, int], window_ms: int) -> None:
        await asyncio.sleep(window_ms / 1000)
        for parcel in reversed(self._gathered.pop(key)):
            await self._first(parcel)

    async def _first(self, parcel: Parcel) -> None:
        control, shop = self._vk.control, str(parcel.group_id)
        await asyncio.sleep((control.take(Effect.VK_EVENTS_DELAY_MS, parcel.type, shop) or 0) / 1e3)
        copies = control.take(Effect.VK_EVENTS_DUPLICATE, parcel.type, shop) or 1
        outcomes = await asyncio.gather(*(self._send(parcel.id, 0) for _ in range(copies)))
        if None not in outcomes:
            self._spawn(self._repeat(parcel.id, max(one or 0 for one in outcomes)))

    async def _repeat(self, parcel_id: str, steered_s: float) -> None:
        for number, pause_s in enumerate(REPEATS_S, 1):
            parcel = self._vk.parcels[parcel_id]
            await asyncio.sleep(steered_s or self._scaled(pause_s, parcel.group_id))
            outcome = await self._send(parcel_id, number)
            if outcome is None:
                return
            steered_s = outcome
        self._vk.put_parcel(replace(self._vk.parcels[parcel_id], state="given_up"))

    def _scaled(self, pause_s: float, group_id: int) -> float:
        said_ms = self._vk.control.peek(Effect.VK_RETRY_MS, str(group_id))
        return pause_s * (FIRST_REPEAT_MS if said_ms is None else said_ms) / FIRST_REPEAT_MS

    async def _send(self, parcel_id: str, retry: int) -> float | None:
        """None when the event was taken (or nobody wants it), else the pause asked for, or 0."""
        parcel = self._vk.parcels[parcel_id]
        server = self._vk.servers.get((parcel.group_id, parcel.server_id))
        if server is None:
            self._vk.put_parcel(replace(parcel, state="given_up"))
            return None
        status, text, pause_s = await self._post(server.url, parcel.body, retry)
        parcel = self._vk.parcels[parcel_id]
        tries = [*parcel.tries, Sent(time_util.system_clock(), f"{status} {text[:40]}".strip())]
        taken = status == "200" and self._taken(server, text)
        state = "delivered" if taken or parcel.state == "delivered" else "waiting"
        self._vk.put_parcel(replace(parcel, state=state, tries=tries))
        self._count(server, taken)
        return None if taken else pause_s

    def _taken(self, server: CallbackServer, text: str) -> bool:
        """ "ok", "remove" (no more, please) or "version 5.199"."""
        if text == "remove":
            self._vk.drop_server(server.group_id, server.id)
            return True
        if text.startswith("version "):
            version = text.removeprefix("version ").strip()
            self._vk.put_server(replace(server, api_version=version))
            return True
        return text == "ok"

    def _count(self, server: CallbackServer, taken: bool) -> None:
        """Many errors in a row make the server `failed`: it gets no new events until one works."""
        known = self._vk.servers.get((server.group_id, server.id))
        if known is None or known.status not in ("ok", "failed") or (taken and not known.errors):
            return
        errors = 0 if taken else known.errors + 1
        status = "failed" if errors >= MAX_ERRORS else "ok" if taken else known.status
        failed_at = time_util.system_clock() if status == "failed" else 0
        self._vk.put_server(replace(known, errors=errors, status=status, failed_at=failed_at))

    async def _confirmed(self, server: CallbackServer) -> bool:
        code = self._vk.communities[server.group_id].code
        ask = {"type": "confirmation", "group_id": server.group_id, "v": server.api_version}
        ask["event_id"] = secrets.token_hex(20)
        if server.secret:
            ask["secret"] = server.secret
        status, text, _ = await self._post(server.url, msgspec.json.encode(ask).decode(), 0)
        known = self._vk.servers.get((server.group_id, server.id))
        right = status == "200" and text == code
        if known is not None and right and known.url == server.url:
            self._vk.put_server(replace(known, status="ok", errors=0))
        return right or known is None

    async def _confirm_later(self, server: CallbackServer) -> None:
        for pause_s in REPEATS_S:
            await asyncio.sleep(self._scaled(pause_s, server.group_id))
            known = self._vk.servers.get((server.group_id, server.id))
            if known is None or known.status != "wait" or known.url != server.url:
                return
            if await self._confirmed(known):
                return
        if (known := self._vk.servers.get((server.group_id, server.id))) is not None:
            self._vk.put_server(replace(known, status="failed"))

    async def _post(self, url: str, body: str, retry: int) -> tuple[str, str, float]:
        """The status (or what broke), the body, and the pause asked for in seconds."""
        if self._client is None:
            # A developer's address has no certificate of a known authority.
            self._client = httpx.AsyncClient(verify=False, timeout=ANSWER_TIMEOUT_S)  # noqa: S501
        headers = {"Content-Type": "application/json", "User-Agent": "VK-sandbox"}
        if retry:
            headers["X-Retry-Counter"] = str(retry)
        try:
            answer = await self._client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__, "", 0.0
        pause = answer.headers.get("retry-after", "")
        steered = answer.status_code in STEERING and pause.isdecimal()
        return (
            str(answer.status_code),
            answer.text.strip(),
            float(min(int(pause), MAX_STEERED_S)) if steered else 0.0,
        )


def _parcel(server: CallbackServer, event: str, thing: Json) -> Parcel:
    event_id = secrets.token_hex(20)
    told = envelope(server.group_id, event, thing, event_id, server.api_version)
    if server.secret:
        told["secret"] = server.secret
    return Parcel(
        id=event_id,
        group_id=server.group_id,
        server_id=server.id,
        lane=lane_of(event, thing),
        type=event,
        body=msgspec.json.encode(told).decode(),
        created_at=time_util.system_clock(),
    )


def envelope(group_id: int, event: str, thing: Json, event_id: str, version: str) -> Json:
    """An event as it travels; before 5.103 `message_new` was the message itself."""
    if event == "message_new" and tuple(map(int, version.split("."))) < (5, 103):
        thing = thing["message"]
    body: Json = {"group_id": group_id, "type": event, "event_id": event_id, "v": version}
    return body | {"object": thing}
