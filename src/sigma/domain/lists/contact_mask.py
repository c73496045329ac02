"""Masked contacts: enough to recognize a client whom one knows, not to write to a stranger."""


def mask_phone(phone: str) -> str:
    """Return an E.164 number with its first five and last two characters: "+7916•••••21"."""
    return f"{phone[:5]}•••••{phone[-2:]}" if len(phone) >= 10 else "•••"
