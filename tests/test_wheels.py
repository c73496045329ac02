"""The two wheels: Sigma without the sandbox, and the sandbox by itself."""

import subprocess
import sys
import zipfile
from collections.abc import Iterable
from email.parser import Parser
from pathlib import Path

import pytest

from scripts.check_wheel import SOURCE, check, main, package_files

ROOT = Path(__file__).parents[1]
FRONTEND = {"sigma/web/static/manifest.json", "sigma/web/static/app-1.js"}
MANIFEST = '{"app.js": "app-1.js"}'


@pytest.fixture(scope="module")
def built_wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with both wheels, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    for project in (ROOT, ROOT / "packaging" / "sigma-sandbox"):
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
            cwd=project,
            check=True,
            capture_output=True,
        )
    return folder


def test_built_wheels_are_complete_and_separate(built_wheels: Path) -> None:
    assert check(built_wheels) == []


def test_sigma_requires_the_sandbox_only_for_its_extra(built_wheels: Path) -> None:
    (wheel,) = built_wheels.glob("sigma-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    requirements = metadata.get_all("Requires-Dist") or []
    assert [one for one in requirements if "sandbox" in one or "aiosmtpd" in one] == [
        "sigma-sandbox; extra == 'sandbox'"
    ]


def write_wheel(folder: Path, package: str, names: Iterable[str]) -> None:
    """Write a wheel with these files; all are empty except the manifest of the front end."""
    with zipfile.ZipFile(folder / f"{package}-1-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{package}-1.dist-info/METADATA", "")
        for name in names:
            archive.writestr(name, MANIFEST if name.endswith("manifest.json") else "")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a source folder with two small packages."""
    for name in (
        *("sigma/__init__.py", "sigma/texts/ru.toml", "sigma/__pycache__/a.pyc"),
        *("sigma_sandbox/__init__.py", "sigma_sandbox/templates/home.html"),
    ):
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "src"


@pytest.mark.parametrize(
    ("package", "missing", "extra", "problem"),
    [
        ("sigma", {"sigma/texts/ru.toml"}, set(), "lacks sigma/texts/ru.toml"),
        ("sigma", {"sigma/web/static/app-1.js"}, set(), "lacks sigma/web/static/app-1.js"),
        ("sigma", FRONTEND, set(), "lacks sigma/web/static/manifest.json"),
        ("sigma", set(), {"sigma_sandbox/app.py"}, "must not contain sigma_sandbox/app.py"),
        (
            "sigma_sandbox",
            {"sigma_sandbox/templates/home.html"},
            set(),
            "lacks sigma_sandbox/templates/home.html",
        ),
        ("sigma_sandbox", set(), {"sigma/main.py"}, "must not contain sigma/main.py"),
    ],
)
def test_wrong_wheel_is_reported(
    source: Path, tmp_path: Path, package: str, missing: set[str], extra: set[str], problem: str
) -> None:
    files = {
        "sigma": package_files("sigma", source) | FRONTEND,
        "sigma_sandbox": package_files("sigma_sandbox", source),
    }
    for name, names in files.items():
        write_wheel(tmp_path, name, names)
    assert check(tmp_path, source) == []
    write_wheel(tmp_path, package, (files[package] - missing) | extra)
    (line,) = check(tmp_path, source)
    assert line == f"{package}-1-py3-none-any.whl {problem}"


def test_missing_wheel_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wheel(tmp_path, "sigma", package_files("sigma", SOURCE) | FRONTEND)
    assert main([str(tmp_path)]) == 1
    assert "expected one wheel of sigma_sandbox" in capsys.readouterr().err
