"""Remove the guards of money and tenancy one at a time: a test must fail for each.

Each mutant edits one line of a copy of the repository and runs the tests that must fail. Usage:
`make mutants` (takes minutes). Exit code 1 when a mutant survives. `tests/test_mutants.py` fails
when the line of a mutant is gone.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.limit_mutants import LIMIT_MUTANTS
from scripts.mutant import Mutant
from scripts.notification_mutants import NOTIFICATION_MUTANTS
from scripts.people_mutants import PEOPLE_MUTANTS
from scripts.reminder_mutants import REMINDER_MUTANTS
from scripts.sign_in_mutants import SIGN_IN_MUTANTS

ROOT = Path(__file__).parents[1]
COPIED = ("src", "tests", "docs", "scripts", "pyproject.toml")
# By the exit code of pytest. Any other one means that the tests could not run at all.
VERDICTS = {0: "SURVIVED", 1: "killed"}


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
        "src/sigma/services/billing/payment_details.py",
        "    can_read = member.can(Permission.READ_ANSWERS)\n",
        "    can_read = True\n",
        ("tests/web/test_payments.py", "tests/services/test_payments.py"),
    ),
    Mutant(
        "consent is required where personal data is asked",
        "src/sigma/services/checkout/checkout.py",
        "    if not form.has_consented:\n",
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
        "src/sigma/domain/reports/periods.py",
        "    today = local_date(now_us, tz)\n",
        '    today = local_date(now_us, "UTC")\n',
        ("tests/domain/test_reports.py",),
    ),
    Mutant(
        "today begins at midnight in the shop's zone: reminder",
        "src/sigma/services/reminders/facts.py",
        "local_date(now_us, tz)",
        "local_date(now_us, 'UTC')",
        ("tests/services/test_guards.py",),
    ),
    Mutant(
        "one of two simultaneous first owners is created",
        "src/sigma/services/accounts/first_owner.py",
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
    *LIMIT_MUTANTS,
    *NOTIFICATION_MUTANTS,
    *REMINDER_MUTANTS,
    *PEOPLE_MUTANTS,
    *SIGN_IN_MUTANTS,
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
            path.write_text(original.replace(mutant.old, mutant.new))
            result = run_tests(folder, mutant.tests)
            path.write_text(original)
            verdict = VERDICTS.get(result.returncode, "BROKEN")
            survivors += verdict != "killed"
            failed = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
            output = (result.stdout + result.stderr)[-300:]
            print(f"{verdict:<9} {mutant.guard}", flush=True)
            print(f"          {failed[0] if failed else output}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
