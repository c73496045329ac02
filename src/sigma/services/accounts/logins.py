"""Logins: e-mail addresses, in one spelling wherever a person types one."""

from sigma.domain.billing.question import parse_email
from sigma.domain.errors import Problem, validation_error


def check_login(text: str) -> str:
    """Return an address as accounts store it: in lower case. Raises RefusedError("validation")."""
    email = parse_email(text)
    if not email:
        raise validation_error(Problem("login", "email" if text.strip() else "required"))
    return email.lower()


def normalize_login(text: str) -> str:
    """Return a typed login as accounts store it; what is no address only in lower case.

    Full-width letters, decomposed letters and a copied "mailto:" give the same login as where the
    account was created, and count for the same limits.
    """
    return (parse_email(text) or text.strip()).lower()
