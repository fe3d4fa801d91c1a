from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    NoCredentialsError,
    ReadTimeoutError,
)

from backing.fixtures import Account
from chassis import aws
from chassis.jobs import Later, Outage, Rejected
from services.notification.conftest import taken_by_ses
from services.notification.mailer import message
from services.notification.mailer_test import SENDER, mail
from services.notification.ses import SesMailer


@dataclass
class FakeSes:
    """Takes mails, but for those to whom a test says; shows what it was given."""

    refused: dict[str, Exception] = field(default_factory=dict)  # by address
    asked: list[str] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)

    async def send_email(self, **request: Any) -> dict[str, str]:
        (address,) = request["Destination"]["ToAddresses"]
        self.asked.append(address)
        if address in self.refused:
            raise self.refused[address]
        self.taken.append(request["Content"]["Raw"]["Data"])
        return {"MessageId": "1"}


def answer(code: str, text: str = "", status: int = 400) -> ClientError:
    """What SES says in the place of yes."""
    said = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "SendEmail")


def read(mime: bytes) -> EmailMessage:
    return message_from_bytes(mime, policy=policy.default)


@pytest.fixture
async def ses(broker: Account, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A client of SES, in an account of the test's own that has verified nothing yet."""
    for name, value in broker.environment.items():
        monkeypatch.setenv(name, value)
    async with aws.client("sesv2") as client:
        yield client


async def test_a_mail_is_taken(ses: Any, broker: Account) -> None:
    """In both forms, for whom it should be."""
    await ses.create_email_identity(EmailIdentity="mercato.example")
    sent = mail(text="Grüße, Ada", html="<p>Grüße, Ada</p>", subject="Überraschung 🦊", name="Ädä")
    assert {} == await SesMailer(ses, SENDER).send([sent])
    (taken,) = await taken_by_ses(broker)
    assert ("Überraschung 🦊", ["ada@example.com"]) == (taken["Subject"], taken["To"])
    assert ("Grüße, Ada", "<p>Grüße, Ada</p>") == (taken["BodyText"].strip(), taken["BodyHtml"].strip())


async def test_a_mail_waits_until_its_sender_is_verified(ses: Any, broker: Account) -> None:
    """Somebody mends that, and no mail is lost meanwhile."""
    sent = mail()
    failures = await SesMailer(ses, SENDER).send([sent])
    assert [Later] == [type(failure) for failure in failures.values()]
    await ses.create_email_identity(EmailIdentity="mercato.example")
    assert {} == await SesMailer(ses, SENDER).send([sent])
    assert 1 == len(await taken_by_ses(broker))


async def test_in_the_sandbox_mails_to_others_wait(ses: Any, broker: Account) -> None:
    """For the account to be let out; those whose address is verified get theirs, and nobody is named."""
    for identity in ("mercato.example", "ada@example.com"):
        await ses.create_email_identity(EmailIdentity=identity)
    await ses.put_account_details(
        MailType="TRANSACTIONAL", WebsiteURL="https://mercato.example", ProductionAccessEnabled=False
    )
    some = [mail(address="eve@example.com"), mail()]
    failures = await SesMailer(ses, SENDER).send(some)
    assert {some[0].id: Later} == {mail_id: type(failure) for mail_id, failure in failures.items()}
    assert "not verified" in str(failures[some[0].id])
    assert "eve@example.com" not in str(failures[some[0].id])
    assert [["ada@example.com"]] == [taken["To"] for taken in await taken_by_ses(broker)]


async def test_it_is_the_mail_that_goes_out_by_smtp() -> None:
    """Header by header and part by part; in ASCII, as SES asks for."""
    ses, sent = FakeSes(), mail(text="Grüße", html="<p>Grüße</p>", subject="Grüße", name="Ädä")
    await SesMailer(ses, SENDER).send([sent])
    (mime,) = ses.taken
    taken, expected = read(mime), message(sent, SENDER)
    assert mime.isascii()
    assert expected.keys() == taken.keys()
    for name in set(expected.keys()) - {"Content-Type"}:  # in which each has a boundary of its own
        assert str(expected[name]) == str(taken[name])
    assert [part.get_content() for part in expected.iter_parts()] == [
        part.get_content() for part in taken.iter_parts()
    ]


async def test_an_address_that_is_none_is_refused_alone() -> None:
    """SES is not asked."""
    ses, wrong, right = FakeSes(), mail(address="ada@example.com, eve@example.com"), mail()
    failures = await SesMailer(ses, SENDER).send([wrong, right])
    assert {wrong.id: Rejected} == {mail_id: type(failure) for mail_id, failure in failures.items()}
    assert ["ada@example.com"] == ses.asked


@pytest.mark.parametrize("code", ["MessageRejected", "BadRequestException"])
async def test_a_mail_that_is_wrong_is_refused_alone(code: str) -> None:
    """For good, and its recipient is not named, however SES writes the address."""
    ses = FakeSes({"eve@example.com": answer(code, "Illegal address: Eve@Example.com")})
    some = [mail(), mail(address="eve@example.com"), mail()]
    failures = await SesMailer(ses, SENDER).send(some)
    assert {some[1].id: Rejected} == {mail_id: type(failure) for mail_id, failure in failures.items()}
    assert "Illegal address: <recipient>" in str(failures[some[1].id])
    assert 2 == len(ses.taken)


OUTAGES = [
    answer("TooManyRequestsException", "Maximum sending rate exceeded.", 429),
    answer("ThrottlingException", "Daily message quota exceeded."),
    answer("LimitExceededException"),
    answer("AccountSuspendedException"),
    answer("SendingPausedException"),
    answer("MailFromDomainNotVerifiedException"),
    answer("NotFoundException", status=404),
    answer("AccessDeniedException", "not authorized to perform ses:SendRawEmail", 403),
    NoCredentialsError(),
]
UNCLEAR = [
    answer("InternalServiceErrorException", status=500),
    ReadTimeoutError(endpoint_url="http://ses"),
    ConnectionClosedError(endpoint_url="http://ses"),
]


@pytest.mark.parametrize("error", OUTAGES, ids=str)
async def test_what_concerns_every_mail_is_an_outage(error: Exception) -> None:
    """None has been sent, and none uses up a try."""
    ses = FakeSes({"ada@example.com": error})
    with pytest.raises(Outage, match="SES cannot be used: "):
        await SesMailer(ses, SENDER).send([mail(), mail()])
    assert 1 == len(ses.asked)


@pytest.mark.parametrize("error", OUTAGES + UNCLEAR, ids=str)
async def test_what_was_taken_before_an_outage_is_not_sent_again(error: Exception) -> None:
    """What is left is put off, and SES not asked in vain."""
    ses = FakeSes({"eve@example.com": error})
    some = [mail(), mail(address="eve@example.com"), mail()]
    failures = await SesMailer(ses, SENDER).send(some)
    assert {some[1].id: Later, some[2].id: Later} == {
        mail_id: type(failure) for mail_id, failure in failures.items()
    }
    assert ["ada@example.com", "eve@example.com"] == ses.asked


@pytest.mark.parametrize("error", UNCLEAR, ids=str)
async def test_a_mail_that_may_have_been_taken_uses_up_a_try(error: Exception) -> None:
    """Else one that SES can never answer would be tried for ever, before all others."""
    ses, sent = FakeSes({"ada@example.com": error}), mail()
    failures = await SesMailer(ses, SENDER).send([sent])
    assert {sent.id: Later} == {mail_id: type(failure) for mail_id, failure in failures.items()}


async def test_ses_that_is_away_is_an_outage(aws_nowhere: None) -> None:
    """No mail has been tried."""
    async with aws.client("sesv2") as ses:
        with pytest.raises(Outage, match="SES cannot be used: Could not connect"):
            await SesMailer(ses, SENDER).send([mail()])


async def test_nobody_is_asked_to_take_nothing() -> None:
    """Neither for no mails, nor for those that cannot be made."""
    ses = FakeSes()
    assert {} == await SesMailer(ses, SENDER).send([])
    assert 1 == len(await SesMailer(ses, SENDER).send([mail(address="")]))
    assert [] == ses.asked
