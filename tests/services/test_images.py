"""Photos are decoded in a process of its own with bounded memory, one at a time."""

import asyncio
import io
import os
import resource
import signal
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sigma.domain.errors import RefusedError
from sigma.services.catalogue import image_process, image_processing
from sigma.services.catalogue.image_processing import reencode
from sigma.services.platform import limited_process
from sigma.services.platform.limited_process import Limits, Processes, SerialExecutor
from tests.photos import decode_image, make_photo


async def _refusal(data: bytes) -> str:
    with pytest.raises(RefusedError) as caught:
        await reencode(data)
    return caught.value.problems[0].code


def _pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    value = image.convert("RGBA").getpixel((x, y))
    assert isinstance(value, tuple)
    return tuple(map(int, value))


def _is_near(pixel: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(pixel, expected, strict=False))


@pytest.mark.parametrize(
    ("image_format", "mode", "more"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "L", {}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "L", {}),
        ("PNG", "LA", {}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGBA", {"lossless": True}),
    ],
)
async def test_every_kind_of_photo_is_reencoded(
    image_format: str, mode: str, more: dict[str, Any]
) -> None:
    full, small = await reencode(make_photo(400, 200, image_format, mode=mode, **more))
    assert (full.width, full.height, small.width, small.height) == (400, 200, 320, 160)
    decoded = decode_image(full.data)
    assert decoded.size == (400, 200)
    assert _is_near(_pixel(decoded, 10, 10), (255, 255, 255))
    expected = (200, 30, 60) if mode.startswith("RGB") else (200, 200, 200)
    assert _is_near(_pixel(decoded, 390, 190), expected)


async def test_cmyk_photo_becomes_rgb() -> None:
    out = io.BytesIO()
    Image.new("CMYK", (60, 40), (0, 255, 255, 0)).save(out, "JPEG")
    full, _ = await reencode(out.getvalue())
    image = decode_image(full.data)
    assert image.mode == "RGB"
    assert _is_near(_pixel(image, 30, 20), (255, 0, 0))


async def test_sixteen_bit_photo_keeps_its_shades() -> None:
    out = io.BytesIO()
    Image.new("I;16", (60, 40), 0x8000).save(out, "PNG")
    full, _ = await reencode(out.getvalue())
    assert _is_near(_pixel(decode_image(full.data), 30, 20), (128, 128, 128))


async def test_palette_with_a_transparent_colour_keeps_its_transparency() -> None:
    image = Image.new("P", (60, 40), 1)
    image.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    image.paste(0, (0, 0, 30, 40))
    out = io.BytesIO()
    image.save(out, "PNG", transparency=1)
    full, _ = await reencode(out.getvalue())
    decoded = decode_image(full.data)
    assert full.media_type == "image/png"
    assert (_pixel(decoded, 50, 20)[3], _pixel(decoded, 5, 20)) == (0, (255, 0, 0, 255))


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
async def test_first_frame_of_an_animation_is_taken(image_format: str) -> None:
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue", "green")]
    out = io.BytesIO()
    frames[0].save(out, image_format, save_all=True, append_images=frames[1:], duration=100)
    full, _ = await reencode(out.getvalue())
    decoded = decode_image(full.data)
    assert getattr(decoded, "n_frames", 1) == 1
    assert _is_near(_pixel(decoded, 30, 20), (255, 0, 0))


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_photo_is_turned_as_its_camera_says(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    full, small = await reencode(make_photo(400, 200, exif=exif.tobytes()))
    is_turned = orientation >= 5
    assert (full.width > full.height, small.width > small.height) == (not is_turned,) * 2
    corners = {1: (5, 5), 2: (-5, 5), 3: (-5, -5), 4: (5, -5), 5: (5, 5), 6: (-5, 5)}
    x, y = (corners | {7: (-5, -5), 8: (5, -5)})[orientation]
    image = decode_image(full.data)
    pixel = _pixel(image, x % image.width, y % image.height)
    assert _is_near(pixel, (255, 255, 255))  # the white quarter, in its right corner
    assert not image.getexif()


def _png(width: int, height: int, colour_type: int = 6, rows: int | None = None) -> bytes:
    """Return a PNG of zeros; with `rows` it has fewer rows than its header says."""
    channels = {0: 1, 2: 3, 6: 4}[colour_type]

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    packer = zlib.compressobj(1)
    rows = height if rows is None else rows
    data = b"".join(packer.compress(b"\0" * (1 + width * channels)) for _ in range(rows))
    head = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    data += packer.flush()
    signed = b"\x89PNG\r\n\x1a\n"
    return signed + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _jpeg_that_claims(width: int, height: int) -> bytes:
    """Return a small JPEG whose header claims another size."""
    data = make_photo(16, 16)
    start = data.index(b"\xff\xc0") + 5  # SOF0: length, precision, then height and width
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (_jpeg_that_claims(9000, 8000), "photo_pixels"),
        (_jpeg_that_claims(65_500, 65_500), "photo_pixels"),
        (_png(7000, 7000, rows=1), "photo_pixels"),  # 49 megapixels
        (_png(24_001, 1000, rows=1), "photo_pixels"),
        (_png(2**31 - 1, 1, rows=0), "photo_pixels"),
        (_png(1000, 1000)[:-2000], "photo_format"),  # ends early
        (make_photo(400, 400)[:-2000], "photo_format"),
        (make_photo(400, 400, "WEBP")[:-200], "photo_format"),
        (b"", "photo_format"),
    ],
    ids=range(9),
)
async def test_decompression_bomb_and_broken_photo_are_refused(data: bytes, code: str) -> None:
    assert await _refusal(data) == code


async def test_largest_photo_is_decoded_in_another_process_with_bounded_memory() -> None:
    data = _png(6000, 4000)
    own_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    full, _ = await reencode(data)
    own_after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (full.width, full.height) == (1600, 1067)
    assert own_after - own_before < 50_000  # KB: 24 megapixels alone are 96 MB


def test_process_without_memory_ends_and_only_it() -> None:
    sizes = (image_processing.MAX_PIXELS, image_processing.MAX_JPEG_PIXELS, 1600, 320)
    result = limited_process.run(
        image_process.__file__,
        *map(str, sizes),
        data=_png(6000, 4000),
        limits=Limits(memory_bytes=150 * 1024**2, cpu_s=20, timeout_s=60),
    )
    assert result.exit_code not in (0, None, image_process.UNREADABLE_EXIT)


def test_process_that_does_not_end_is_ended() -> None:
    limits = Limits(memory_bytes=512 * 1024**2, cpu_s=20, timeout_s=0.01)
    result = limited_process.run(image_process.__file__, data=b"", limits=limits)
    assert result.exit_code is None


async def test_stop_ends_running_processes_and_starts_no_other(tmp_path: Path) -> None:
    processes, program, started = Processes(), tmp_path / "endless.py", tmp_path / "started"
    program.write_text(f"import time\nopen({str(started)!r}, 'w').close()\ntime.sleep(60)")
    os.mkfifo(started)
    limits = Limits(memory_bytes=512 * 1024**2, cpu_s=20, timeout_s=60)
    executor = SerialExecutor("test-stop")
    calls = [
        asyncio.create_task(executor.run(processes.run, str(program), data=b"x", limits=limits))
        for _ in range(3)
    ]
    await asyncio.to_thread(started.read_text)  # returns when the first program has begun
    processes.end()
    results = await asyncio.wait_for(asyncio.gather(*calls), 30)
    assert [result.exit_code for result in results] == [-signal.SIGKILL, None, None]


async def test_calls_of_an_executor_run_one_at_a_time_in_a_thread_of_its_own() -> None:
    executor, running, threads = SerialExecutor("test"), list[int](), set[str]()
    started, release = threading.Event(), threading.Event()

    def work(number: int) -> int:
        running.append(number)
        threads.add(threading.current_thread().name)
        assert len(running) == 1
        started.set()
        release.wait(30)
        running.remove(number)
        return number

    calls = [asyncio.create_task(executor.run(work, number)) for number in range(5)]
    await asyncio.to_thread(started.wait, 30)
    assert len(running) == 1  # the others wait
    release.set()
    assert await asyncio.gather(*calls) == [0, 1, 2, 3, 4]
    assert len(threads) == 1
    assert threading.current_thread().name not in threads
