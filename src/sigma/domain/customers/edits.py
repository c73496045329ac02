"""What a member may write about a customer."""

from dataclasses import dataclass

from sigma.domain.bank_cards import contains_card_number
from sigma.domain.customers.customer import MAX_NAME, MAX_NOTES, MAX_TAG, MAX_TAGS
from sigma.domain.errors import Problem
from sigma.domain.text_cleaning import clean_text


@dataclass(frozen=True, slots=True)
class CustomerForm:
    """Name, notes and tags as they are stored: cleaned, tags without repetition."""

    name: str
    notes: str
    tags: tuple[str, ...]


def parse_tags(text: str) -> tuple[str, ...]:
    """Return the tags of a text that separates them by commas or lines, each once in any case."""
    found: dict[str, str] = {}
    for part in text.replace("\n", ",").replace(";", ",").split(","):
        tag = clean_text(part).removeprefix("#").strip()
        if tag:
            found.setdefault(tag.casefold(), tag)
    return tuple(found.values())


def check_form(form: CustomerForm) -> list[Problem]:
    """Return the problems by field."""
    problems = []
    for name, text, limit in (("name", form.name, MAX_NAME), ("notes", form.notes, MAX_NOTES)):
        if len(text) > limit:
            problems.append(Problem(name, "too_long", {"max": limit}))
        elif contains_card_number(text):
            problems.append(Problem(name, "card_number"))
    if len(form.tags) > MAX_TAGS:
        problems.append(Problem("tags", "too_many", {"max": MAX_TAGS}))
    elif any(len(tag) > MAX_TAG for tag in form.tags):
        problems.append(Problem("tags", "too_long", {"max": MAX_TAG}))
    elif any(contains_card_number(tag) for tag in form.tags):
        problems.append(Problem("tags", "card_number"))
    return problems
