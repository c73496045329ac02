"""Every value that must not be guessed has at least 128 random bits of the system's generator."""

import ast
from collections.abc import Iterator

from sigma.services.authentication.setup_codes import CODE_CHARS
from tests.shape.source_files import ROOT, tracked

MIN_BYTES = 16
# file::call → why it needs fewer bits or no generator of secrets
EXCEPTIONS = {
    "src/sigma/services/ids.py::getrandbits(20)": "an id names a row; rights protect it",
    "src/sigma/services/ids.py::getrandbits(40)": "an id names a row; rights protect it",
    "src/sigma/web/middleware/requests.py::random.getrandbits(64)": "the id of a log line",
    "src/sigma/store/engine/postgres_notify.py::token_hex(8)": "the name of a process",
    "src/sigma/store/workers.py::token_hex(8)": "the name of a process",
    "src/sigma/services/authentication/recovery_codes.py::choice": "typed by people: 55 bits, "
    "argon2id, with limits; the standard asks for 20",
    "src/sigma/services/authentication/recovery_codes.py::SystemRandom": "order of first letters",
    "src/sigma/services/ids.py::SystemRandom": "the generator itself",
    "src/sigma/services/notifications/links.py::choice": "typed by people into a chat, with limits",
    "src/sigma/services/notifications/links.py::randbelow": "VK drops a message that has it again",
}
GENERATORS = {"token_bytes", "token_urlsafe", "token_hex", "getrandbits", "choice", "randbelow"}


def short_values(source: str) -> Iterator[str]:
    """Yield calls of generators with fewer than 128 bits, and those of the module `random`."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        module = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        name = f"{module}.{node.func.attr}" if module == "random" else node.func.attr
        if module not in ("random", "secrets", "random_source") and name != "getrandbits":
            continue
        if node.func.attr in ("random", "uniform"):
            continue  # a delay or a share, no value that is handed out
        size = node.args[0] if node.args else None
        if isinstance(size, ast.Constant) and isinstance(size.value, int):
            bits = size.value if node.func.attr == "getrandbits" else size.value * 8
            if bits < 8 * MIN_BYTES or module == "random":
                yield f"{name}({size.value})"
        elif node.func.attr in ("choice", "randbelow", "SystemRandom", "compare_digest"):
            yield node.func.attr


def test_every_random_value_is_long_enough_or_explained() -> None:
    found = {
        f"{path.relative_to(ROOT)}::{call}"
        for path in tracked("src/sigma/*.py")
        for call in short_values(path.read_text())
    }
    assert found == set(EXCEPTIONS)


def test_short_value_and_other_generators_are_found() -> None:
    source = "secrets.token_urlsafe(12); random.getrandbits(256); secrets.token_hex(16)"
    assert list(short_values(source)) == ["token_urlsafe(12)", "random.getrandbits(256)"]


def test_code_of_the_setup_page_has_enough_bits() -> None:
    assert CODE_CHARS * 5 >= 8 * MIN_BYTES
