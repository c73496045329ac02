"""The sandbox mailbox: mail received over SMTP, read as pages and JSON."""

from email.header import Header
from email.message import EmailMessage
from email.policy import default

import aiosmtplib
import httpx
import pytest

from tests.sandbox.merchants import Merchant


def make_mail(to: str, subject: str = "Чек по счёту 42") -> EmailMessage:
    """Build a mail with text, HTML, an inline image and a PDF."""
    message = EmailMessage()
    message["From"] = "Студия <shop@example.com>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = "<1@example.com>"
    message.set_content("Оплачено 1 500,00 ₽")
    message.add_alternative(
        '<p>Оплачено <b>1 500,00 ₽</b></p><script>alert(1)</script><img src="cid:logo">',
        subtype="html",
    )
    html = message.get_payload()[1]  # type: ignore[index]
    html.add_related(b"\x89PNG", "image", "png", cid="<logo>")  # type: ignore[union-attr]
    message.add_attachment(b"%PDF-1.7", "application", "pdf", filename="Чек 42.pdf")
    return message


async def send(
    merchant: Merchant,
    message: EmailMessage,
    username: str | None = None,
    password: str | None = None,
) -> None:
    await aiosmtplib.send(
        message,
        hostname="127.0.0.1",
        port=merchant.sandbox.smtp_port,
        start_tls=False,
        username=username,
        password=password,
    )


async def list_mails(merchant: Merchant, to: str) -> list[dict[str, object]]:
    """Return the mails of a recipient as JSON, newest first."""
    url = f"{merchant.sandbox.base_url}/mail/api/messages"
    mails: list[dict[str, object]] = (await merchant.http.get(url, params={"to": to})).json()
    return mails


async def test_received_mail_is_listed_with_text_headers_and_attachments(
    merchant: Merchant,
) -> None:
    to = f"{merchant.id}@mail.ru"
    await send(merchant, make_mail(to), username="anyone", password="anything")
    await send(merchant, make_mail(to, "Второе"))
    newest, first = await list_mails(merchant, to.upper())
    assert (newest["subject"], first["subject"]) == ("Второе", "Чек по счёту 42")
    assert (first["from"], first["to"]) == ("shop@example.com", [to])
    assert first["text"] == "Оплачено 1 500,00 ₽\n"
    assert "<b>1 500,00 ₽</b>" in str(first["html"])
    assert first["headers"]["Message-ID"] == "<1@example.com>"  # type: ignore[index]
    files = {file["name"]: file for file in first["attachments"]}  # type: ignore[attr-defined]
    assert files["Чек 42.pdf"]["content_type"] == "application/pdf"
    assert files["Чек 42.pdf"]["size"] == 8
    assert (await merchant.http.get(files["Чек 42.pdf"]["url"])).content == b"%PDF-1.7"
    single = await merchant.http.get(f"{merchant.sandbox.base_url}/mail/api/messages/{first['id']}")
    assert single.json() == first


async def test_mail_is_displayed_without_scripts(merchant: Merchant) -> None:
    to = f"{merchant.id}@mail.ru"
    await send(merchant, make_mail(to, "<b>Чек</b>"))
    (only,) = await list_mails(merchant, to)
    base = f"{merchant.sandbox.base_url}/mail/{only['id']}"
    listed = (await merchant.http.get(f"{merchant.sandbox.base_url}/mail/")).text
    assert "&lt;b&gt;Чек&lt;/b&gt;" in listed
    assert "Чек 42.pdf" in (await merchant.http.get(base)).text
    assert "Оплачено 1 500,00 ₽" in (await merchant.http.get(base, params={"view": "text"})).text
    body = await merchant.http.get(f"{base}/body")
    assert "data:image/png;base64," in body.text
    policy = body.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy


async def test_mail_is_refused_by_fault_rules(merchant: Merchant) -> None:
    refused, busy = f"no{merchant.id}@mail.ru", f"busy{merchant.id}@mail.ru"
    url = f"{merchant.sandbox.base_url}/control"
    rules = {"mail_refuse": {"on": refused}, "mail_busy": {"on": busy, "times": 1}}
    await merchant.http.post(url, json=rules)
    for to, code in ((refused, 550), (busy, 451)):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as error:
            await send(merchant, make_mail(to))
        assert error.value.recipients[0].code == code
    await send(merchant, make_mail(busy))
    assert len(await list_mails(merchant, busy)) == 1
    await merchant.http.post(url, json={"mail_refuse": None, "mail_busy": None})


async def test_mails_are_deleted(merchant: Merchant) -> None:
    await send(merchant, make_mail("x@mail.ru"))
    url = f"{merchant.sandbox.base_url}/mail/api/messages"
    assert (await merchant.http.delete(url)).status_code == 204
    assert (await merchant.http.get(url)).json() == []
    missing: httpx.Response = await merchant.http.get(f"{url}/none")
    assert missing.status_code == 404


async def test_long_sender_name_and_subject_are_shown_letter_by_letter(merchant: Merchant) -> None:
    to, name = f"{merchant.id}@mail.ru", "Студия маникюра «Лак» на Большой Садовой улице 💅🏽"
    mail = make_mail(to, "")
    del mail["From"], mail["Subject"]
    mail.policy = default.clone(refold_source="none")
    mail.set_raw("From", f"{Header(name, 'utf-8').encode(linesep=chr(10))} <shop@example.com>")
    mail.set_raw("Subject", Header(name * 3, "utf-8").encode(linesep="\n"))
    await aiosmtplib.send(  # bytes: a message would be folded again, with spaces lost
        mail.as_bytes(),
        sender="shop@example.com",
        recipients=[to],
        hostname="127.0.0.1",
        port=merchant.sandbox.smtp_port,
        start_tls=False,
    )
    (only,) = await list_mails(merchant, to)
    assert only["headers"]["From"] == f"{name} <shop@example.com>"  # type: ignore[index]
    assert only["subject"] == name * 3
    page = await merchant.http.get(f"{merchant.sandbox.base_url}/mail/{only['id']}")
    assert name in page.text
