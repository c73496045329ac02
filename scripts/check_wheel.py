"""Checks that a built wheel holds the files that pages, mails and documents are made from."""

import json
import sys
import zipfile
from pathlib import Path, PurePosixPath

STATIC = "sigma/web/static/"


def missing_from(wheel: Path, source: Path) -> list[str]:
    """Names that the wheel should hold and does not: the package's data and the front end."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        manifest: dict[str, str] = {}
        if STATIC + "manifest.json" in names:
            manifest = json.loads(archive.read(STATIC + "manifest.json"))
    wanted = {STATIC + "manifest.json"} | {STATIC + name for name in manifest.values()}
    for path in source.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            wanted.add(str(PurePosixPath(path.relative_to(source.parent))))
    return sorted(wanted - names)


def main() -> int:
    """Exit code 0 when exactly one wheel is in the folder and it is complete."""
    wheels = sorted(Path(sys.argv[1]).glob("sigma-*.whl"))
    if len(wheels) != 1:
        print(f"expected one wheel in {sys.argv[1]}, found {len(wheels)}", file=sys.stderr)
        return 1
    missing = missing_from(wheels[0], Path(__file__).parents[1] / "src" / "sigma")
    for name in missing:
        print(f"missing from {wheels[0].name}: {name}", file=sys.stderr)
    if not missing:
        print(f"{wheels[0]} is complete")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
