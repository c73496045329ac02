"""How the doors are set: what the web application must know of the settings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Doors:
    """`trusted_proxies`: networks whose X-Forwarded-* are believed. `secure`: clients use https.

    Without `metrics_token` /metrics answers to this machine only.
    """

    trusted_proxies: tuple[str, ...] = ()
    metrics_token: str = ""
    secure: bool = False
