"""A filter in words: what each of its conditions is called and what it is set to."""

from datetime import date

from sigma.domain.errors import RefusedError
from sigma.domain.lists.filters import ListFilter, PaymentFilter
from sigma.domain.lists.period import Bound
from sigma.services.accounts.users import Session
from sigma.services.billing import invoices
from sigma.services.context import Context
from sigma.services.customers import customer_views
from sigma.services.lists import options
from sigma.texts import Translator
from sigma.texts.formats import calendar_date
from sigma.web.cabinet.lists.filter_bar import select_fields

# Names of the conditions that have no field in the panel of filters.
_LABELS = {
    "q": "lists.search",
    "customer_id": "lists.client",
    "invoice_id": "lists.invoice",
    "email": "common.question.email",
    "phone": "common.question.phone",
}
_METADATA_PREFIX = "metadata["


async def filter_texts(
    ctx: Context, session: Session, wanted: ListFilter, translator: Translator
) -> list[tuple[str, str]]:
    """Return label and text of each condition of a filter, such as («Статус», «Оплачен»).

    A client, a service or a member that is no more is shown by the id. The order is that of
    `ListFilter.to_values`.
    """
    values = wanted.to_values()
    found = await options.list_options(ctx, session.member)
    kind = "payment" if isinstance(wanted, PaymentFilter) else "invoice"
    status = wanted.status
    statuses = [(status, translator.t(f"common.{kind}_status.{status}"))] if status else []
    selects = select_fields(wanted, values, found, statuses, translator)
    chosen = {one.name: (one.label, dict(one.options).get(one.value, one.value)) for one in selects}
    texts = []
    for name, value in values.items():
        if name in chosen:
            texts.append(chosen[name])
        elif name == "attention":
            texts.append((translator.t("lists.status"), translator.t("payments.filter_attention")))
        else:
            label = _label(name, translator)
            texts.append((label, await _text(ctx, session, wanted, name, value, translator)))
    return texts


async def conditions_without_field(
    ctx: Context, session: Session, wanted: ListFilter, translator: Translator
) -> list[tuple[str, str, str]]:
    """Return parameter, label and text of the conditions that only a link sets: client, metadata.

    They have no field in the panel of filters, nor a chip.
    """
    return [
        (
            name,
            _label(name, translator),
            await _text(ctx, session, wanted, name, value, translator),
        )
        for name, value in wanted.to_values().items()
        if name in ("customer_id", "email", "phone") or name.startswith(_METADATA_PREFIX)
    ]


def _label(name: str, translator: Translator) -> str:
    if name.startswith(_METADATA_PREFIX):
        return name.removeprefix(_METADATA_PREFIX).removesuffix("]")
    return translator.t(_LABELS.get(name, f"lists.{name}"))


async def _text(
    ctx: Context,
    session: Session,
    wanted: ListFilter,
    name: str,
    value: str,
    translator: Translator,
) -> str:
    match name:
        case "period":
            return translator.t(f"lists.period_{value}")
        case "created_from":
            return _bound_text(wanted.period.start, translator)
        case "created_to":
            return _bound_text(wanted.period.end, translator)
        case "amount_from" | "amount_to":
            return translator.number(value)
        case "phone":
            return translator.phone(value)
        case "customer_id":
            return await _customer_text(ctx, session, value)
        case "invoice_id":
            return await _invoice_text(ctx, session, value, translator)
    return value


def _bound_text(bound: Bound | None, translator: Translator) -> str:
    if isinstance(bound, date):
        return calendar_date(bound, translator.locale)
    return translator.datetime(bound) if bound is not None else ""


async def _customer_text(ctx: Context, session: Session, customer_id: str) -> str:
    try:
        row = await customer_views.get_row(ctx, session.member, customer_id)
    except RefusedError:
        return customer_id
    return row.title or customer_id


async def _invoice_text(
    ctx: Context, session: Session, invoice_id: str, translator: Translator
) -> str:
    try:
        invoice = await invoices.get(ctx, session.member, invoice_id)
    except RefusedError:
        return invoice_id
    return f"{translator.t('cabinet.number', number=invoice.number)}, {invoice.title}"
