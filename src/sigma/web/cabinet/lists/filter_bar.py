"""The view model of the bar above a list: search, filters, saved views, totals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from sigma.domain.accounts.member import Permission
from sigma.domain.billing.question import BUILT_IN_KINDS, Question, QuestionKind
from sigma.domain.errors import Problem
from sigma.domain.lists.filters import ListFilter, PaymentFilter, Refunded, Sort
from sigma.domain.lists.period import Preset
from sigma.domain.lists.saved_view import ListKind, SavedView
from sigma.domain.lists.totals import Totals
from sigma.domain.money import Money
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.lists import options, saved_views
from sigma.texts import Translator
from sigma.texts.answers import question_label
from sigma.texts.receipt_view import method_label
from sigma.web.cabinet.responses import problem_texts
from sigma.web.forms import FormValues, first_value

Option = tuple[str, str]
# Not stored in saved views, which are plain text.
PERSONAL_PARAMETERS = frozenset({"q", "email", "phone"})
PANEL_FIELDS = ("created_from", "created_to", "amount_from", "amount_to")


@dataclass(frozen=True, slots=True)
class SelectField:
    """A choice of one value; the first option is "any"."""

    name: str
    label: str
    options: list[Option]
    value: str


@dataclass(frozen=True, slots=True)
class ViewLink:
    """A saved view as a link. `delete_url` is empty where the member may not delete it."""

    url: str
    name: str
    is_active: bool
    is_shared: bool
    delete_url: str


@dataclass(frozen=True, slots=True)
class FilterBar:
    """Everything that the template of the bar shows.

    `values` are the parameters of the current filter, `chips` quick links (URL, text, is active).
    `count`: conditions that are set inside the panel. `totals`: lines of text. `typed`: the values
    of the panel's fields, a wrong one as it was typed. `tags`: conditions that have no field, as
    (label, text, URL without it). `orders`: for the column of dates and that of sums the URL that
    sorts by it, and its `aria-sort`, "" for a column that the list is not sorted by.
    """

    path: str
    values: Mapping[str, str]
    chips: list[tuple[str, str, bool]]
    period_chips: list[tuple[str, str, bool]]
    selects: list[SelectField]
    views: list[ViewLink]
    count: int
    totals: list[str]
    is_active: bool
    can_share: bool
    typed: Mapping[str, str]
    tags: list[tuple[str, str, str]]
    orders: Mapping[str, tuple[str, str]]
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def other_errors(self) -> list[str]:
        """Return the problems of parameters that have no field in the panel."""
        with_field = {*PANEL_FIELDS, *(one.name for one in self.selects)}
        return [text for name, text in self.errors.items() if name not in with_field]

    @property
    def can_save(self) -> bool:
        """Whether the filter may be saved as a view: it has no personal data."""
        return self.is_active and not self.values.keys() & PERSONAL_PARAMETERS


def filter_url(path: str, values: Mapping[str, str], **changed: str) -> str:
    """Return the URL of a list with some parameters changed; an empty one is left out."""
    merged = {**values, **changed}
    query = urlencode({name: value for name, value in merged.items() if value})
    return f"{path}?{query}" if query else path


async def build_bar(
    ctx: Context,
    session: Session,
    kind: ListKind,
    wanted: ListFilter,
    translator: Translator,
    *,
    statuses: Sequence[Option],
    chips: list[tuple[str, str, bool]],
    totals: Totals | None,
    query: FormValues,
    conditions: Sequence[tuple[str, str, str]],
    problems: Iterable[Problem] = (),
) -> FilterBar:
    """Return the bar of a list. `totals` None: nothing is filtered.

    `conditions`: parameter, label and text of those without a field in the panel.

    `query`: the parameters of the URL, whose wrong values are shown again beside their problems.
    """
    path, values = f"/{kind}", wanted.to_values()
    found = await options.list_options(ctx, session.member)
    views = await saved_views.list_views(ctx, session.member, kind)
    can_share = session.member.can(Permission.SETTINGS)
    errors = problem_texts(translator, problems)
    selects = select_fields(wanted, values, found, statuses, translator)
    with_field = {*PANEL_FIELDS, *(one.name for one in selects)}
    in_panel = values.keys() & with_field - {"status", "sort"}
    return FilterBar(
        path,
        values,
        chips,
        _period_chips(path, values, translator),
        selects,
        [_view_link(path, values, view, can_share=can_share) for view in views],
        len(in_panel),
        _total_texts(kind, totals, translator) if totals is not None else [],
        wanted.is_active,
        can_share,
        values | {name: first_value(query, name) for name in errors if name in PANEL_FIELDS},
        [(label, text, filter_url(path, values, **{name: ""})) for name, label, text in conditions],
        _orders(path, values, wanted.sort),
        errors,
    )


def _orders(path: str, values: Mapping[str, str], current: Sort) -> dict[str, tuple[str, str]]:
    """Return URL and `aria-sort` of the columns; a click on the sorted one turns its order."""
    orders = {}
    for column, first, second in (
        ("created", Sort.NEWEST, Sort.OLDEST),
        ("amount", Sort.LARGEST, Sort.SMALLEST),
    ):
        wanted = second if current is first else first
        direction = "descending" if current.is_descending else "ascending"
        url = filter_url(path, values, sort="" if wanted is Sort.NEWEST else str(wanted))
        orders[column] = (url, direction if current in (first, second) else "")
    return orders


def _period_chips(
    path: str, values: Mapping[str, str], translator: Translator
) -> list[tuple[str, str, bool]]:
    bounds = {"created_from": "", "created_to": ""}
    chips = []
    for preset in Preset:
        is_active = values.get("period") == preset
        url = filter_url(path, values, period="" if is_active else str(preset), **bounds)
        chips.append((url, translator.t(f"lists.period_{preset}"), is_active))
    return chips


def select_fields(
    wanted: ListFilter,
    values: Mapping[str, str],
    found: options.FilterOptions,
    statuses: Sequence[Option],
    translator: Translator,
) -> list[SelectField]:
    """Return the choices of the panel: those with several options or a value, and the order.

    `statuses`: the options of the field "status".
    """
    t = translator.t
    choices: list[tuple[str, list[Option]]] = [("status", list(statuses))]
    if isinstance(wanted, PaymentFilter):
        choices += [
            ("refunded", [(str(one), t(f"lists.refunded_{one}")) for one in Refunded]),
            ("method", [(one, method_label(one, "", "", translator)) for one in options.METHODS]),
            ("connection", found.connections),
            ("empty", _question_options(found.questions, translator)),
        ]
    choices += [("service", found.services), ("member", found.members)]
    selects = [
        SelectField(name, t(f"lists.{name}"), [("", t("lists.any")), *_known(pairs)], values[name])
        if name in values
        else SelectField(name, t(f"lists.{name}"), [("", t("lists.any")), *_known(pairs)], "")
        for name, pairs in choices
        if len(_known(pairs)) > 1 or name in values or name == "empty"
    ]
    order = [
        ("" if one is Sort.NEWEST else str(one), t(f"lists.sort_{one.name.lower()}"))
        for one in Sort
    ]
    return [*selects, SelectField("sort", t("lists.sort"), order, values.get("sort", ""))]


def _known(pairs: list[Option]) -> list[Option]:
    return [(value, text) for value, text in pairs if text]


def _question_options(questions: list[Question], translator: Translator) -> list[Option]:
    built_in = [Question(str(kind), QuestionKind(kind)) for kind in BUILT_IN_KINDS]
    return [(one.key, question_label(one, translator)) for one in (*built_in, *questions)]


def _view_link(
    path: str, values: Mapping[str, str], view: SavedView, *, can_share: bool
) -> ViewLink:
    can_delete = not view.is_shared or can_share
    return ViewLink(
        filter_url(path, view.filter_values),
        view.name,
        dict(view.filter_values) == dict(values),
        view.is_shared,
        f"{path}/views/{view.id}/delete" if can_delete else "",
    )


def _total_texts(kind: ListKind, totals: Totals, translator: Translator) -> list[str]:
    """Return «Найдено 12 платежей», and a line of sums for each currency; nothing for no rows.

    Sums that are not exact are not shown: half of a sum says nothing.
    """
    count = translator.number(str(totals.count))
    if not totals.is_exact:
        return [translator.t("lists.found_more", n=count)]
    if not totals.count:
        return []
    lines = [translator.plural(totals.count, f"lists.found_{kind}", count=count)]
    for currency, one in sorted(totals.sums.items()):
        total, paid = Money(one.minor, currency), Money(one.paid_minor, currency)
        text = translator.t("lists.sum", sum=translator.money(total))
        if one.paid_minor != one.minor:
            text += translator.t("lists.sum_paid", sum=translator.money(paid))
        lines.append(text)
    return lines
