"""Cookies: one place decides their names and attributes.

With an https base URL every cookie is Secure, and its name begins with `__Host-` (set by this host
only) or, for the cookies of one invoice or shop page, with `__Secure-`: browsers accept `__Host-`
only with the path "/", and a cookie of one invoice must not be sent to the others.
"""

from typing import Any

from litestar.datastructures import Cookie

from sigma.domain.urls import is_https_url
from sigma.services.context import Context


def cookie_name(ctx: Context, name: str, path: str = "/") -> str:
    """Return the name of a cookie in the browser."""
    if not is_https_url(ctx.settings.base_url):
        return name
    return f"__Host-{name}" if path == "/" else f"__Secure-{name}"


def build_cookie(
    ctx: Context,
    name: str,
    value: str,
    *,
    max_age_s: int,
    path: str = "/",
) -> Cookie:
    """Return a cookie for this host, not readable by scripts; an empty value deletes it."""
    return Cookie(
        key=cookie_name(ctx, name, path),
        value=value,
        path=path,
        max_age=max_age_s if value else 0,
        httponly=True,
        samesite="lax",
        secure=is_https_url(ctx.settings.base_url),
    )


def read_cookie(connection: Any, name: str, path: str = "/") -> str:
    """Return the value of a cookie, empty without it.

    `path`: "/", or any other text for a cookie that `build_cookie` set with a narrower path: only
    its prefix depends on that.
    """
    ctx: Context = connection.app.state.ctx
    return str(connection.cookies.get(cookie_name(ctx, name, path), ""))
