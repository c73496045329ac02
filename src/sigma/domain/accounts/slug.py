"""The name in the address of a shop's public page of services."""

import re

from sigma.domain.errors import Problem

MIN_SLUG, MAX_SLUG = 3, 40
_SLUG = re.compile(r"[a-z0-9]+(-+[a-z0-9]+)*", re.ASCII)

# Names that would look like ours, or that a later page of ours may need.
RESERVED = frozenset(
    {"about", "accent", "account", "admin", "api", "app", "assets", "auth", "billing", "cabinet"}
    | {"checkout", "contact", "demo", "docs", "health", "help", "hooks", "inbox", "index"}
    | {"invoice", "invoices", "legal", "login", "mail", "new", "null", "official", "pay"}
    | {"payment", "payments", "photo", "photos", "robots", "root", "security", "service"}
    | {"services", "settings", "shop", "shops", "sigma", "sign-in", "start", "static", "status"}
    | {"store", "support", "system", "test", "undefined", "user", "users", "vk", "vkontakte"}
    | {"web", "www"}
)


def check_slug(slug: str) -> Problem | None:
    """What is wrong with a name, if anything. Whether another shop has it, only the store knows."""
    if not MIN_SLUG <= len(slug) <= MAX_SLUG or not _SLUG.fullmatch(slug):
        return Problem("slug", "slug_format", {"min": MIN_SLUG, "max": MAX_SLUG})
    return Problem("slug", "slug_taken") if slug in RESERVED else None
