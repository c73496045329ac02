"""Check the address, the timeout and the certificates of an acquirer connection."""

from typing import Any

from sigma.domain.billing.connection import Connection
from sigma.domain.errors import Problem
from sigma.outbound.certificates import (
    Certificate,
    InvalidCertificateError,
    normalize_certificates,
    read_certificates,
)
from sigma.outbound.guard import Outbound
from sigma.outbound.policy import DeniedError, is_public_port
from sigma.outbound.urls import InvalidUrlError, parse_url
from sigma.providers.base import Provider

MIN_TIMEOUT_S, MAX_TIMEOUT_S = 1, 120


def normalize_settings(
    settings: dict[str, Any], provider: Provider, outbound: Outbound, now_us: int
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the settings as they are stored, and what is wrong with them.

    `base_url` is normalized, and dropped when it is the provider's own; of `ca_certificates` only
    the certificates remain, as PEM.
    """
    settings = dict(settings)
    problems = []
    if base_url := str(settings.pop("base_url", None) or ""):
        normalized = _normalize_base_url(base_url, provider, outbound)
        if isinstance(normalized, Problem):
            problems.append(normalized)
        elif normalized != provider.base_url:
            settings["base_url"] = normalized
    if pem := str(settings.pop("ca_certificates", None) or ""):
        try:
            settings["ca_certificates"] = normalize_certificates(pem, now_us)
        except InvalidCertificateError as error:
            problems.append(Problem("ca_certificates", error.code))
    # The path of a file, as an older version stored it: Sigma opens no files for a form.
    if settings.pop("ca_bundle", None):
        problems.append(Problem("ca_certificates", "certificate_path"))
    if not _is_timeout(settings.get("timeout_s")):
        limits = {"min": MIN_TIMEOUT_S, "max": MAX_TIMEOUT_S}
        problems.append(Problem("timeout_s", "range", limits))
    return settings, problems


def _normalize_base_url(text: str, provider: Provider, outbound: Outbound) -> str | Problem:
    """Return scheme, host, port and the provider's path. Nothing is resolved or connected to."""
    try:
        url = parse_url(text, "https", "http")
    except InvalidUrlError as error:
        return Problem("base_url", "url_port" if error.code == "port" else "url")
    is_exempt = outbound.policy.is_exempt(url.host, url.port)
    path, fixed_path = url.path.rstrip("/"), parse_url(provider.base_url).path
    # A free path would let a form choose what is requested from any server. The installation's
    # exceptions, such as the sandbox, may have a prefix.
    is_fixed = path.endswith(fixed_path) if is_exempt else path == fixed_path
    if not is_fixed or url.query or "?" in text:
        return Problem("base_url", "url_path", {"path": fixed_path})
    try:
        outbound.check_url(url)
    except DeniedError:
        if url.scheme != "https":
            return Problem("base_url", "url_https")
        return Problem(
            "base_url", "url_private" if is_public_port("https", url.port) else "url_port"
        )
    return url.origin + path


def list_certificates(connection: Connection) -> list[Certificate]:
    """Return the pasted certificates of a connection; [] without any."""
    pem = connection.settings.get("ca_certificates")
    try:
        return read_certificates(str(pem)) if pem else []
    except InvalidCertificateError:
        return []


def _is_timeout(value: Any) -> bool:
    """Return whether a value is a timeout in seconds: None (the default), or 1 to 120."""
    if value is None:
        return True
    try:
        return MIN_TIMEOUT_S <= float(value) <= MAX_TIMEOUT_S
    except (TypeError, ValueError):
        return False


def needs_new_secret(existing: Connection, settings: dict[str, Any]) -> bool:
    """Return whether the stored secret may not be used with these settings.

    The secret belongs to one address and its certificates. Otherwise a stolen session could send it
    to another server by changing them.
    """
    return any(
        (existing.settings.get(name) or None) != (settings.get(name) or None)
        for name in ("base_url", "ca_certificates")
    )
