"""What a search of lists may not say: whose initials these are, and a part for the whole."""

from dataclasses import replace

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.customers.customer import IdentityKind, NameSource
from sigma.domain.customers.joining import Contact
from sigma.domain.errors import RefusedError
from sigma.domain.lists.filters import parse_invoice_filter, parse_payment_filter
from sigma.services.customers import customer_views
from sigma.services.customers.attachment import OfferedName, attach
from sigma.services.lists import invoices, payments
from sigma.services.lists.selection import MAX_FOUND_CUSTOMERS
from tests.conversation_invoices import issue_invoice, pay_invoice, start_conversation
from tests.vk_world import VkWorld
from tests.world import World


async def test_vk_id_finds_rows_only_for_a_role_that_sees_whose_they_are(
    vk_world: VkWorld,
) -> None:
    ctx, reader = vk_world.ctx, vk_world.member
    await start_conversation(vk_world)
    invoice = await issue_invoice(vk_world)
    payment = await pay_invoice(vk_world, invoice)
    viewer = replace(reader, role=Role.VIEWER)
    for text in ("{}", "id{}", "vk.com/id{}"):
        query = {"q": [text.format(vk_world.client_id)]}
        wanted, _ = parse_invoice_filter(query)
        found = await invoices.list_page(ctx, reader, wanted)
        assert [row.invoice.id for row in found.data] == [invoice.id], text
        assert (await invoices.list_page(ctx, viewer, wanted)).data == [], text
        assert (await invoices.totals(ctx, viewer, wanted)).count == 0, text
        of_payments, _ = parse_payment_filter(query)
        paid = await payments.list_page(ctx, reader, of_payments)
        assert [row.payment.id for row in paid.data] == [payment.id], text
        assert (await payments.list_page(ctx, viewer, of_payments)).data == [], text
        assert (await payments.totals(ctx, viewer, of_payments)).count == 0, text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ACCOUNTANT])
async def test_masked_role_cannot_search_customers(world: World, role: Role) -> None:
    await world.start_payment()
    masked = replace(world.member, role=role)
    assert len((await customer_views.list_page(world.ctx, masked)).data) == 1
    for query, tag in (("client@example.net", ""), ("Ива", ""), ("", "vip")):
        with pytest.raises(RefusedError) as refused:
            await customer_views.list_page(world.ctx, masked, query=query, tag=tag)
        assert refused.value.code == "forbidden", (query, tag)


async def test_totals_of_a_search_that_leaves_out_clients_are_not_exact(world: World) -> None:
    """Otherwise an accountant would take the sum of the newest clients for that of all."""
    wanted, _ = parse_payment_filter({"q": ["Анна"]})
    invoice_filter, _ = parse_invoice_filter({"q": ["Анна"]})
    name = OfferedName("Анна Орлова", NameSource.MEMBER)
    for count, is_exact in ((MAX_FOUND_CUSTOMERS - 1, True), (1, False)):
        async with world.ctx.db.write() as tx:
            for n in range(count):
                contact = Contact(IdentityKind.EMAIL, f"{count}-{n}@example.net")
                await attach(world.ctx, tx, world.shop.id, [contact], name=name)
        found = await payments.totals(world.ctx, world.member, wanted)
        assert found.is_exact is is_exact
        of_invoices = await invoices.totals(world.ctx, world.member, invoice_filter)
        assert of_invoices.is_exact is is_exact
