"""TLS contexts: built outside the event loop, because loading certificates takes up to 50 ms."""

import asyncio
import hashlib
import ssl
from collections import OrderedDict

import httpx

MAX_CONTEXTS = 64
# TLS 1.2 only with forward secrecy and authenticated encryption; TLS 1.3 has nothing else.
MINIMUM_VERSION = ssl.TLSVersion.TLSv1_2
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class TlsContexts:
    """Client contexts by the certificates that they trust; the ones used last are cached."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[str, asyncio.Task[ssl.SSLContext]] = OrderedDict()

    async def get(self, ca_certificates: str | None = None) -> ssl.SSLContext:
        """Return the context for PEM certificates; None: the usual authorities.

        Simultaneous calls build one context. Raises ssl.SSLError for unreadable certificates.
        """
        key = hashlib.sha256((ca_certificates or "").encode()).hexdigest()
        task = self._contexts.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = asyncio.create_task(asyncio.to_thread(build_context, ca_certificates))
            task.add_done_callback(_retrieve_error)
            self._contexts[key] = task
            if len(self._contexts) > MAX_CONTEXTS:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(key)
        # Shielded: a cancelled caller must not cancel the task that others wait for.
        return await asyncio.shield(task)


def _retrieve_error(task: asyncio.Task[ssl.SSLContext]) -> None:
    if not task.cancelled():
        task.exception()  # retrieved here too: all callers may have been cancelled


def build_context(ca_certificates: str | None) -> ssl.SSLContext:
    """Return a context that trusts the pasted certificates only, or the usual authorities. Blocks.

    SSL_CERT_FILE and SSL_CERT_DIR replace the usual authorities.
    """
    if not ca_certificates:
        return restrict(httpx.create_ssl_context())
    context = ssl.create_default_context(cadata=ca_certificates)
    # A server's own certificate may be pasted instead of its authority, and home-made authorities
    # often lack the key identifiers that newer Python versions demand.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return restrict(context)


def restrict(context: ssl.SSLContext) -> ssl.SSLContext:
    """Set versions and cipher suites of a context, whatever the system's defaults are."""
    context.minimum_version = MINIMUM_VERSION
    context.set_ciphers(CIPHERS)
    return context


def build_server_context(certificate: str, key: str = "") -> ssl.SSLContext:
    """Return the context of a server with a certificate chain and its key (PEM files). Blocks.

    Raises OSError and ssl.SSLError (an OSError) for files that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key or None)
    context.options |= ssl.OP_NO_RENEGOTIATION
    return restrict(context)
