"""Entries of the audit log as texts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sigma.domain.audit.deed import ActorKind, Deed, actor_kind
from sigma.domain.audit.entry import Entry
from sigma.domain.money import Money
from sigma.texts import Translator
from sigma.web.cabinet.settings.audit_values import change_text, value_text

# Pages of the objects that entries name.
_PAGES = {
    "pay": "/payments/{id}",
    "inv": "/invoices/{id}",
    "con": "/settings/connections/{id}",
    "cus": "/customers/{id}",
}
_BAD = {deed.value for deed in (Deed.SIGN_IN_FAILED, Deed.FACTOR_REFUSED, Deed.IDENTITY_REFUSED)}


@dataclass(frozen=True, slots=True)
class EntryView:
    """One row of the page. `url` of what the entry is about; empty when it has no page."""

    number: int
    at_us: int
    actor: str
    deed: str
    details: list[str]
    origin: str
    url: str
    is_bad: bool


def entry_view(entry: Entry, names: Mapping[str, str], translator: Translator) -> EntryView:
    """Return an entry as texts. `names`: display names of users and keys by id."""
    detail: dict[str, Any] = json.loads(entry.detail)
    subject_name = names.get(entry.subject, "")
    payment_id = str(detail.get("payment", ""))
    return EntryView(
        number=entry.number,
        at_us=entry.occurred_at_us,
        actor=actor_text(entry.actor, names, translator),
        deed=deed_text(entry.deed, translator),
        details=_detail_texts(entry, subject_name, detail, translator),
        origin=" · ".join(filter(None, (entry.address, entry.agent))),
        url=_subject_url(payment_id) or _subject_url(entry.subject),
        is_bad=entry.deed in _BAD,
    )


def actor_text(actor: str, names: Mapping[str, str], translator: Translator) -> str:
    """Return who acted: the name of a user or key, or what else it was."""
    kind = actor_kind(actor)
    if kind in (ActorKind.USER, ActorKind.KEY) and actor in names:
        key = "audit.key" if kind is ActorKind.KEY else "audit.user"
        return translator.t(key, name=names[actor])
    if kind in (ActorKind.USER, ActorKind.KEY):
        return f"{translator.t(f'audit.actor_{kind}')} {actor[-6:]}"
    return translator.t(f"audit.actor_{kind}")


def deed_text(deed: str, translator: Translator) -> str:
    """Return the sentence of a deed; its name for one that a later version has recorded."""
    key = f"audit.deed.{deed}"
    return translator.t(key) if translator.has(key) else deed


def _subject_url(subject: str) -> str:
    pattern = _PAGES.get(subject.partition("_")[0], "")
    return pattern.format(id=subject)


def _detail_texts(
    entry: Entry, subject_name: str, detail: dict[str, Any], translator: Translator
) -> list[str]:
    texts = []
    if subject_name and entry.subject != entry.actor and subject_name != detail.get("name"):
        texts.append(subject_name)
    if "amount_minor" in detail:
        texts.append(translator.money(Money(detail["amount_minor"], detail["currency"])))
    if isinstance(detail.get("name"), str):
        texts.append(detail["name"])
    if isinstance(detail.get("count"), int):
        texts.append(translator.t("audit.count", count=detail["count"]))
    texts += [
        value_text(name, detail[name], translator) for name in ("role", "factor") if name in detail
    ]
    if detail.get("known_device") is False:
        texts.append(translator.t("audit.new_device"))
    changed = detail.get("changes")
    if isinstance(changed, dict):
        texts += [
            change_text(name, pair, translator)
            for name, pair in changed.items()
            if isinstance(pair, list) and len(pair) == 2
        ]
    return texts
