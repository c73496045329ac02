"""Notices to merchants: sent at once, retried with growing pauses for a day, not signed.

Source: https://yookassa.ru/developers/using-api/webhooks. YooKassa does not publish its retry
intervals; here the pause doubles up to one hour.
"""

import asyncio
from typing import Any

import httpx
import msgspec
from msgspec.structs import replace

from sigma_sandbox import time_util
from sigma_sandbox.bank.store import Bank, Delivery, DeliveryAttempt, Json, Shop
from sigma_sandbox.faults import Effect

FIRST_RETRY_MS = 10_000
MAX_RETRY_MS = 3_600_000
RESPONSE_TIMEOUT_S = 10.0


class NoticeSender:
    """Delivers notices, one asyncio task per notice. Undelivered notices survive a restart."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._batches: dict[str, list[Delivery]] = {}
        bank.on_event = self.enqueue

    def enqueue(self, shop: Shop, event: str, object_json: Json) -> None:
        """Store a notice with the object's current JSON and start its delivery.

        Does nothing if the shop has no notification URL or is not subscribed to the event.
        """
        faults = self._bank.faults
        if shop.notification_url is None or event not in shop.events:
            return
        if faults.consume(Effect.NOTICES_OFF, event, shop.id):
            return
        notice = {"type": "notification", "event": event, "object": object_json}
        delivery = Delivery(
            id=self._bank.new_id(shop.id, "0017-5000-b000"),
            shop_id=shop.id,
            url=shop.notification_url,
            event=event,
            object_id=object_json["id"],
            body=msgspec.json.encode(notice).decode(),
            created_at_us=time_util.system_clock(),
        )
        self._bank.put_delivery(delivery)
        window_ms = faults.consume(Effect.NOTICES_REORDER_MS, event, shop.id)
        if window_ms is None:
            self._start_task(self._deliver(delivery))
        else:
            self._add_to_batch(delivery, window_ms)

    def resume(self) -> None:
        """Restart the delivery of notices that were undelivered when the sandbox stopped."""
        for delivery in self._bank.deliveries.values():
            if delivery.state == "waiting":
                self._start_task(self._deliver(delivery))

    async def close(self) -> None:
        """Cancel all tasks; undelivered notices stay stored for `resume`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _start_task(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _add_to_batch(self, delivery: Delivery, window_ms: int) -> None:
        batch = self._batches.setdefault(delivery.shop_id, [])
        batch.append(delivery)
        if len(batch) == 1:
            self._start_task(self._send_reversed(delivery.shop_id, window_ms))

    async def _send_reversed(self, shop_id: str, window_ms: int) -> None:
        await asyncio.sleep(window_ms / 1000)
        for delivery in reversed(self._batches.pop(shop_id)):
            if not await self._send(delivery):
                self._start_task(self._retry(delivery.id))

    async def _deliver(self, delivery: Delivery) -> None:
        faults = self._bank.faults
        delay_ms = faults.consume(Effect.NOTICES_DELAY_MS, delivery.event, delivery.shop_id)
        await asyncio.sleep((delay_ms or 0) / 1000)
        if not await self._send(delivery):
            await self._retry(delivery.id)

    async def _retry(self, delivery_id: str) -> None:
        delivery = self._bank.deliveries[delivery_id]
        rule_ms = self._bank.faults.peek(Effect.NOTICES_RETRY_MS, delivery.shop_id)
        pause_ms = rule_ms or FIRST_RETRY_MS
        while time_util.system_clock() - delivery.created_at_us < time_util.DAY_US:
            await asyncio.sleep(pause_ms / 1000)
            if await self._send(delivery):
                return
            pause_ms = min(pause_ms * 2, MAX_RETRY_MS)
        self._bank.put_delivery(replace(self._bank.deliveries[delivery_id], state="given_up"))

    async def _send(self, delivery: Delivery) -> bool:
        """POST the notice, with NOTICES_DUPLICATE several copies at once.

        Returns True when at least one copy was answered with 200.
        """
        copies = self._bank.faults.consume(
            Effect.NOTICES_DUPLICATE, delivery.event, delivery.shop_id
        )
        url = self._bank.get_or_create_shop(delivery.shop_id).notification_url or delivery.url
        results = await asyncio.gather(
            *(self._post(url, delivery.body) for _ in range(copies or 1))
        )
        attempted_at_us = time_util.system_clock()
        current = self._bank.deliveries.get(delivery.id, delivery)
        state = "delivered" if "200" in results else "waiting"
        attempts = [
            *current.attempts,
            *(DeliveryAttempt(attempted_at_us, result) for result in results),
        ]
        self._bank.put_delivery(replace(current, url=url, state=state, attempts=attempts))
        return state == "delivered"

    async def _post(self, url: str, body: str) -> str:
        """Return the HTTP status as text, or the class name of the network error."""
        if self._client is None:
            # Like YooKassa, accept self-signed certificates of merchants.
            self._client = httpx.AsyncClient(verify=False, timeout=RESPONSE_TIMEOUT_S)  # noqa: S501
        headers = {"Content-Type": "application/json", "User-Agent": "YooMoney-sandbox"}
        try:
            response = await self._client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        return str(response.status_code)
