"""Idempotency: the key of a request, and the response that is stored for its repeats."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

ResultT_contra = TypeVar("ResultT_contra", contravariant=True)


class HasId(Protocol):
    """An object with an id."""

    @property
    def id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The first response to a request.

    `fingerprint` is a hash of the request, `status` the HTTP status code, `body` the response
    text. `created_at_us`: UTC microseconds.
    """

    shop_id: str
    key: str
    fingerprint: str
    status: int
    body: str
    created_at_us: int


@dataclass(frozen=True, slots=True)
class Idempotency(Generic[ResultT_contra]):
    """The idempotency key of a request, and how its result becomes the stored response.

    `fingerprint` is a hash of the request, `status` the HTTP status code. `render` builds the
    response body. It may be called twice for one result and must return the same text.
    """

    shop_id: str
    key: str
    fingerprint: str
    status: int
    render: Callable[[ResultT_contra], str]

    def response(self, result: ResultT_contra, now_us: int) -> StoredResponse:
        """Return the response to store in the transaction of the work."""
        return StoredResponse(
            self.shop_id, self.key, self.fingerprint, self.status, self.render(result), now_us
        )


def render_id(result: HasId) -> str:
    """Return the id of the result: the response body of forms, which only redirect to it."""
    return result.id
