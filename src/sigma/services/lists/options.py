"""What a filter of a list can be set to: the shop's connections, services, members, questions."""

from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.question import BUILT_IN_KINDS, Question
from sigma.services.context import Context
from sigma.store.accounts import api_keys, members
from sigma.store.billing import connections
from sigma.store.catalogue import services

METHODS = ("card", "sbp", "sberbank", "tinkoff_bank", "yoo_money", "mobile_balance")


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """Pairs of value and name. `questions`: own ones of services, without the built-in ones."""

    connections: list[tuple[str, str]]
    services: list[tuple[str, str]]
    members: list[tuple[str, str]]
    questions: list[Question]


async def list_options(ctx: Context, member: Member) -> FilterOptions:
    """Return the options of the shop's lists."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        own_connections = await connections.list_for_shop(tx, member.shop_id)
        own_services = await services.list_for_shop(tx, member.shop_id)
        names = await members.list_names(tx, member.shop_id)
        keys = await api_keys.list_for_shop(tx, member.shop_id)
    by_key = {
        question.key: question
        for service in own_services
        for question in service.invoice_template.questions
        if question.kind not in BUILT_IN_KINDS
    }
    return FilterOptions(
        [(one.id, one.title or one.account) for one in own_connections if one.provider != "vk"],
        [(one.id, one.title) for one in own_services],
        sorted(names.items(), key=lambda one: one[1]) + [(key.id, key.name) for key in keys],
        list(by_key.values()),
    )
