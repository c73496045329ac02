"""Uploads: the extension must agree with the content, and nothing is passed on as it came."""

import io

import pytest
from PIL import Image

from sigma.domain.catalogue.uploaded_files import EXTENSIONS, PHOTO, PRICE_LIST, extension_of
from sigma.domain.errors import RefusedError
from sigma.services.catalogue import image_processing
from sigma.services.catalogue.price_list_files import read_book
from tests.photos import decode_image, make_photo
from tests.price_lists import xlsx
from tests.vk_world import VkWorld


@pytest.fixture
async def vk_world(vk_world: VkWorld) -> VkWorld:
    """A client has written, so that the community may reply."""
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    return vk_world


CSV = "Услуга;Цена\nМаникюр;1500\n".encode()
HTML = b"<html><table><tr><td>a</td><td>1</td></tr></table></html>"
ROWS: list[list[str | float]] = [["Услуга", "Цена"], ["Маникюр", 1500.5]]


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "#336699").save(out, kind)
    return out.getvalue()


def problem_code(error: RefusedError) -> tuple[str, str]:
    (problem,) = error.problems
    return problem.field, problem.code


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("a.jpg", ".jpg"),
        ("прайс.XLSX", ".xlsx"),
        ("a.jpg.exe", ".exe"),
        ("a.csv ", ".csv"),
        ("a", ""),
        (".csv", ""),
        ("", ""),
        ("a.", "."),
    ],
)
def test_extension_is_what_follows_the_last_dot(name: str, extension: str) -> None:
    assert extension_of(name) == extension


@pytest.mark.parametrize("extension", EXTENSIONS[PHOTO])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_photo_must_be_what_its_extension_says(extension: str, kind: str) -> None:
    name, data = f"photo{extension.upper()}", picture(kind)
    if kind.lower() in EXTENSIONS[PHOTO][extension]:
        assert await image_processing.reencode(data, name)
        return
    with pytest.raises(RefusedError) as refused:
        await image_processing.reencode(data, name)
    assert problem_code(refused.value) == ("photo", "file_extension")


@pytest.mark.parametrize("name", ["photo.exe", "photo.jpg.svg", "photo", "photo.", ""])
async def test_photo_with_another_extension_is_refused(name: str) -> None:
    with pytest.raises(RefusedError) as refused:
        await image_processing.reencode(picture("JPEG"), name)
    assert problem_code(refused.value) == ("photo", "photo_format")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("list.csv", CSV, ""),
        ("list.txt", CSV, ""),
        ("list.xls", HTML, ""),
        ("list.html", HTML, ""),
        ("list.xlsx", xlsx(ROWS), ""),
        ("list.xlsx", CSV, "file_extension"),
        ("list.xls", xlsx(ROWS), "file_extension"),
        ("list.ods", xlsx(ROWS), "file_extension"),
        ("list.csv", xlsx(ROWS), "file_extension"),
        ("list.csv", HTML, "file_extension"),
        ("list.pdf", CSV, "file_format"),
        ("list", CSV, "file_format"),
        ("list.csv.exe", CSV, "file_format"),
    ],
)
def test_price_list_must_be_what_its_extension_says(name: str, data: bytes, code: str) -> None:
    if not code:
        assert read_book(data, name).sheets
        return
    with pytest.raises(RefusedError) as refused:
        read_book(data, name)
    assert problem_code(refused.value) == (PRICE_LIST, code)


async def test_photo_of_an_operator_is_encoded_again_before_it_leaves(vk_world: VkWorld) -> None:
    """Neither the position in its metadata nor what is appended to it reaches VK."""
    exif = Image.Exif()
    exif[0x010F] = "Camera of Anna"
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "#336699").save(out, "JPEG", exif=exif)
    uploaded = out.getvalue() + b"<?php system('x'); ?>"
    await vk_world.post_message("", photo=uploaded, photo_name="photo.jpg")
    await vk_world.run_jobs()
    await vk_world.poll_events()
    message = (await vk_world.messages())[-1]
    sent = (await vk_world.http.get(vk_world.body(message).attachments[0].url)).content
    assert b"Camera of Anna" not in sent
    assert b"<?php" not in sent
    assert decode_image(sent).size == (64, 48)


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("photo.jpg", b"\xff\xd8\xff" + b"\0" * 50, "photo_format"),
        ("photo.gif", b"GIF89a" + b"\0" * 50, "photo_format"),
        ("photo.png", make_photo(20, 20), "file_extension"),
        ("contract.pdf", b"%PDF-1.7", "photo_format"),
    ],
)
async def test_other_file_of_an_operator_is_refused(
    vk_world: VkWorld, name: str, data: bytes, code: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        await vk_world.post_message("", photo=data, photo_name=name)
    assert problem_code(refused.value) == ("photo", code)
