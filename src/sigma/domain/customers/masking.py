"""Names and contacts as a member without the right to personal data sees them."""

from sigma.domain.billing.mail import mask_email
from sigma.domain.customers.customer import IdentityKind

DOTS = "•••"


def mask_name(name: str) -> str:
    """Return the initials: «А. К.» of «Анна Кузнецова»; empty for an empty name."""
    return " ".join(f"{word[0].upper()}." for word in name.split()[:3])


def mask_contact(kind: IdentityKind, value: str) -> str:
    """Return a contact that tells two clients apart, but does not identify a person."""
    if kind is IdentityKind.EMAIL:
        return mask_email(value)
    if kind is IdentityKind.PHONE:
        return f"{value[:2]} {DOTS} {value[-2:]}"
    return f"id{DOTS}"
