"""The slug: the name in the address of a shop's public page of services."""

import re

from sigma.domain.errors import Problem

MIN_SLUG, MAX_SLUG = 3, 40
_SLUG_PATTERN = re.compile(r"[a-z0-9]+(-+[a-z0-9]+)*", re.ASCII)

# Names that look official, or that a future page of Sigma may need.
RESERVED_SLUGS = frozenset(
    {"about", "accent", "account", "admin", "api", "app", "assets", "auth", "billing", "cabinet"}
    | {"checkout", "contact", "demo", "docs", "health", "help", "hooks", "inbox", "index"}
    | {"invoice", "invoices", "legal", "login", "mail", "new", "null", "official", "pay"}
    | {"payment", "payments", "photo", "photos", "robots", "root", "security", "service"}
    | {"services", "settings", "shop", "shops", "sigma", "sign-in", "start", "static", "status"}
    | {"store", "support", "system", "test", "undefined", "user", "users", "vk", "vkontakte"}
    | {"web", "www"}
)


def check_slug(slug: str) -> Problem | None:
    """Return the problem of a slug, or None. Does not check whether another shop uses it."""
    if not MIN_SLUG <= len(slug) <= MAX_SLUG or not _SLUG_PATTERN.fullmatch(slug):
        return Problem("slug", "slug_format", {"min": MIN_SLUG, "max": MAX_SLUG})
    return Problem("slug", "slug_taken") if slug in RESERVED_SLUGS else None
