"""Check both built wheels: each is complete and holds nothing but its own package.

The wheel of `sigma` must not contain the sandbox, so that no production machine has a fake bank.
"""

import json
import sys
import zipfile
from collections.abc import Set
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
PACKAGES = ("sigma", "sigma_sandbox")
STATIC_PREFIX = "sigma/web/static/"
MANIFEST = f"{STATIC_PREFIX}manifest.json"


def package_files(package: str, source: Path = SOURCE) -> set[str]:
    """Return the files of a package as paths in its wheel, without compiled Python files."""
    return {
        path.relative_to(source).as_posix()
        for path in (source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def frontend_files(wheel: Path) -> set[str]:
    """Return the manifest of the front end and the built files that it lists."""
    with zipfile.ZipFile(wheel) as archive:
        if MANIFEST not in archive.namelist():
            return {MANIFEST}
        built_files: dict[str, str] = json.loads(archive.read(MANIFEST))
    return {MANIFEST, *(STATIC_PREFIX + name for name in built_files.values())}


def find_problems(wheel: Path, package: str, required: Set[str]) -> list[str]:
    """Return a line for each required file that the wheel lacks and for each foreign file in it."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    problems = [f"{wheel.name} lacks {name}" for name in sorted(required - names)]
    for name in sorted(names):
        folder = name.split("/")[0]
        if folder != package and not folder.endswith(".dist-info"):
            problems.append(f"{wheel.name} must not contain {name}")
    return problems


def check(folder: Path, source: Path = SOURCE) -> list[str]:
    """Return the problems of the two wheels in a folder, one line each."""
    problems = []
    for package in PACKAGES:
        wheels = sorted(folder.glob(f"{package}-*.whl"))
        if len(wheels) != 1:
            problems.append(f"expected one wheel of {package} in {folder}, found {len(wheels)}")
            continue
        required = package_files(package, source)
        if package == "sigma":
            required |= frontend_files(wheels[0])
        problems += find_problems(wheels[0], package, required)
    return problems


def main(arguments: list[str]) -> int:
    """Check the wheels in the folder `arguments[0]`; return the exit code, 1 with problems."""
    problems = check(Path(arguments[0]))
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"the wheels in {arguments[0]} are complete")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
