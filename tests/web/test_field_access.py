"""docs/security/field-access.md covers every table, and its rules are those of the code."""

import re
from collections import Counter
from contextlib import suppress
from dataclasses import replace

from sigma.domain.accounts.member import Permission
from sigma.domain.billing import invoice, payment, payment_actions, refund
from sigma.domain.errors import RefusedError
from sigma.domain.messaging import message
from sigma.domain.money import Money
from sigma.services.conversations import outbox
from sigma.store.schema.all_tables import ALL_TABLES
from tests.docs.markdown import read, section, table_rows
from tests.vk_world import VkWorld
from tests.world import World

PAGE = read("docs/security/field-access.md")
BY_RIGHT = table_rows(section(PAGE, "By right"))[1:]
BY_STATUS = {(row[0], row[1]): row for row in table_rows(section(PAGE, "By status"))[1:]}
TOKEN = re.compile(r"`([^`]+)`")


def names(cell: str) -> list[str]:
    """Return the names of a cell. `table_rows` removes the backticks of a single one."""
    return TOKEN.findall(cell) or re.findall(r"^[a-z_]+$", cell)


def allowed(thing: str, action: str) -> set[str]:
    return set(names(BY_STATUS[thing, action][3]))


def new_id(kind: str) -> str:
    return f"{kind}_x"


def test_every_table_is_covered() -> None:
    documented = Counter(name for row in BY_RIGHT for name in names(row[4]))
    assert set(documented) == set(ALL_TABLES.tables)


def test_rights_exist_and_each_is_used() -> None:
    cells = [cell for row in BY_RIGHT for cell in row[2:4]]
    cells += [row[2] for row in BY_STATUS.values()]
    used = {name for cell in cells for name in TOKEN.findall(cell) or names(cell)}
    used -= {"nobody"}
    assert used - set(Permission) <= {"own"}
    assert set(Permission) - used == set()


def test_invoice_is_issued_and_voided_as_documented() -> None:
    for action, event in (("issue", invoice.Event.ISSUED), ("void", invoice.Event.VOIDED)):
        statuses = {str(status) for status, row in invoice.FLOW.items() if event in row}
        assert statuses == allowed("invoice", action)


async def test_invoice_is_paid_as_documented(world: World) -> None:
    issued = await world.create_invoice()
    payable = set()
    for status in invoice.Status:
        count = 1 if status is invoice.Status.PAID else 0
        one = replace(issued, status=status, paid_count=count)
        with suppress(RefusedError):
            invoice.require_payable(one, world.ctx.now_us(), 0)
            payable.add(str(status))
    assert payable == allowed("invoice", "pay")


async def test_payment_actions_are_allowed_as_documented(world: World) -> None:
    started = await world.start_payment()
    refused: set[tuple[str, str]] = set()
    for status in payment.Status:
        one = replace(started, status=status)
        try:
            payment_actions.request_action(one, "capture", "key", 1, new_id, "usr_x")
        except RefusedError:
            refused.add(("capture or release the held money", str(status)))
        try:
            refund.request(
                one, (), Money(100), "", operation_key="k", now_us=1, new_id=new_id, actor="usr_x"
            )
        except RefusedError:
            refused.add(("refund", str(status)))
    for action in ("capture or release the held money", "refund"):
        statuses = {str(one) for one in payment.Status if (action, str(one)) not in refused}
        assert statuses == allowed("payment", action)


async def test_message_is_sent_again_as_documented(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    queued = {str(s) for s, after in message.FLOW.items() if message.Status.QUEUED in after}
    assert queued - {"queued"} == allowed("message", "send again")
    posted = await vk_world.post_message("Добрый день")
    await vk_world.run_jobs()
    await outbox.retry(vk_world.ctx, vk_world.member, posted.id)
    await vk_world.run_jobs()
    assert (await vk_world.vk_texts()).count("Добрый день") == 1, "a sent one stays as it is"
