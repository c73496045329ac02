"""Problem documents (RFC 9457)."""
from typing import Any

import msgspec
from litestar import Request, Response

from sigma.domain.errors import Refused


def problem(request: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:
    """A problem document."""
    return Response(msgspec.json.encode({"code": refused.code, "status": refused.status}), status_code=refused.status, media_type="application/problem+json")
