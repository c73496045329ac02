"""HTML templates of documents: mails and exports."""

import functools

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


@functools.cache
def html_environment() -> Environment:
    """Return the templates of this package; values are escaped, a missing one is an error."""
    return Environment(
        loader=PackageLoader("sigma.documents"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
