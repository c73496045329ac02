"""Cookies: one place decides their names and attributes.

With an https base URL every cookie is Secure, and its name begins with `__Host-`: only this host
can set it, and no other host gets it. Browsers accept that prefix with the path "/" only, so a
cookie of one invoice or one shop page has the hash of that page in its name, not a path.
"""

import hashlib
from typing import Any

from litestar import Response
from litestar.datastructures import Cookie

from sigma.domain.urls import is_https_url
from sigma.services.context import Context

# Browsers send all of them with each request, and proxies bound the size of request headers.
MAX_PAGE_COOKIES = 20
_HASH_CHARS = 16


def cookie_name(ctx: Context, name: str) -> str:
    """Return the name of a cookie in the browser."""
    return f"__Host-{name}" if is_https_url(ctx.settings.base_url) else name


def build_cookie(ctx: Context, name: str, value: str, *, max_age_s: int) -> Cookie:
    """Return a cookie for this host, not readable by scripts; an empty value deletes it."""
    return Cookie(
        key=cookie_name(ctx, name),
        value=value,
        path="/",
        max_age=max_age_s if value else 0,
        httponly=True,
        samesite="lax",
        secure=is_https_url(ctx.settings.base_url),
    )


def read_cookie(connection: Any, name: str) -> str:
    """Return the value of a cookie, empty without it."""
    ctx: Context = connection.app.state.ctx
    return str(connection.cookies.get(cookie_name(ctx, name), ""))


def page_cookie_name(name: str, page: str) -> str:
    """Return the name of the cookie `name` that belongs to one page.

    `page`: the token of an invoice or the slug of a shop page. The hash does not reveal the token.
    """
    return f"{name}_{hashlib.sha256(page.encode()).hexdigest()[:_HASH_CHARS]}"


def set_page_cookie(
    connection: Any, response: Response[Any], name: str, page: str, value: str, *, max_age_s: int
) -> None:
    """Set the cookie of one page; an empty value deletes it.

    Deletes the oldest cookies of other pages beyond `MAX_PAGE_COOKIES`: browsers send cookies of
    one path in the order of their creation (RFC 6265, section 5.4).
    """
    ctx: Context = connection.app.state.ctx
    own = page_cookie_name(name, page)
    response.set_cookie(build_cookie(ctx, own, value, max_age_s=max_age_s))
    prefix = cookie_name(ctx, f"{name}_")
    others = [
        one.removeprefix(cookie_name(ctx, ""))
        for one in connection.cookies
        if one.startswith(prefix) and one != cookie_name(ctx, own)
    ]
    for oldest in others[: max(0, len(others) + 1 - MAX_PAGE_COOKIES)]:
        response.set_cookie(build_cookie(ctx, oldest, "", max_age_s=0))


def read_page_cookie(connection: Any, name: str, page: str) -> str:
    """Return the value of the cookie of one page, empty without it."""
    return read_cookie(connection, page_cookie_name(name, page))
