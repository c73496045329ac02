"""Uploaded photos: decoded within limits and encoded again without metadata.

A photo is decoded by a process of its own (`image_process`), one at a time in this process: its
memory is bounded whatever the file contains, and is given back afterwards.
"""

from dataclasses import dataclass

import msgspec

from sigma.domain.catalogue.uploaded_files import PHOTO, check_file_name, photo_content
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.catalogue import image_process
from sigma.services.platform import limited_process
from sigma.services.platform.limited_process import Limits, SerialExecutor

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 24_000_000
MAX_JPEG_PIXELS = 50_000_000  # cameras of phones; a large JPEG is decoded at a smaller scale
FULL_SIDE_PX, SMALL_SIDE_PX = 1600, 320  # the longer side in pixels
LIMITS = Limits(memory_bytes=512 * 1024**2, cpu_s=20, timeout_s=30)
_executor = SerialExecutor("photos")


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An encoded image: file content, media type, width and height in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


class _ImageJson(msgspec.Struct):
    media_type: str
    width: int
    height: int
    size: int


async def reencode(data: bytes, name: str | None = None) -> tuple[EncodedImage, EncodedImage]:
    """Decode an image and encode it again as the full picture and the small one for lists.

    The first frame of an animation is taken, and turned as its EXIF data says. `name`: of the
    uploaded file, None for one that Sigma itself has fetched. Raises RefusedError("validation") for
    "photo": photo_size, photo_pixels, photo_format, file_extension.
    """
    if len(data) > MAX_BYTES:
        raise _refused("photo_size", max=MAX_BYTES // 1024**2)
    if not (kind := photo_content(data)):
        raise _refused("photo_format")
    if name is not None and (problem := check_file_name(PHOTO, name, kind)):
        raise validation_error(problem)
    sizes = (MAX_PIXELS, MAX_JPEG_PIXELS, FULL_SIDE_PX, SMALL_SIDE_PX)
    result = await _executor.run(
        limited_process.run, image_process.__file__, *map(str, sizes), data=data, limits=LIMITS
    )
    if result.exit_code == image_process.UNREADABLE_EXIT:
        raise _refused("photo_format")
    if result.exit_code != 0:  # also a process that the system ended at its limits
        raise _refused("photo_pixels")
    header, _, contents = result.stdout.partition(b"\n")
    images = []
    for one in msgspec.json.decode(header, type=list[_ImageJson]):
        content, contents = contents[: one.size], contents[one.size :]
        images.append(EncodedImage(content, one.media_type, one.width, one.height))
    full, small = images
    return full, small


def _refused(code: str, **params: object) -> RefusedError:
    return validation_error(Problem("photo", code, params))
