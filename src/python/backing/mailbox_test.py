"""The mailbox: what is sent is shown, once, and nothing of it is run."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
from aiosmtplib import send

from backing.mailbox import Mailbox
from backing.ports import LOOPBACK


def _mail(to: str, subject: str = "Thank you", message_id: str | None = None) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@example.com", to, subject
    if message_id:
        mail["Message-ID"] = message_id
    mail.set_content("Your order: 2 Becher für dich")
    mail.add_alternative("<p>Your <b>order</b></p><script>alert(1)</script>", subtype="html")
    return mail


async def _send(mailbox: Mailbox, mail: EmailMessage) -> None:
    await send(mail, hostname=LOOPBACK, port=mailbox.smtp_port, start_tls=False)


async def test_a_mail_is_found_by_its_recipient(mailbox: Mailbox) -> None:
    """Text, subject and addresses come out as they went in."""
    await _send(mailbox, _mail("ada@example.com", "Grüße"))
    await _send(mailbox, _mail("bob@example.com"))
    (mail,) = mailbox.messages(to="ada@example.com")
    assert ("Grüße", "shop@example.com", ["ada@example.com"]) == (mail["subject"], mail["sender"], mail["to"])
    assert "Your order: 2 Becher für dich" == mail["text"]
    assert "<b>order</b>" in mail["html"]
    assert 2 == len(mailbox.messages())


async def test_the_same_message_id_is_stored_once(mailbox: Mailbox) -> None:
    """A sender that repeats a mail whose answer was lost does not fill the mailbox."""
    for _ in range(2):
        await _send(mailbox, _mail("ada@example.com", message_id="<order-1@shop>"))
    await _send(mailbox, _mail("ada@example.com", message_id="<order-2@shop>"))
    assert 2 == len(mailbox.messages(to="ada@example.com"))


async def test_the_page_shows_a_mail_without_running_it(mailbox: Mailbox) -> None:
    """A mail's HTML is framed and sandboxed, and its subject escaped."""
    await _send(mailbox, _mail("ada@example.com", "<script>alert(2)</script>"))
    (mail,) = mailbox.messages()
    async with httpx.AsyncClient(base_url=mailbox.url) as client:
        listing = (await client.get("/")).text
        page = (await client.get(f"/messages/{mail['id']}")).text
    assert "<script>" not in listing + page
    assert "iframe sandbox" in page


async def test_mails_survive_a_restart(tmp_path: Path) -> None:
    """Mails and their order are kept in the directory."""
    mailbox = Mailbox(tmp_path / "mails", log=tmp_path / "log")
    for subject in ("first", "second"):
        mailbox.start()
        mailbox.wait_ready()
        await _send(mailbox, _mail("ada@example.com", subject, f"<{subject}@shop>"))
        assert subject == mailbox.messages()[0]["subject"]
        mailbox.stop()
    assert 0 == mailbox.process.returncode
    mailbox.start()
    mailbox.wait_ready()
    assert ["second", "first"] == [mail["subject"] for mail in mailbox.messages()]
    mailbox.stop()


async def test_many_mails_over_one_connection(mailbox: Mailbox) -> None:
    """A sender may keep its connection."""
    async with aiosmtplib.SMTP(hostname=LOOPBACK, port=mailbox.smtp_port, start_tls=False) as client:
        for number in range(20):
            await client.send_message(_mail("ada@example.com", f"{number}", f"<{number}@shop>"))
    assert 20 == len(mailbox.messages(to="ada@example.com"))
