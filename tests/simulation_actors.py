"""The actors of a simulation: clients, the owner, the bank's notices, workers that may crash."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from sigma import worker
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Attention, Payment, Status
from sigma.domain.errors import RefusedError
from sigma.domain.idempotency import Idempotency, render_id
from sigma.domain.money import Money
from sigma.providers.base import UnknownOutcomeError
from sigma.services.billing import acquirer_notices, connections, invoices, mails, payments, refunds
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm
from sigma.services.context import Context
from sigma.services.platform.idempotency import run_once
from sigma.store.schema.tables import mails as mail_rows
from sigma.store.schema.tables import payments as payment_rows
from sigma.store.schema.tables import refunds as refund_rows
from sigma.store.schema.tables import timeline_events
from sigma_sandbox.bank import serializers
from tests.crash_injection import CrashPlan, ProcessKilledError, with_crash_plan
from tests.reconciliation import fetch_rows, load_reconciliation
from tests.simulation_bank import refund_at_bank
from tests.simulation_script import Action, Script
from tests.world import World

MINUTE_US = 60_000_000
# Long enough for everything in progress to end: job leases, unpaid payments, holds of a week,
# idempotency keys of a day.
RECOVERY_WAITS_S = (0, 30, 200, 1000, 4200, 4200, 8 * 86_400, 1000, 30 * 3600, 4200, 4200)


async def count_events(world: World) -> Counter[str]:
    """Count the shop's timeline events by kind."""
    return Counter(
        event["kind"] for event in await fetch_rows(world.ctx.db, timeline_events, world.shop.id)
    )


class Actors:
    """Run one script against one shop.

    Remembers what users were shown (captured payments, accepted refunds): it must stay true.
    """

    def __init__(self, world: World, script: Script) -> None:
        self.world = world
        self.script = script
        self.log: list[str] = []
        self.action_number = 0
        self.bank_offset_s = 0
        self.has_valid_key = True
        self.invoices: list[Invoice] = []
        self.known_payments: dict[str, Payment] = {}  # client → the payment as it last appeared
        self.pending_notices: list[tuple[str, bytes]] = []
        self.queued_notices: set[tuple[str, str]] = set()
        self.known_captured_ids: set[str] = set()
        self.accepted_refund_ids: set[str] = set()
        self.event_counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Run all actions of the script."""
        amounts_minor = (150_000, 99_900, 100, 700_050)
        limits = zip(self.script.max_payments, self.script.expiry_minutes, strict=True)
        for amount_minor, (limit, minutes) in zip(amounts_minor, limits, strict=True):
            expires_at_us = None if minutes is None else self.world.clock() + minutes * MINUTE_US
            terms = {"max_payments": limit, "expires_at_us": expires_at_us}
            self.invoices.append(await self.world.create_invoice(amount_minor, **terms))
        for action in self.script.actions:
            self.action_number += 1
            self.log.append(f"{self.action_number:2} {action}")
            await self.perform(action)
            self.collect_notices()

    async def perform(self, action: Action) -> None:
        """Perform one action."""
        performers: dict[str, Callable[[Action], Awaitable[None]]] = {
            "visit": self.visit,
            "click": self.start_payment,
            "tabs": self.pay_in_two_tabs,
            "pay": self.pay,
            "return": self.return_to_shop,
            "notice": self.deliver_notice,
            "run_workers": self.run_workers,
            "refund": self.refund,
            "refund_at_bank": partial(refund_at_bank, self),
            "capture_or_cancel": self.capture_or_cancel,
            "api_fault": self.set_api_fault,
            "bank_behaviour": self.set_bank_behaviour,
            "advance_clock": self.perform_advance_clock,
            "void": self.void,
            "toggle_key": self.toggle_key,
            "resend_receipt": self.resend_receipt,
            "refresh_payment": self.refresh_payment,
        }
        await performers[action.kind](action)

    # --- processes and concurrency ---

    def process(self, action: Action | None = None) -> Context:
        """Return a context that shares no memory with others; it crashes where the action says."""
        ctx = replace(self.world.ctx, in_flight=set())
        return (
            with_crash_plan(ctx, CrashPlan(action.crash_at_step))
            if action and action.crash_at_step
            else ctx
        )

    def processes(self, action: Action, count: int) -> Iterator[Context]:
        """Return several processes; only the first may crash."""
        return (self.process(None if n else action) for n in range(count))

    async def gather(self, *calls: Awaitable[Any]) -> list[Any]:
        """Run calls concurrently; a failed call gives None.

        Refusals, unknown outcomes and injected crashes are expected; other errors are raised.
        """
        results = await asyncio.gather(*calls, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                if not isinstance(result, RefusedError | UnknownOutcomeError | ProcessKilledError):
                    raise result
                self.log.append(f"     {type(result).__name__} {result}")
        return [None if isinstance(result, BaseException) else result for result in results]

    def pick(self, items: list[Any], action: Action) -> Any:
        """Choose one of `items` by the fraction `which` of the action; None if there are none."""
        return items[int(action.params["which"] * 0.999 * len(items))] if items else None

    async def list_payments(self, *statuses: Status) -> list[dict[str, Any]]:
        """Return the shop's payment rows with these statuses, oldest first."""
        stored = await fetch_rows(self.world.ctx.db, payment_rows, self.world.shop.id)
        return sorted((p for p in stored if p["status"] in statuses), key=lambda p: str(p["id"]))

    # --- clients ---

    def pay_form(self, client: str) -> PayForm:
        return replace(self.world.pay_form(client), nonce=f"{self.action_number} {client}")

    async def start_payment(self, action: Action) -> None:
        client, token = action.params["client"], self.invoices[action.params["invoice"]].token
        form, clicks = self.pay_form(client), action.params["clicks"]
        started = await self.gather(
            *(checkout.start(ctx, token, form) for ctx in self.processes(action, clicks))
        )
        # A click may have resumed an older payment, which another click found to be failed.
        ended = await self.list_payments(Status.FAILED, Status.CANCELED)
        live_ids = {payment.id for payment in started if payment} - {row["id"] for row in ended}
        assert len(live_ids) <= 1, "one form made two payments"
        for payment in filter(None, started):
            self.remember_payment(client, payment)

    def remember_payment(self, client: str, payment: Payment) -> None:
        """Remember what a page showed to the client."""
        self.known_payments[client] = payment
        if payment.status is Status.CAPTURED:
            self.known_captured_ids.add(payment.id)

    async def pay(self, action: Action) -> None:
        payment = self.known_payments.get(action.params["client"])
        if payment is not None and payment.confirmation_url:
            await self.pay_at_bank(payment, action.params["card"])

    async def pay_at_bank(self, payment: Payment, card: str) -> None:
        url = f"{self.world.sandbox.base_url}/bank/test/payments/{payment.provider_id}/pay"
        answer = await self.world.http.post(url, json={"card": card})
        assert answer.status_code in (200, 409), answer.text

    async def return_from_bank(self, ctx: Context, client: str) -> None:
        payment = self.known_payments.get(client)
        if payment is not None:
            self.remember_payment(client, (await checkout.refresh(ctx, payment.token)).payment)

    async def return_to_shop(self, action: Action) -> None:
        times, client = action.params["times"], action.params["client"]
        await self.gather(
            *(self.return_from_bank(ctx, client) for ctx in self.processes(action, times))
        )

    async def visit(self, action: Action) -> None:
        await self.start_payment(action)
        await self.pay(action)
        await self.return_to_shop(replace(action, crash_at_step=0))

    async def pay_in_two_tabs(self, action: Action) -> None:
        """Two clients with one link pay at the same time."""
        token = self.invoices[action.params["invoice"]].token
        pair = ("anna", "boris")
        forms = [self.pay_form(client) for client in pair]
        started = await self.gather(
            *(checkout.start(self.process(), token, form) for form in forms)
        )
        for client, payment in zip(pair, started, strict=True):
            if payment is not None:
                self.remember_payment(client, payment)
                if payment.confirmation_url:
                    await self.pay_at_bank(payment, action.params["card"])
        await self.gather(*(self.return_from_bank(self.process(), client) for client in pair * 2))

    # --- the bank and its notices ---

    def collect_notices(self) -> None:
        """Queue a notice for each new state at the bank, each state once."""
        bank, account = self.world.sandbox.bank, self.world.account
        now_us = bank.now_us(account)
        for payment in bank.list_payments(account):
            if payment.status != "pending":
                body = serializers.payment_json(payment, bank.base_url, now_us)
                self.queue_notice(f"payment.{payment.status}", body)
            for refund in bank.list_refunds(payment.id):
                if refund.status == "succeeded":
                    self.queue_notice("refund.succeeded", serializers.refund_json(refund, now_us))

    def queue_notice(self, event: str, body: dict[str, Any]) -> None:
        if (event, body["id"]) not in self.queued_notices:
            self.queued_notices.add((event, body["id"]))
            notice = {"type": "notification", "event": event, "object": body}
            self.pending_notices.append((event, msgspec.json.encode(notice)))

    async def deliver_notice(self, action: Action) -> None:
        queued = self.pick(self.pending_notices, action)
        if queued is None:
            return
        if action.params["fate"] != "delivered_again_later":
            self.pending_notices.remove(queued)
        if action.params["fate"] != "dropped":
            await self.gather(
                *(
                    self.process_notice(ctx, queued[1])
                    for ctx in self.processes(action, action.params["copies"])
                )
            )

    async def process_notice(self, ctx: Context, body: bytes) -> None:
        await acquirer_notices.accept(ctx, self.world.connection, body)
        await worker.run_due_jobs(ctx, 3)

    async def set_api_fault(self, action: Action) -> None:
        rule = {"on": action.params["on"], "times": action.params["times"]}
        self.inject_faults(**{action.params["effect"]: rule})

    async def set_bank_behaviour(self, action: Action) -> None:
        if action.params["effect"] == "reset":
            self.reset_faults()
        else:
            self.inject_faults(**{action.params["effect"]: {"times": action.params["times"]}})

    def inject_faults(self, **rules: Any) -> None:
        self.world.sandbox.faults.update({"shop": self.world.account, **rules})

    def reset_faults(self) -> None:
        """Remove all faults of the bank; keep its clock offset."""
        self.world.sandbox.faults.reset(self.world.account)
        self.inject_faults(clock_offset_s=self.bank_offset_s)

    async def perform_advance_clock(self, action: Action) -> None:
        self.advance_clock(action.params["seconds"])

    def advance_clock(self, seconds: int) -> None:
        """Advance the clocks of Sigma and of the bank together."""
        self.world.clock.advance(seconds=seconds)
        self.bank_offset_s += seconds
        self.inject_faults(clock_offset_s=self.bank_offset_s)

    # --- the shop ---

    async def run_workers(self, action: Action) -> None:
        await self.gather(
            *(
                worker.run_due_jobs(ctx, 60)
                for ctx in self.processes(action, action.params["workers"])
            )
        )

    async def refund(self, action: Action) -> None:
        paid = self.pick(await self.list_payments(Status.CAPTURED), action)
        if paid is None:
            return
        key = f"{self.action_number}" if action.params["one_key"] else ""
        calls = []
        for n, percent in enumerate(action.params["percents"]):
            share = action.params["percents"][0] if key else percent
            amount = Money(max(paid["amount_minor"] * share // 100, 1))
            ctx = self.process(None if n else action)
            calls.append(
                self.request_refund(ctx, paid["id"], amount, key or f"{self.action_number}-{n}")
            )
        accepted = {refund for refund in await self.gather(*calls) if refund}
        assert not key or len(accepted) <= 1, "one key made two refunds"
        self.accepted_refund_ids |= accepted
        # Check now: later the bank declines what is over the amount and hides the fault.
        reconciliation = await load_reconciliation(self.world, reads_bank=False)
        mismatches = list(reconciliation.find_over_refunded())
        assert not mismatches, mismatches

    async def request_refund(self, ctx: Context, payment_id: str, amount: Money, key: str) -> str:
        member, fingerprint = self.world.member, f"{payment_id} {amount.minor}"
        idempotency = Idempotency(member.shop_id, key, fingerprint, 201, render_id)
        response, _ = await run_once(
            ctx,
            idempotency,
            lambda: refunds.request(ctx, member, payment_id, amount, "", idempotency=idempotency),
        )
        return response.body

    async def capture_or_cancel(self, action: Action) -> None:
        authorized = self.pick(await self.list_payments(Status.AUTHORIZED), action)
        if authorized is None:
            return
        run = {"capture": payments.capture, "cancel": payments.cancel}
        await self.gather(
            *(
                run[name](self.process(None if n else action), self.world.member, authorized["id"])
                for n, name in enumerate(action.params["operations"])
            )
        )

    async def void(self, action: Action) -> None:
        invoice = self.invoices[action.params["invoice"]]
        await self.gather(invoices.void(self.process(action), self.world.member, invoice.id))

    async def toggle_key(self, _: Action) -> None:
        """The owner saves a wrong secret of the acquirer, or the right one again."""
        self.has_valid_key = not self.has_valid_key
        saved = await connections.get(self.world.ctx, self.world.member, self.world.connection.id)
        await connections.save(
            self.world.ctx,
            self.world.member,
            saved.id,
            provider=saved.provider,
            title=saved.title,
            account=saved.account,
            secret="test_secret" if self.has_valid_key else "wrong",
            settings=saved.settings,
        )

    async def resend_receipt(self, action: Action) -> None:
        paid = self.pick(await self.list_payments(Status.CAPTURED), action)
        if paid is not None:
            await self.gather(mails.resend(self.world.ctx, self.world.member, paid["id"]))

    async def refresh_payment(self, action: Action) -> None:
        payment = self.pick(await self.list_payments(*Status), action)
        if payment is not None:
            call = payments.refresh(self.process(action), self.world.member, payment["id"])
            await self.gather(call)

    # --- recovery and checks ---

    async def recover(self) -> None:
        """Remove all faults, let every timeout pass, refresh flagged payments as the owner does."""
        if not self.has_valid_key:
            await self.toggle_key(Action("toggle_key"))
        self.reset_faults()
        for seconds in RECOVERY_WAITS_S:
            self.advance_clock(seconds)
            await worker.run_due_jobs(self.world.ctx)
            for payment in await self.list_payments(*Status):
                flags = (Attention.MISMATCH, Attention.CONTRADICTION)
                if payment["attention"] in flags or payment["status"] == Status.CAPTURED:
                    await self.gather(
                        payments.refresh(self.world.ctx, self.world.member, payment["id"])
                    )

    async def find_mismatches(self, sent_message_ids: list[str]) -> list[str]:
        """Return one sentence for each mismatch between Sigma, the bank, the users and the mails.

        `sent_message_ids` holds the Message-IDs that the mail server accepted.
        """
        reconciliation = await load_reconciliation(self.world)
        mismatches = reconciliation.find_mismatches(allow_resent_receipts=True)
        self.event_counts = await count_events(self.world)
        captured = {payment["id"] for payment in reconciliation.captured_payments}
        mismatches += [
            f"{payment_id} was shown as paid and is not"
            for payment_id in self.known_captured_ids - captured
        ]
        db, shop_id = self.world.ctx.db, self.world.shop.id
        stored_refunds = {row["id"] for row in await fetch_rows(db, refund_rows, shop_id)}
        mismatches += [
            f"{refund_id} was accepted and is not stored"
            for refund_id in self.accepted_refund_ids - stored_refunds
        ]
        sent = {
            f"<{mail['id']}@127.0.0.1>"
            for mail in await fetch_rows(db, mail_rows, shop_id)
            if mail["status"] == "sent"
        }
        if sent != set(sent_message_ids):
            mismatches.append("the mails marked as sent differ from the mails that were sent")
        return mismatches
