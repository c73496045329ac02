"""Write the lists of components (SBOM, CycloneDX 1.6) of both our packages.

`python -m scripts.sbom FOLDER` writes `sigma-<version>.cdx.json` and one for the sandbox, valid by
the CycloneDX schema. They name what is pinned in the lock files: versions, licences, SHA-256 of the
files, and which package needs which. https://cyclonedx.org/docs/1.6/json/
"""

import sys
import tomllib
import uuid
from pathlib import Path

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from scripts.components import PYTHON_LOCKS, ROOT, Package, read_packages
from scripts.licences import licence_of

PROJECTS = {"sigma": "pyproject.toml", "sigma-sandbox": "packaging/sigma-sandbox/pyproject.toml"}


def file_name(product: str) -> str:
    """Return the name of the file with the components of one of our packages."""
    return f"{product.replace('-', '_')}-{_version(product)}.cdx.json"


def _version(product: str) -> str:
    project = tomllib.loads((ROOT / PROJECTS[product]).read_text())["project"]
    return str(project["version"])


def build(product: str) -> Bom:
    """Return the components of one of our packages, "sigma" or "sigma-sandbox"."""
    root = Component(
        name=product,
        version=_version(product),
        type=ComponentType.APPLICATION,
        bom_ref=product,
        purl=PackageURL("pypi", None, product, _version(product)),
    )
    packages = read_packages(product)
    components = {package.name: _component(package) for package in packages}
    bom = Bom(components=components.values())
    bom.metadata.component = root
    # The same components have the same number.
    name = "\n".join([product, root.version or "", *(str(one.purl) for one in components.values())])
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, name)
    needs: dict[str, list[Component]] = {}
    direct = []
    for package in packages:
        if package.is_direct:
            direct.append(components[package.name])
        for parent in package.parents:
            needs.setdefault(parent, []).append(components[package.name])
    bom.register_dependency(root, direct)
    for parent, children in needs.items():
        bom.register_dependency(components[parent], children)
    return bom


def _component(package: Package) -> Component:
    hashes = [HashType(alg=HashAlgorithm(name), content=digest) for name, digest in package.hashes]
    purl = PackageURL(package.ecosystem, None, package.name, package.version)
    licence = licence_of(package)
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        scope=ComponentScope.OPTIONAL if package.marker else ComponentScope.REQUIRED,
        licenses=[LicenseExpression(licence)] if licence else [],
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION, url=XsUri(str(purl)), hashes=hashes
            )
        ],
        properties=[Property(name="sigma:marker", value=package.marker)] if package.marker else [],
    )


def to_json(bom: Bom) -> str:
    """Return the document as text. Raises ValueError when it breaks the CycloneDX schema."""
    text = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    if problem := find_problem(text):
        raise ValueError(problem)
    return text


def find_problem(text: str) -> str:
    """Return the first problem of a document by the schema of CycloneDX 1.6; "": it is valid."""
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return f"{error.data.json_path}: {error.data.message}"[:300] if error else ""


def main(arguments: list[str]) -> int:
    """Write both files into the folder `arguments[0]`."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for product in PYTHON_LOCKS:
        bom = build(product)
        (folder / file_name(product)).write_text(to_json(bom))
        print(f"{folder / file_name(product)}: {len(bom.components)} components")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
