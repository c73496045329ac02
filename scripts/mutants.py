"""Remove the guards of money and tenancy one at a time: a test must fail for each.

Each mutant edits one line of a copy of the repository and runs the tests that must fail. Usage:
`make mutants` (takes minutes). Exit code 1 when a mutant survives or its line is gone.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("src", "tests", "docs", "scripts", "pyproject.toml")
# Exit codes of pytest: only "some tests failed" kills a mutant. An error means a wrong test path.
PYTEST_FAILED = 1


@dataclass(frozen=True, slots=True)
class Mutant:
    """One guard, how it is removed, and the tests that must fail then."""

    guard: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "the invoice row is locked while a payment is settled",
        "src/sigma/store/billing/invoices.py",
        'invoices.c.id == bindparam("id")).with_for_update()',
        'invoices.c.id == bindparam("id"))',
        ("tests/services/test_concurrency.py",),
    ),
    Mutant(
        "the response to an idempotency key is stored with the work",
        "src/sigma/store/changes.py",
        "    if change.response is not None:\n",
        "    if False:\n",
        ("tests/web/test_api_http.py", "tests/web/test_api_invoices.py"),
    ),
    Mutant(
        "amount and currency of the acquirer's answer are compared",
        "src/sigma/domain/billing/payment.py",
        "reply.amount != payment.amount:",
        "False:",
        ("tests/domain/test_payment.py",),
    ),
    Mutant(
        "a notice only makes us ask the acquirer",
        "src/sigma/services/billing/acquirer_notices.py",
        "        await payment_services.advance(ctx, payment.id)\n",
        "        pass\n",
        ("tests/services/test_payments.py", "tests/services/test_simultaneous_answers.py"),
    ),
    Mutant(
        "a payment of another shop is not found",
        "src/sigma/services/billing/payments.py",
        "payment is None or payment.shop_id != member.shop_id:",
        "payment is None:",
        ("tests/web/test_access_control.py",),
    ),
    Mutant(
        "answers are masked for members who may not read them",
        "src/sigma/services/billing/payments.py",
        "    if can_read or value is None or isinstance(value, bool):\n",
        "    if True:\n",
        ("tests/web/test_payments.py", "tests/services/test_payments.py"),
    ),
    Mutant(
        "consent is required where personal data is asked",
        "src/sigma/services/checkout/checkout.py",
        "    if _has_personal_questions(invoice) and not form.has_consented:\n",
        "    if False:\n",
        ("tests/services/test_payments.py", "tests/web/test_checkout_pages.py"),
    ),
    Mutant(
        "an invoice past its expiry is listed as expired before its job has run",
        "src/sigma/store/billing/invoices.py",
        'invoices.c.expires_at_us <= bindparam("now_us")',
        'invoices.c.expires_at_us < bindparam("now_us") - bindparam("now_us")',
        ("tests/web/test_invoices.py", "tests/store/test_list_queries.py"),
    ),
    Mutant(
        "refunds never exceed the payment",
        "src/sigma/domain/billing/refund.py",
        "    if amount <= left:\n",
        "    if True:\n",
        ("tests/domain/test_refund.py",),
    ),
    Mutant(
        "a repeated VK event is stored once",
        "src/sigma/store/messaging/vk_events.py",
        'CODEC.to_row(event) | {"version": 1}',
        'CODEC.to_row(event) | {"version": 1, "digest": event.digest + event.id}',
        ("tests/services/test_message_sync.py", "tests/store/test_rows.py"),
    ),
    Mutant(
        "every attempt of a message has the same random_id",
        "src/sigma/services/conversations/delivery.py",
        "body.text, delivery.message.random_id)",
        'body.text, __import__("secrets").randbelow(2**30) + 1)',
        ("tests/services/test_outbox.py", "tests/services/test_messaging_faults.py"),
    ),
    Mutant(
        "the invoice card follows a settled payment",
        "src/sigma/domain/billing/payment.py",
        "    change += invoices.card_refresh(invoice)\n",
        "",
        ("tests/services/test_invoice_cards.py",),
    ),
    Mutant(
        "an auto-reply is decided again under the conversation's lock",
        "src/sigma/services/invoice_cards/auto_reply.py",
        "context.choose_reply(locked) is not reply or await",
        "await",
        ("tests/services/test_guards.py",),
    ),
    Mutant(
        "the account of a connection with payments cannot change",
        "src/sigma/services/billing/connections.py",
        "            if await connections.has_payments(tx, existing.id):\n",
        "            if False:\n",
        ("tests/services/test_guards.py",),
    ),
    Mutant(
        "today begins at midnight in the shop's zone: home page",
        "src/sigma/services/accounts/shops.py",
        "    day = local_date(now_us, shop.tz)\n",
        '    day = local_date(now_us, "UTC")\n',
        ("tests/services/test_dashboard.py",),
    ),
    Mutant(
        "today begins at midnight in the shop's zone: reminder",
        "src/sigma/services/invoice_cards/todo_board.py",
        "local_date(now_us, tz)",
        "local_date(now_us, 'UTC')",
        ("tests/services/test_guards.py",),
    ),
    Mutant(
        "one of two simultaneous first owners is created",
        "src/sigma/services/accounts/users.py",
        "if not await shops.claim_first_shop(tx) or await users.count(tx):",
        "if await users.count(tx):",
        ("tests/services/test_guards.py",),
    ),
    Mutant(
        "a repeat that the first request made impossible gets the first response",
        "src/sigma/services/platform/idempotency.py",
        "        return await _load_stored(ctx, idempotency, refused), True\n",
        "        raise\n",
        ("tests/services/test_guards.py",),
    ),
    Mutant(
        "a repeat that conflicts with the first request gets the first response",
        "src/sigma/services/platform/idempotency.py",
        "        return await _load_stored(ctx, idempotency, conflict), True\n",
        "        raise\n",
        ("tests/services/test_guards.py",),
    ),
    Mutant(
        "limit: guesses of one password are slowed",
        "src/sigma/services/accounts/users.py",
        "        await limiter.require_after_delay(SIGN_IN_ACCOUNT, login)\n",
        "        pass\n",
        ("tests/services/test_sign_in_limits.py",),
    ),
    Mutant(
        "limit: guesses from one address are counted",
        "src/sigma/services/accounts/users.py",
        "    await limiter.require(SIGN_IN_ADDRESS, network)\n",
        "",
        ("tests/services/test_sign_in_limits.py",),
    ),
    Mutant(
        "limit: guesses at all accounts are counted",
        "src/sigma/services/accounts/users.py",
        '    await limiter.require(SIGN_IN_ALL, "")\n',
        "",
        ("tests/services/test_sign_in_limits.py",),
    ),
    Mutant(
        "limit: refused guesses do not close the sign-in of others",
        "src/sigma/services/accounts/users.py",
        '        await limiter.undo(SIGN_IN_ALL, "")  # nothing',
        "        pass  # nothing",
        ("tests/services/test_sign_in_limits.py",),
    ),
    Mutant(
        "limit: a known device is counted apart",
        "src/sigma/services/accounts/users.py",
        "device_id = find_device(ctx, device, login)",
        "device_id: str | None = None",
        ("tests/services/test_sign_in_limits.py",),
    ),
    Mutant(
        "limit: guesses from a known device are slowed",
        "src/sigma/services/accounts/users.py",
        "        await limiter.require_after_delay(SIGN_IN_DEVICE, subject)\n",
        "",
        ("tests/services/test_sign_in_limits.py",),
    ),
    Mutant(
        "limit: a device is known for its own accounts only",
        "src/sigma/services/accounts/devices.py",
        "return device if device and is_known else None",
        "return device or None",
        ("tests/services/test_sign_in_limits.py",),
    ),
    Mutant(
        "limit: a device cookie is signed",
        "src/sigma/services/accounts/devices.py",
        "if not hmac.compare_digest(own_proof.encode(), _proof(ctx, device).encode()):",
        "if False:",
        ("tests/services/test_sign_in_limits.py",),
    ),
    Mutant(
        "limit: wrong old passwords are slowed",
        "src/sigma/services/accounts/users.py",
        "    await ctx.limiter.require_after_delay(OLD_PASSWORD, session.secret_hash)\n",
        "",
        ("tests/services/test_sign_in_limits.py",),
    ),
    Mutant(
        "limit: hashes that wait are bounded",
        "src/sigma/services/passwords.py",
        "if free <= (0 if is_known else RESERVED_FOR_KNOWN):",
        "if False:",
        ("tests/services/test_passwords.py",),
    ),
    Mutant(
        "limit: known devices have reserved hashes",
        "src/sigma/services/passwords.py",
        "(0 if is_known else RESERVED_FOR_KNOWN)",
        "0",
        ("tests/services/test_passwords.py",),
    ),
    Mutant(
        "limit: payment starts of an address are counted",
        "src/sigma/services/checkout/checkout.py",
        "        await ctx.limiter.require(PAYMENT_START_ADDRESS, client_network(form.ip))\n",
        "",
        ("tests/services/test_payment_floods.py",),
    ),
    Mutant(
        "limit: payment starts of an invoice are counted",
        "src/sigma/services/checkout/checkout.py",
        "        await ctx.limiter.require(start_limit(public.invoice), public.invoice.id)\n",
        "",
        ("tests/services/test_payment_floods.py",),
    ),
    Mutant(
        "limit: unfinished payments of an invoice are bounded",
        "src/sigma/services/checkout/checkout.py",
        "        await _require_room(tx, invoice, now_us)\n",
        "        pass\n",
        ("tests/services/test_payment_floods.py",),
    ),
    Mutant(
        "limit: a refused client is led to the own open payment",
        "src/sigma/services/checkout/checkout.py",
        'if refused.code != "too_many_requests" or own is None:',
        "if True:",
        ("tests/services/test_payment_floods.py",),
    ),
    Mutant(
        "limit: a notice URL has a secret",
        "src/sigma/services/billing/acquirer_notices.py",
        "if not expected or not hmac.compare_digest(token.encode(), expected.encode()):",
        "if not expected:",
        ("tests/web/test_acquirer_hook.py",),
    ),
    Mutant(
        "limit: notices of a connection are counted",
        "src/sigma/services/billing/acquirer_notices.py",
        "    await ctx.limiter.require(NOTICES, connection.id)\n",
        "",
        ("tests/web/test_acquirer_hook.py",),
    ),
    Mutant(
        "limit: refused hook requests are counted",
        "src/sigma/web/hooks/refusals.py",
        "            await ctx.limiter.require(HOOK_REFUSALS, client_network(ip))\n",
        "",
        ("tests/web/test_acquirer_hook.py",),
    ),
    Mutant(
        "limit: notices about unknown payments are deleted soon",
        "src/sigma/services/billing/acquirer_notices.py",
        "UNMATCHED_NOTICE_TTL_US if payment is None else NOTICE_TTL_US",
        "NOTICE_TTL_US",
        ("tests/web/test_acquirer_hook.py",),
    ),
    Mutant(
        "limit: events of a community are counted",
        "src/sigma/services/communities/event_intake.py",
        "    await ctx.limiter.require(VK_EVENTS, connection.id)\n",
        "",
        ("tests/web/test_vk_callback.py",),
    ),
    Mutant(
        "limit: requests of an API key are refused above the limit",
        "src/sigma/web/api/http.py",
        "    if usage.is_exceeded:\n",
        "    if False:\n",
        ("tests/web/test_api_rate_limit.py",),
    ),
    Mutant(
        "limit: wrong API keys are counted",
        "src/sigma/web/api/http.py",
        "        await _count_request(request, ctx, API_REFUSALS, client_network(ip))\n",
        "",
        ("tests/web/test_api_rate_limit.py",),
    ),
    Mutant(
        "limit: receipts sent by hand are counted per payment",
        "src/sigma/services/billing/mails.py",
        "    if payment_id:\n        usage = ",
        "    if False:\n        usage = ",
        ("tests/web/test_limit_pages.py",),
    ),
    Mutant(
        "limit: mails by hand are counted per shop",
        "src/sigma/services/billing/mails.py",
        "    usage = await ctx.limiter.count(_shop_limit(ctx), shop_id)\n    if usage.is_exceeded:",
        "    usage = await ctx.limiter.count(_shop_limit(ctx), shop_id)\n    if False:",
        ("tests/web/test_limit_pages.py",),
    ),
    Mutant(
        "limit: concurrent attempts never exceed a limit",
        "src/sigma/store/rate_counters.py",
        'or_(_is_expired, rate_counters.c.count < _number("amount"))',
        'or_(_is_expired, _number("amount") > 0)',
        ("tests/services/test_rate_limits.py",),
    ),
    Mutant(
        "limit: concurrent attempts get no free ones",
        "src/sigma/store/rate_counters.py",
        'or_(_is_expired, rate_counters.c.count == _number("expected_count"))',
        'or_(_is_expired, _number("expected_count") >= 0)',
        ("tests/services/test_rate_limits.py",),
    ),
    Mutant(
        "limit: an IPv6 client is its /64 network",
        "src/sigma/services/limits.py",
        "ip_network((address, 64), strict=False)",
        "ip_network((address, 128), strict=False)",
        ("tests/services/test_rate_limits.py",),
    ),
    Mutant(
        "limit: every kind of answer is masked",
        "src/sigma/services/billing/payment_details.py",
        "values.get(q.key) if can_read else MASK",
        "values.get(q.key)",
        ("tests/services/test_payments.py",),
    ),
    Mutant(
        "limit: a body that stops on its way ends",
        "src/sigma/web/request_timeouts.py",
        "asyncio.timeout_at(deadline_s)",
        "asyncio.timeout_at(None)",
        ("tests/web/test_request_timeouts.py",),
    ),
    Mutant(
        "limit: headers that stop on their way end",
        "src/sigma/web/request_timeouts.py",
        "            self._timer = self.loop.call_later(self.headers_timeout_s, self._end)\n",
        "            pass\n",
        ("tests/web/test_request_timeouts.py",),
    ),
    Mutant(
        "limit: the first owner's password is not hashed for strangers",
        "src/sigma/services/accounts/users.py",
        "    if not await needs_owner(ctx):  # before the hash",
        "    if False:  # before the hash",
        ("tests/web/test_setup.py",),
    ),
)


def run_tests(folder: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run tests in the copy; its sources win over the installed package."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True
    )


def main() -> int:
    """Run the mutants, or those whose guard contains a word; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.mutants", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only guards that contain this text")
    word = parser.parse_args().word
    survivors = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in COPIED:
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / name)
        for mutant in MUTANTS:
            if word not in mutant.guard:
                continue
            path = folder / mutant.path
            original = path.read_text()
            if original.count(mutant.old) != 1:
                print(f"outdated  {mutant.guard}: the line is not in {mutant.path} exactly once")
                survivors += 1
                continue
            path.write_text(original.replace(mutant.old, mutant.new))
            result = run_tests(folder, mutant.tests)
            path.write_text(original)
            is_killed = result.returncode == PYTEST_FAILED
            survivors += not is_killed
            failed = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
            print(f"{'killed  ' if is_killed else 'SURVIVED'}  {mutant.guard}", flush=True)
            print(f"          {failed[0] if failed else result.stdout[-300:]}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
