"""Calls that turn text into code, commands or markup are used nowhere, or only in known places."""

import ast
import re
from collections.abc import Iterator

import pytest

from sigma.web.middleware.security import payment_page_policy
from tests.shape.source_files import ROOT, tracked

# Each runs text as code, a command or objects, or is a hash that is broken.
FORBIDDEN = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen"),
    *("pickle.loads", "pickle.load", "marshal.loads", "shelve.open", "yaml.load"),
    *("subprocess.getoutput", "subprocess.getstatusoutput", "subprocess.call"),
    *("subprocess.check_output", "asyncio.create_subprocess_shell"),
    *("hashlib.md5", "hashlib.sha1", "random.seed"),
}
STARTS_PROCESSES = {
    "src/sigma/services/platform/limited_process.py",
    "src/sigma/services/exports/rendering.py",  # multiprocessing, with our own rows
}
RUNS_OWN_PROGRAM = {"src/sigma/services/platform/limited_process.py"}  # runpy, inside that process


def calls(source: str) -> Iterator[ast.Call]:
    """Yield all calls of a module."""
    yield from (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))


def dangerous_calls(source: str) -> list[str]:
    """Return the forbidden calls of a module, and processes that a shell would start."""
    found = []
    for call in calls(source):
        name = ast.unparse(call.func)
        has_shell = any(
            one.arg == "shell" and ast.unparse(one.value) != "False" for one in call.keywords
        )
        if name in FORBIDDEN or has_shell:
            found.append(name)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "os.system(f'ls {name}')",
        "subprocess.run(command, shell=True)",
        "subprocess.Popen(command, shell=use_shell)",
        "hashlib.md5(data)",
        "pickle.loads(data)",
    ],
)
def test_dangerous_call_is_found(source: str) -> None:
    assert dangerous_calls(source)


def test_no_text_becomes_code_or_a_command() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in tracked("src/sigma/*.py")
        if (names := dangerous_calls(path.read_text()))
    }
    assert found == {}


def test_only_limited_processes_are_started() -> None:
    files = {
        str(path.relative_to(ROOT))
        for path in tracked("src/sigma/*.py")
        if re.search(r"\b(?:subprocess|runpy|multiprocessing)\b", path.read_text())
    }
    assert files == STARTS_PROCESSES | RUNS_OWN_PROGRAM


SINKS = re.compile(
    r"\.(?:innerHTML|outerHTML|srcdoc)\s*\+?=(?!=)|insertAdjacentHTML|document\.write"
    r"|\beval\(|new Function|setHTMLUnsafe|createContextualFragment|javascript:|hx-on|\bjs:"
)


@pytest.mark.parametrize(
    "code",
    [
        "list.innerHTML = text;",
        "row.outerHTML += text;",
        "node.insertAdjacentHTML('beforeend', text)",
        "eval(text)",
        '<a href="javascript:go()">',
    ],
)
def test_script_that_makes_markup_of_text_is_found(code: str) -> None:
    assert SINKS.search(code)


def test_scripts_and_templates_show_text_as_text() -> None:
    """Only htmx and DOMParser read markup: what the server has rendered and escaped."""
    files = [*tracked("frontend/src/*.js"), *tracked("src/sigma/web/templates/*.html")]
    assert len(files) > 50
    found = [str(path) for path in files if SINKS.search(path.read_text())]
    assert found == []
    unescaped = [
        path.name
        for path in tracked("src/sigma/*.html")
        if re.search(r"\|\s*safe\b|autoescape", path.read_text())
    ]
    assert unescaped == ["icons.html"], "the shapes of icons are constants"


ABANDONED = re.compile(
    r"<(?:object|embed|applet|param|frameset|frame|keygen|marquee|blink|bgsound|plaintext|xmp)\b"
    r"|classid=|\bActiveXObject|application/x-(?:shockwave|silverlight|java|nacl|pnacl)"
    r"|X-UA-Compatible|<\?import|document\.all\b|webkitStorageInfo|showModalDialog",
    re.IGNORECASE,
)


@pytest.mark.parametrize(
    "code",
    [
        '<object data="a.swf">',
        "<EMBED src=x>",
        '<applet code="A">',
        "new ActiveXObject('x')",
        'type="application/x-shockwave-flash"',
        '<meta http-equiv="X-UA-Compatible" content="IE=7">',
    ],
)
def test_abandoned_technology_is_found(code: str) -> None:
    assert ABANDONED.search(code)


def test_pages_use_no_plugins_or_abandoned_elements() -> None:
    files = [*tracked("frontend/src/*.js"), *tracked("src/sigma/web/templates/*.html")]
    assert [str(path) for path in files if ABANDONED.search(path.read_text())] == []
    assert "object-src" not in payment_page_policy(()), "default-src 'none' forbids plugins"
    assert "default-src 'none'" in payment_page_policy(())
