"""What is distributed with Sigma: components, their licences, and no secrets in the repository."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import licences, sbom, secret_scan
from scripts.components import PYTHON_LOCKS, ROOT, Package, read_frontend_lock, read_packages

LOCK = """\
click==8.3.1 ; python_version >= '3.11' \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
    # via
    #   -c requirements/run.lock
    #   litestar
    #   sigma (pyproject.toml)
litestar==3.0 \\
    --hash=sha256:{c}
    # via sigma (pyproject.toml)
""".format(a="a" * 64, b="b" * 64, c="c" * 64)


def write_locks(folder: Path, lock: str) -> Path:
    """Write the lock files of a small repository; return its folder."""
    for name in (*PYTHON_LOCKS.values(), "frontend/package-lock.json"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"packages": {}}' if name.endswith(".json") else lock)
    return folder


def test_lock_file_is_read_with_hashes_and_parents(tmp_path: Path) -> None:
    click, litestar = read_packages("sigma", write_locks(tmp_path, LOCK))
    assert (click.name, click.version) == ("click", "8.3.1")
    assert click.marker == "python_version >= '3.11'"
    assert [digest[0] for _, digest in click.hashes] == ["a", "b"]
    assert (click.parents, click.is_direct) == (("litestar",), True)
    assert (litestar.parents, litestar.is_direct, litestar.marker) == ((), True, "")


def test_only_packages_built_into_the_pages_count() -> None:
    entry = {"version": "1.0", "integrity": "sha512-AAAA", "license": "MIT"}
    packages = {
        "": {"dependencies": {"shipped": "^1"}},
        "node_modules/shipped": {**entry, "dependencies": {"inner": "^1"}},
        "node_modules/inner": entry,
        "node_modules/tool": {**entry, "dev": True},
    }
    shipped, inner = read_frontend_lock(json.dumps({"packages": packages}))
    assert (shipped.name, shipped.is_direct, shipped.parents) == ("shipped", True, ())
    assert (inner.name, inner.is_direct, inner.parents) == ("inner", False, ("shipped",))


@pytest.mark.parametrize("product", PYTHON_LOCKS)
def test_list_of_components_is_valid_and_names_every_pinned_package(product: str) -> None:
    found = json.loads(sbom.to_json(sbom.build(product)))
    assert found["specVersion"] == "1.6"
    assert found["metadata"]["component"]["name"] == product
    pinned = {f"pkg:{one.ecosystem}/{one.name}@{one.version}" for one in read_packages(product)}
    assert {one["purl"] for one in found["components"]} == pinned
    assert any(purl.startswith("pkg:npm/htmx.org@") for purl in pinned) == (product == "sigma")
    assert not any("esbuild" in purl or "pytest" in purl for purl in pinned)
    for one in found["components"]:
        assert one["licenses"], one["name"]
        assert one["externalReferences"][0]["hashes"], one["name"]
    needs = {one["ref"]: set(one.get("dependsOn", ())) for one in found["dependencies"]}
    reached: set[str] = set()
    rest = set(needs[product])
    while rest:
        reached |= rest
        rest = {ref for parent in rest for ref in needs[parent]} - reached
    assert reached == pinned, "every package is needed by ours, directly or not"


def test_same_packages_give_the_same_serial_number() -> None:
    first, other, again = (
        sbom.build(product).serial_number for product in ("sigma", "sigma-sandbox", "sigma")
    )
    assert first == again != other


def test_document_that_breaks_the_schema_is_found() -> None:
    valid = json.loads(sbom.to_json(sbom.build("sigma-sandbox")))
    assert sbom.find_problem(json.dumps(valid)) == ""
    assert "bomFormat" in sbom.find_problem(json.dumps({**valid, "bomFormat": "Other"}))
    assert "surprise" in sbom.find_problem(json.dumps({**valid, "surprise": 1}))


def test_lists_of_components_are_written_beside_the_wheels(tmp_path: Path) -> None:
    assert sbom.main([str(tmp_path / "dist")]) == 0
    names = sorted(path.name for path in (tmp_path / "dist").iterdir())
    assert names == ["sigma-0.1.0.cdx.json", "sigma_sandbox-0.1.0.cdx.json"]
    makefile = (ROOT / "Makefile").read_text()
    recipes = {part.partition(":")[0]: part for part in makefile.split("\n\n")}
    assert "scripts.sbom dist" in recipes["wheel"]
    for script in ("scripts.licences --check", "scripts.sbom dist", "scripts.secret_scan"):
        assert script in recipes["check"]


def test_every_package_has_an_allowed_licence_and_the_page_is_up_to_date() -> None:
    assert licences.main(["--check"]) == 0
    packages = [one for product in PYTHON_LOCKS for one in read_packages(product)]
    assert set(licences.REVIEWED) <= {one.name for one in packages}, "only packages that we have"
    used = {licences.licence_of(one) for one in packages}
    assert not {name for name in licences.ALLOWED if not any(name in text for text in used)}


@pytest.mark.parametrize(
    ("expression", "is_allowed"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("(MIT AND Apache-2.0) OR AGPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-or-later", False),
        ("AGPL-3.0-only", False),
        ("LGPL-3.0-only", False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("SSPL-1.0", False),
        ("LicenseRef-Proprietary", False),
        ("BSD", False),
        ("UNLICENSED", False),
        ("see file", False),
        ("", False),
    ],
)
def test_licence_is_allowed_only_by_the_list(expression: str, is_allowed: bool) -> None:
    assert licences.is_allowed(expression) is is_allowed
    problems = licences.find_problems([Package("npm", "new", "1", (), licence=expression)])
    assert (problems == []) is is_allowed


BSD, MIT = "License :: OSI Approved :: BSD License", "License :: OSI Approved :: MIT License"
GPL = "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"


@pytest.mark.parametrize(
    ("fields", "expression"),
    [
        ({"License-Expression": ["MIT"], "License": ["GPL-3.0-only"]}, "MIT"),
        ({"License": ["Apache-2.0"], "Classifier": [BSD]}, "Apache-2.0"),
        ({"License": ["MIT License"], "Classifier": [MIT]}, "MIT"),
        ({"Classifier": [BSD]}, ""),
        ({"Classifier": [MIT, GPL]}, ""),
        ({"License": ["Copyright (c) 2020 by somebody. " * 50]}, ""),
        ({}, ""),
    ],
)
def test_licence_is_read_from_metadata_only_when_they_are_clear(
    fields: dict[str, list[str]], expression: str
) -> None:
    assert licences.licence_from_metadata(fields) == expression


def test_package_of_an_unknown_licence_is_reported() -> None:
    (problem,) = licences.find_problems([Package("pypi", "no-such-package-here", "1", ())])
    assert problem.startswith("no-such-package-here: no known licence")


# Not real, and joined here so that the scan of this file does not find them.
FAKE_SECRETS = {
    "API key of Sigma": "key = 'sk_" + "aB3dE5fG7hJ9" * 4 + "'",
    "access key of VK": "vk1.a." + "q-W3e_R5t" * 9,
    "live key of YooKassa": "live_" + "Aq3-x_9Zk" * 5,
    "secret key of an installation": "SIGMA_SECRET_KEY=" + "xY7-zT2_w" * 6,
    "private key": "-----BEGIN " + "PRIVATE KEY-----",
    "RSA key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "password in a URL": "postgresql://sigma:" + "kG8vQz2m" + "@db/sigma",
    "GitHub token": "ghp_" + "aB3dE5fG7hJ9" * 3,
    "AWS key": "AKIA" + "IOSFODNN7EXA" + "QRST",
    "random text": "token = '" + "9f86d081884c7d65" + "9a2feaa0c55ad015'",
}


@pytest.mark.parametrize("text", FAKE_SECRETS.values(), ids=FAKE_SECRETS)
def test_secret_in_a_file_is_found_but_not_printed(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(f"x = 1\n{text}\n")
    found = secret_scan.scan_files(tmp_path, ["a.py"])
    assert {finding.line for finding in found} == {2}
    assert not any(text[10:30] in str(finding) for finding in found)
    (tmp_path / "a.py").write_text(f"x = 1\n{text}  # {secret_scan.ALLOWED}\n")
    assert secret_scan.scan_files(tmp_path, ["a.py"]) == []


def test_examples_and_lock_files_are_no_secrets(tmp_path: Path) -> None:
    files = {
        "requirements/run.lock": FAKE_SECRETS["random text"],
        "b.md": "smtps://user:password@mail.example.ru postgresql://s:{password}@h/d",
        "c.py": 'KEY = "0123456789abcdef0123456789abcdef"',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "d.png").write_bytes(b"\x89PNG\xff\xfe")
    assert secret_scan.scan_files(tmp_path, [*files, "d.png"]) == []


def test_files_that_git_would_add_are_scanned(tmp_path: Path) -> None:
    for name in (".gitignore", ".env", "new.py", "dist/made.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(".env\ndist/\n")
    outside = secret_scan.tracked_files(tmp_path)
    assert outside == [".env", ".gitignore", "new.py"], "no repository: sources from an archive"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert secret_scan.tracked_files(tmp_path) == [".gitignore", "new.py"]


def test_repository_contains_no_secrets() -> None:
    command = [sys.executable, "-m", "scripts.secret_scan"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "contain no secrets" in result.stdout
