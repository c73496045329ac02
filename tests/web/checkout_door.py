"""The client's door alone: its pages, the built files and the headers that browsers are told."""

from litestar import Litestar, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.static_files import create_static_files_router

from sigma.services.context import Context
from sigma.web.checkout import accent, invoice, receipt, wait
from sigma.web.rendering import STATIC
from sigma.web.security import Policy


async def _ctx(state: State) -> Context:
    found: Context = state.ctx
    return found


def checkout_app(ctx: Context) -> Litestar:
    """An application of the four modules for clients over a real context."""
    policy = Policy(secure=False).of("/i/")

    def tell(answer: Response[object]) -> Response[object]:
        for name, value in policy:
            answer.headers.setdefault(name.decode(), value.decode())
        return answer

    pages = [*invoice.HANDLERS, *wait.HANDLERS, *receipt.HANDLERS, *accent.HANDLERS]
    return Litestar(
        [*pages, create_static_files_router("/static", [STATIC])],
        state=State({"ctx": ctx}),
        dependencies={"ctx": Provide(_ctx)},
        after_request=tell,
        debug=True,
    )
