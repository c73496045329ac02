"""Check the address of a shop's own mail server."""

from sigma.domain.errors import Problem
from sigma.outbound.guard import Outbound
from sigma.outbound.policy import SMTP_PORTS, DeniedError, is_public_port
from sigma.outbound.urls import InvalidUrlError, parse_smtp_url


def check_smtp_url(text: str, outbound: Outbound) -> Problem | None:
    """Return what is wrong with an SMTP URL, or None. Nothing is resolved or connected to."""
    try:
        server = parse_smtp_url(text)
    except InvalidUrlError as error:
        return Problem("smtp_url", "url_port" if error.code == "port" else "smtp_url")
    try:
        outbound.policy.check_host(
            server.host, server.port, server.scheme, is_encrypted=server.is_encrypted
        )
    except DeniedError:
        if not is_public_port(server.scheme, server.port):
            ports = ", ".join(map(str, sorted(SMTP_PORTS)))
            return Problem("smtp_url", "smtp_port", {"ports": ports})
        return Problem("smtp_url", "smtp_private")
    return None
