"""An outbound guard for tests: also connects to servers on this machine, without TLS."""

from functools import partial

import httpx

from sigma.channels.email import SmtpMailer
from sigma.outbound.guard import Outbound
from sigma.outbound.http import open_client
from sigma.outbound.policy import Policy, parse_exemption

LOCAL = Outbound(Policy(tuple(map(parse_exemption, ("127.0.0.0/8", "::1", "localhost")))))


def open_local_client(ca_certificates: str | None = None) -> httpx.AsyncClient:
    """Return an HTTP client through a guard that allows this machine."""
    return open_client(LOCAL, ca_certificates)


local_mailer = partial(SmtpMailer, outbound=LOCAL)
