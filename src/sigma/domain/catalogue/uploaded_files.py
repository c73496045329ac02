"""Uploaded files: which extensions are accepted, and what a file with each of them contains.

The content decides what a file is; its extension must agree (docs/services.md lists both).
"""

from collections.abc import Mapping

from sigma.domain.errors import Problem

PHOTO, PRICE_LIST = "photo", "file"  # the name of the form field and of its problems

JPEG, PNG, WEBP = "jpeg", "png", "webp"
TEXT, HTML, XML, EXCEL_97 = "text", "html", "xml", "excel_97"
XLSX, XLSB, ODS = "xlsx", "xlsb", "ods"

# Extension → contents that a file with it may have. Programs save HTML and XML as .xls.
EXTENSIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    PHOTO: {".jpg": (JPEG,), ".jpeg": (JPEG,), ".jfif": (JPEG,), ".png": (PNG,), ".webp": (WEBP,)},
    PRICE_LIST: {
        ".csv": (TEXT,),
        ".tsv": (TEXT,),
        ".txt": (TEXT,),
        ".xlsx": (XLSX,),
        ".xlsm": (XLSX,),
        ".xlsb": (XLSB,),
        ".ods": (ODS,),
        ".xls": (EXCEL_97, HTML, XML),
        ".xml": (XML,),
        ".htm": (HTML,),
        ".html": (HTML,),
    },
}


def extension_of(name: str) -> str:
    """Return the extension of a file name in lower case with its dot; "" without one."""
    stem, dot, extension = name.strip().rpartition(".")
    return f".{extension.casefold()}" if dot and stem else ""


def check_file_name(upload: str, name: str, content: str) -> Problem | None:
    """Return what is wrong with the name of a file whose content is known, or None.

    `upload`: PHOTO or PRICE_LIST. `content`: one of the constants of this module.
    """
    extensions = EXTENSIONS[upload]
    extension = extension_of(name)
    if extension not in extensions:
        return Problem(upload, f"{upload}_format")
    if content in extensions[extension]:
        return None
    expected = next((one for one, contents in extensions.items() if content in contents), "")
    return Problem(upload, "file_extension", {"extension": extension, "expected": expected})


def photo_content(data: bytes) -> str:
    """Return the kind of a photo by its first bytes, "" for another file."""
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    return WEBP if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def archive_content(data: bytes) -> str:
    """Return the kind of a spreadsheet in a zip archive, by the names in it."""
    if data[30:].startswith(b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"):
        return ODS
    return XLSB if b"xl/workbook.bin" in data else XLSX
