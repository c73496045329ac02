"""Settings the web application needs."""

from dataclasses import dataclass

from sigma.domain.limits import BODY_TIMEOUT_S, MAX_BODIES_BYTES


@dataclass(frozen=True, slots=True)
class WebConfig:
    """`trusted_proxies`: addresses or CIDR networks whose X-Forwarded-* headers are used.

    `metrics_token`: bearer token for /metrics; if empty, only loopback clients may read it.
    `locale`: language of new shops and users, and of pages for readers whose browser asks for
    neither language.
    `secure`: clients use https, so HSTS is sent and only https resources are allowed. `hsts`: its
    scope, see SIGMA_HSTS. `body_timeout_s`: how long a small request body may take to arrive.
    `log_addresses`: the log of requests has the address of each client.
    `max_bodies_bytes`: memory for the bodies of all requests.
    """

    trusted_proxies: tuple[str, ...] = ()
    metrics_token: str = ""
    secure: bool = False
    locale: str = "ru"
    hsts: str = "subdomains"
    log_addresses: bool = False
    body_timeout_s: float = BODY_TIMEOUT_S
    max_bodies_bytes: int = MAX_BODIES_BYTES
