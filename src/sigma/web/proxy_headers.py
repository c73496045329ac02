"""Who really asks, when a proxy of ours stands before us: only listed proxies are believed."""

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """An ASGI application around another one, with the client's address and scheme put right.

    X-Forwarded-For is read from its right end: the last address that is no proxy of ours is the
    client; whatever stands before it was written by the client and is not believed.
    """

    def __init__(
        self, inner: Any, trusted: Sequence[str], close: Callable[[], None] = lambda: None
    ) -> None:
        self._inner = inner
        self.close = close
        """Ends the answers that last for ever; the server calls it when it is told to stop."""
        self._trusted: list[Network] = [ipaddress.ip_network(one) for one in trusted]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Passes a request on."""
        client = scope.get("client") if scope["type"] == "http" else None
        if self._trusted and client and self._ours(client[0]):
            self._read(scope)
        await self._inner(scope, receive, send)

    def _read(self, scope: Any) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        steps = [s.strip() for s in headers.get(b"x-forwarded-for", "").split(",") if s.strip()]
        client = next((step for step in reversed(steps) if not self._ours(step)), None)
        if client is not None:
            scope["client"] = (client, 0)
        if (scheme := headers.get(b"x-forwarded-proto", "")) in ("http", "https"):
            scope["scheme"] = scheme

    def _ours(self, address: str) -> bool:
        try:
            there = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(there in network for network in self._trusted)
