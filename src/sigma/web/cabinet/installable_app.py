"""The cabinet as an app on the home screen: manifest, icons, and the worker that shows pushes.

Source: https://www.w3.org/TR/appmanifest/. The worker is at the root, because its scope is its
folder. It caches nothing: money is never shown out of date.
"""

import json
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from sigma.texts import Translator
from sigma.web.rendering import STATIC, request_language

ICONS: Final = Path(__file__).parent.parent / "icons"
ICON_TYPES: Final = {
    "icon.svg": "image/svg+xml",
    "icon-180.png": "image/png",  # iOS
    "icon-192.png": "image/png",
    "icon-512.png": "image/png",
    "icon-maskable-512.png": "image/png",  # Android cuts it to its own shape
    "badge-96.png": "image/png",  # one colour, for the status bar of Android
}
_CACHE = {"cache-control": "public, max-age=86400"}
_NO_CACHE = {"cache-control": "no-cache"}  # a new version of the worker must be found at once


@get("/app/manifest.webmanifest")
async def manifest(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the manifest in the reader's language."""
    locale = request_language(request)
    body = {
        "name": Translator(locale).t("common.brand"),
        "short_name": Translator(locale).t("common.brand"),
        "lang": locale,
        "id": "/",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#3a36c9",
        "icons": [
            {"src": "/app/icon-192.png", "sizes": "192x192", "type": "image/png"},
            {"src": "/app/icon-512.png", "sizes": "512x512", "type": "image/png"},
            {
                "src": "/app/icon-maskable-512.png",
                "sizes": "512x512",
                "type": "image/png",
                "purpose": "maskable",
            },
        ],
    }
    return Response(
        msgspec.json.encode(body), media_type="application/manifest+json", headers=_CACHE
    )


@get("/app/{name:str}", cache=False)
async def icon(name: FromPath[str]) -> Response[bytes]:
    """Return one of the icons."""
    if name not in ICON_TYPES:
        return Response(b"", status_code=404, media_type="text/plain")
    data = (ICONS / name).read_bytes()
    return Response(data, media_type=ICON_TYPES[name], headers=_CACHE)


@get("/service-worker.js")
async def service_worker() -> Response[bytes]:
    """Return the script that shows push messages."""
    built = json.loads((STATIC / "manifest.json").read_text(encoding="utf-8"))
    script = (STATIC / built["service-worker.js"]).read_bytes()
    return Response(script, media_type="text/javascript", headers=_NO_CACHE)


HANDLERS = [manifest, icon, service_worker]
