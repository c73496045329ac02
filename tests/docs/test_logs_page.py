"""docs/security/logs.md names every event of the log, and its example of a collector is usable."""

import ast
import re
import tomllib
from collections.abc import Iterator

from sigma.services.security_log import SecurityEvent
from tests.docs.markdown import read, section, tables
from tests.shape.source_files import tracked

PAGE = read("docs/security/logs.md")


def constants(node: ast.expr, assigned: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Yield the texts that an expression can be."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from constants(body, assigned)
            yield from constants(orelse, assigned)
        case ast.Name(id=name):
            for value in assigned.get(name, ()):
                yield from constants(value, {})
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]):
            yield f"{start}*"
        case _:
            raise AssertionError(ast.unparse(node))


def events(source: str) -> Iterator[str]:
    """Yield the events that a module logs: `log.info("event")`, `write = log.info; write(…)`."""
    tree = ast.parse(source)
    assigned: dict[str, list[ast.expr]] = {}
    writers = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
            if "log." in ast.unparse(node.value) and not isinstance(node.value, ast.Call):
                writers.add(node.targets[0].id)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        match node.func:
            case ast.Attribute(value=ast.Name(id="log"), attr=level) if level != "bind":
                yield from constants(node.args[0], assigned)
            case ast.Name(id=name) if name in writers:
                yield from constants(node.args[0], assigned)


def test_every_event_of_the_log_is_documented_and_no_other() -> None:
    logged = {one for path in tracked("src/sigma/*.py") for one in events(path.read_text())}
    (rows,) = tables(section(PAGE, "Events"))
    documented = [row[0].strip("`") for row in rows[1:]]
    assert sorted(documented) == sorted(logged)


def test_every_security_event_is_documented() -> None:
    page = section(read("docs/security.md"), "Security events")
    assert set(re.findall(r"^\| `security\.(\w+)`", page, re.MULTILINE)) == set(SecurityEvent)


def test_every_log_has_a_retention() -> None:
    rows = tables(PAGE)[0]
    assert rows[0][-1] == "Kept"
    assert len(rows) == 5
    for row in rows[1:]:
        assert re.search(r"days|year", row[-1]), row


def test_example_sends_lines_to_a_checked_server_and_waits_for_it() -> None:
    (text,) = re.findall(r"```toml\n(.+?)```", PAGE, re.DOTALL)
    config = tomllib.loads(text)
    units = config["sources"]["sigma"]["include_units"]
    guide = read("docs/run-in-production.md")
    assert all(f"{unit}.service" in guide for unit in units)
    (sink,) = config["sinks"].values()
    assert sink["inputs"] == ["events"]
    assert config["transforms"]["events"]["inputs"] == ["sigma"]
    tls = sink["tls"]
    for part in ("enabled", "verify_certificate", "verify_hostname"):
        assert tls[part] is True
    assert sink["buffer"] == {"type": "disk", "max_size": 1073741824, "when_full": "block"}
    for event in re.findall(r"`([a-z_]+\.[a-z_]+)`", PAGE.rpartition("Alert there on")[2]):
        name = event.removeprefix("security.")
        assert name in set(SecurityEvent) or f"| `{event}` |" in PAGE
