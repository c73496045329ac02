"""Callback API: confirmation of addresses, delivery of events, retries, injected faults.

First attempts of one conversation are made one after another; retries do not hold up later events.
Source: https://dev.vk.com/ru/api/callback/getting-started (five retries after 10 s, 3 min, 10 min,
30 min and 1 h).
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
from sigma_sandbox.vk.wire.serializers import event_json
from sigma_sandbox.vk.world.models import (
    EVENT_TYPES,
    CallbackServer,
    Community,
    DeliveryAttempt,
    EventDelivery,
)

RETRY_DELAYS_S = (10, 180, 600, 1800, 3600)
FIRST_RETRY_MS = 10_000
MAX_RETRY_AFTER_S = 3 * 3600
RESPONSE_TIMEOUT_S = 5.0
MAX_CONSECUTIVE_ERRORS = 20
RETRY_AFTER_STATUSES = (410, 429, 503)


def event_ordering_key(event_type: str, object_json: Any) -> str:
    """Return the peer id whose events must keep their order, or an empty string."""
    if not isinstance(object_json, dict):
        return ""
    message = object_json.get("message", object_json)
    peer = message.get("peer_id") or message.get("user_id") or ""
    return str(peer) if event_type.startswith("message") else ""


class CallbackSender:
    """Sends events to callback servers. `resume` continues waiting deliveries after a restart."""

    def __init__(self, vk: Vk) -> None:
        self._vk = vk
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._queues: dict[tuple[int, int, str], list[EventDelivery]] = {}
        self._batches: dict[tuple[int, int], list[EventDelivery]] = {}
        vk.event_listeners.append(self.enqueue)

    async def confirm(self, server: CallbackServer) -> None:
        """Request the confirmation code now; retry in the background when the response is wrong."""
        if not await self._request_confirmation(server):
            self._start_task(self._retry_confirmation(server))

    def enqueue(self, community: Community, event_type: str, object_json: Any) -> None:
        """Create a delivery for every server that has this event switched on. Listener of `Vk`.

        An event of a type that has no switch goes to every server.
        """
        faults, shop = self._vk.faults, str(community.id)
        servers = [
            one
            for one in self._vk.list_servers(community.id)
            if self._accepts_events(one)
            and (event_type in one.events or event_type not in EVENT_TYPES)
        ]
        if not servers or faults.consume(Effect.VK_EVENTS_OFF, event_type, shop):
            return
        window_ms = faults.consume(Effect.VK_EVENTS_REORDER_MS, event_type, shop)
        for server in servers:
            delivery = self._vk.put_delivery(_new_delivery(server, event_type, object_json))
            if window_ms is None:
                self._add_to_queue(delivery)
            else:
                self._add_to_batch(delivery, window_ms)

    def _accepts_events(self, server: CallbackServer) -> bool:
        """Return whether the server gets new events: it is ok, or it failed an hour ago."""
        if server.status != "failed":
            return server.status == "ok"
        elapsed_s = (time_util.system_clock() - server.failed_at_us) / time_util.SECOND_US
        return bool(server.failed_at_us) and elapsed_s > self._scale_delay(
            RETRY_DELAYS_S[-1], server.group_id
        )

    def resume(self) -> None:
        """Queue the deliveries that were waiting when the sandbox stopped."""
        for delivery in list(self._vk.deliveries.values()):
            if delivery.state == "waiting":
                self._add_to_queue(delivery)

    async def close(self) -> None:
        """Cancel all tasks. Waiting deliveries stay in the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _start_task(self, coroutine: Any) -> None:
        with contextlib.suppress(RuntimeError):
            task = asyncio.get_running_loop().create_task(coroutine)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        coroutine.close()  # no running loop: the stored delivery waits for `resume`

    def _add_to_queue(self, delivery: EventDelivery) -> None:
        key = delivery.group_id, delivery.server_id, delivery.ordering_key
        queue = self._queues.setdefault(key, [])
        queue.append(delivery)
        if len(queue) == 1:
            self._start_task(self._deliver_queue(key))

    async def _deliver_queue(self, key: tuple[int, int, str]) -> None:
        """Make the first attempts of one queue, one after another."""
        queue = self._queues[key]
        while queue:
            try:
                await self._first_attempt(queue[0])
            finally:
                queue.pop(0)
        del self._queues[key]

    def _add_to_batch(self, delivery: EventDelivery, window_ms: int) -> None:
        key = delivery.group_id, delivery.server_id
        batch = self._batches.setdefault(key, [])
        batch.append(delivery)
        if len(batch) == 1:
            self._start_task(self._send_reversed(key, window_ms))

    async def _send_reversed(self, key: tuple[int, int], window_ms: int) -> None:
        await asyncio.sleep(window_ms / 1000)
        for delivery in reversed(self._batches.pop(key)):
            await self._first_attempt(delivery)

    async def _first_attempt(self, delivery: EventDelivery) -> None:
        faults, shop = self._vk.faults, str(delivery.group_id)
        await asyncio.sleep(
            (faults.consume(Effect.VK_EVENTS_DELAY_MS, delivery.type, shop) or 0) / 1e3
        )
        copies = faults.consume(Effect.VK_EVENTS_DUPLICATE, delivery.type, shop) or 1
        outcomes = await asyncio.gather(*(self._attempt(delivery.id, 0) for _ in range(copies)))
        if None not in outcomes:
            self._start_task(self._retry(delivery.id, max(one or 0 for one in outcomes)))

    async def _retry(self, delivery_id: str, requested_delay_s: float) -> None:
        for number, delay_s in enumerate(RETRY_DELAYS_S, 1):
            delivery = self._vk.deliveries[delivery_id]
            await asyncio.sleep(requested_delay_s or self._scale_delay(delay_s, delivery.group_id))
            outcome = await self._attempt(delivery_id, number)
            if outcome is None:
                return
            requested_delay_s = outcome
        self._vk.put_delivery(replace(self._vk.deliveries[delivery_id], state="given_up"))

    def _scale_delay(self, delay_s: float, group_id: int) -> float:
        first_delay_ms = self._vk.faults.peek(Effect.VK_RETRY_MS, str(group_id))
        return (
            delay_s
            * (FIRST_RETRY_MS if first_delay_ms is None else first_delay_ms)
            / FIRST_RETRY_MS
        )

    async def _attempt(self, delivery_id: str, retry_number: int) -> float | None:
        """Make one attempt and store its result.

        Return None when no retry is needed, else the delay in seconds the server requested, or 0.
        """
        delivery = self._vk.deliveries[delivery_id]
        server = self._vk.servers.get((delivery.group_id, delivery.server_id))
        if server is None:
            self._vk.put_delivery(replace(delivery, state="given_up"))
            return None
        status, text, retry_after_s = await self._post(server.url, delivery.body, retry_number)
        delivery = self._vk.deliveries[delivery_id]
        attempts = [
            *delivery.attempts,
            DeliveryAttempt(time_util.system_clock(), f"{status} {text[:40]}".strip()),
        ]
        is_accepted = status == "200" and self._process_response(server, text)
        state = "delivered" if is_accepted or delivery.state == "delivered" else "waiting"
        self._vk.put_delivery(replace(delivery, state=state, attempts=attempts))
        self._update_server_status(server, is_accepted)
        return None if is_accepted else retry_after_s

    def _process_response(self, server: CallbackServer, text: str) -> bool:
        """Return whether the body acknowledges the event.

        "ok" acknowledges. "remove" also deletes the server, "version 5.199" also sets its API
        version.
        """
        if text == "remove":
            self._vk.delete_server(server.group_id, server.id)
            return True
        if text.startswith("version "):
            version = text.removeprefix("version ").strip()
            self._vk.put_server(replace(server, api_version=version))
            return True
        return text == "ok"

    def _update_server_status(self, server: CallbackServer, is_accepted: bool) -> None:
        """Update the server's error count and status.

        At MAX_CONSECUTIVE_ERRORS it becomes `failed` and gets no new events until an attempt
        succeeds.
        """
        current = self._vk.servers.get((server.group_id, server.id))
        if (
            current is None
            or current.status not in ("ok", "failed")
            or (is_accepted and not current.error_count)
        ):
            return
        error_count = 0 if is_accepted else current.error_count + 1
        status = (
            "failed"
            if error_count >= MAX_CONSECUTIVE_ERRORS
            else "ok"
            if is_accepted
            else current.status
        )
        failed_at_us = time_util.system_clock() if status == "failed" else 0
        self._vk.put_server(
            replace(current, error_count=error_count, status=status, failed_at_us=failed_at_us)
        )

    async def _request_confirmation(self, server: CallbackServer) -> bool:
        code = self._vk.communities[server.group_id].confirmation_code
        body = {"type": "confirmation", "group_id": server.group_id, "v": server.api_version}
        body["event_id"] = secrets.token_hex(20)
        if server.secret:
            body["secret"] = server.secret
        status, text, _ = await self._post(server.url, msgspec.json.encode(body).decode(), 0)
        current = self._vk.servers.get((server.group_id, server.id))
        is_correct = status == "200" and text == code
        if current is not None and is_correct and current.url == server.url:
            self._vk.put_server(replace(current, status="ok", error_count=0))
        return is_correct or current is None

    async def _retry_confirmation(self, server: CallbackServer) -> None:
        for delay_s in RETRY_DELAYS_S:
            await asyncio.sleep(self._scale_delay(delay_s, server.group_id))
            current = self._vk.servers.get((server.group_id, server.id))
            if current is None or current.status != "wait" or current.url != server.url:
                return
            if await self._request_confirmation(current):
                return
        if (current := self._vk.servers.get((server.group_id, server.id))) is not None:
            self._vk.put_server(replace(current, status="failed"))

    async def _post(self, url: str, body: str, retry_number: int) -> tuple[str, str, float]:
        """Return the HTTP status or the exception name, the body, and the requested delay in
        seconds.
        """
        if self._client is None:
            # A developer's address has no certificate from a public authority.
            self._client = httpx.AsyncClient(verify=False, timeout=RESPONSE_TIMEOUT_S)  # noqa: S501
        headers = {"Content-Type": "application/json", "User-Agent": "VK-sandbox"}
        if retry_number:
            headers["X-Retry-Counter"] = str(retry_number)
        try:
            response = await self._client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__, "", 0.0
        retry_after = response.headers.get("retry-after", "")
        has_retry_after = response.status_code in RETRY_AFTER_STATUSES and retry_after.isdecimal()
        return (
            str(response.status_code),
            response.text.strip(),
            float(min(int(retry_after), MAX_RETRY_AFTER_S)) if has_retry_after else 0.0,
        )


def _new_delivery(server: CallbackServer, event_type: str, object_json: Any) -> EventDelivery:
    event_id = secrets.token_hex(20)
    event_body = event_json(server.group_id, event_type, object_json, event_id, server.api_version)
    if server.secret:
        event_body["secret"] = server.secret
    return EventDelivery(
        id=event_id,
        group_id=server.group_id,
        server_id=server.id,
        ordering_key=event_ordering_key(event_type, object_json),
        type=event_type,
        body=msgspec.json.encode(event_body).decode(),
        created_at_us=time_util.system_clock(),
    )
