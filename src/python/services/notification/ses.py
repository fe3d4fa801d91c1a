"""Amazon SES in the place of a mail server: it takes mails by the role of the process, without a password."""

from __future__ import annotations

from collections.abc import Sequence
from email.policy import SMTP
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from chassis.jobs import Failures, Later, Outage, Rejected
from services.notification.mailer import Mail, message, reason, written

# What is not ASCII must be encoded, says SES, for all to read it.
_ASCII = SMTP.clone(cte_type="7bit")


class SesMailer:
    """SES, which has verified the address or the domain of `sender`; `ses` is a client of its second version.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
    """

    def __init__(self, ses: Any, sender: str) -> None:
        self._ses = ses
        self._sender = sender

    async def send(self, mails: Sequence[Mail]) -> Failures:
        messages, failures = written(mails, self._mime)
        taken = False
        for position, (mail, mime) in enumerate(messages):
            try:
                await self._hand_over(mail, mime)
                taken = True
            except (ClientError, BotoCoreError, OSError) as error:
                why = reason(error, mail)
                refusal = _refusal(error, why)
                if refusal is not None:
                    failures[mail.id] = refusal
                    continue
                if not (taken or _may_be_taken(error)):
                    raise Outage(f"SES cannot be used: {why}") from error
                # What SES would say to the others it has said by now.
                failures |= {each.id: Later(why) for each, _ in messages[position:]}
                break
        return failures

    def _mime(self, mail: Mail) -> bytes:
        return message(mail, self._sender).as_bytes(policy=_ASCII)

    async def _hand_over(self, mail: Mail, mime: bytes) -> None:
        await self._ses.send_email(
            Destination={"ToAddresses": [mail.address]}, Content={"Raw": {"Data": mime}}
        )


def _refusal(error: Exception, why: str) -> Exception | None:
    """Why SES does not take this one mail; None where it would take no other either.

    Of all its refusals two are of a mail. But while an account is in the sandbox, and where the sender is not
    verified, it says MessageRejected too: that is for somebody to mend, and the mail is to go out then.
    """
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    if code not in ("MessageRejected", "BadRequestException"):
        return None
    return Later(why) if "not verified" in why else Rejected(why)


def _may_be_taken(error: Exception) -> bool:
    """Whether SES was asked, and failed to say what became of it."""
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)) >= 500
    return isinstance(error, HTTPClientError)
