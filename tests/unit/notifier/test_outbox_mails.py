"""Mails about accounts: their words, and that each ends in exactly one way."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from libs.events import RetryLater
from libs.outbox import OutboxMail
from services.notifier.composing import Letter
from services.notifier.handler import RetryPolicy
from services.notifier.ledger import Ledger
from services.notifier.metrics import MailMetrics
from services.notifier.outbox import Clerk, OutboxDesk
from services.notifier.outbox_words import NOTICES, TEMPLATES, mail_of
from services.notifier.rendering import Renderer
from services.notifier.smtp.answers import Deferred, Refused, Stage
from tests.unit.notifier.examples import FIRM, NOW, SENDER, MemoryBucket

LINK = "https://leads.firm.example/welcome#t0ken-that-lets-in"
RECIPIENT = "lena.marked@firm.example"


def a_mail(**changes: Any) -> OutboxMail:
    fields: dict[str, Any] = {
        "template": "account_invitation",
        "account_id": "0190a",
        "recipient": RECIPIENT,
        "name": "Lena <b>Marked</b>",
        "link": LINK,
        "expires_at": NOW + timedelta(days=7),
        "details": {"invited_by": "Anna Okafor"},
    }
    return OutboxMail(**fields | changes)


class Postman:
    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.letters: list[Letter] = []

    async def send(self, letter: Letter) -> str:
        answer = self.answers.pop(0) if self.answers else "250 ok"
        if isinstance(answer, Exception):
            raise answer
        self.letters.append(letter)
        return answer


class Erased:
    def __init__(self) -> None:
        self.positions: list[int] = []

    async def erase(self, position: int) -> None:
        self.positions.append(position)


def at_work(*answers: str | Exception) -> tuple[Clerk, Postman, Erased]:
    postman, erased = Postman(*answers), Erased()
    desk = OutboxDesk(
        outbox=erased,
        ledger=Ledger(MemoryBucket()),
        postman=postman,
        renderer=Renderer(),
        sender=SENDER,
        firm=FIRM,
        retry=RetryPolicy(),
        metrics=MailMetrics(CollectorRegistry()),
        now=lambda: NOW,
    )
    return Clerk(desk), postman, erased


def bytes_of(mail: OutboxMail) -> bytes:
    return mail.model_dump_json().encode()


def words(mail: OutboxMail) -> tuple[str, str, str]:
    meant = mail_of(mail, FIRM)
    rendered = Renderer().render(meant.template, meant.context)
    return rendered.subject, " ".join(rendered.text.split()), rendered.html


def test_an_invitation_says_who_how_long_and_what_if_not() -> None:
    subject, text, html = words(a_mail())

    assert subject == "Your account for the leads of Harper & Lowe LLP"
    assert "Anna Okafor has invited you" in text
    assert LINK in text
    assert "works once, until 16 March 2026, 14:06 UTC" in text
    assert "If you did not expect this invitation" in text
    assert f'href="{LINK}"' in html
    assert "Lena &lt;b&gt;Marked&lt;/b&gt;" in html


def test_a_reset_says_that_nothing_happens_by_itself() -> None:
    _, text, html = words(a_mail(template="password_reset", details={}))

    assert "If it was not you, you do not need to do anything" in text
    assert LINK in text
    assert LINK in html


@pytest.mark.parametrize("notice", [*NOTICES, "something-newer"])
def test_each_notice_can_be_said(notice: str) -> None:
    details = {"notice": notice, "address": "192.0.2.0/24"}
    subject, text, html = words(a_mail(template="security_notice", link=None, details=details))

    assert subject in html
    assert "192.0.2.0/24" in text
    assert "None" not in text + html


@pytest.mark.parametrize("template", TEMPLATES)
async def test_a_mail_is_sent_once_and_erased(template: str) -> None:
    clerk, postman, erased = at_work()
    payload = bytes_of(a_mail(template=template))

    await clerk.handle(payload, 7, 1)
    await clerk.handle(payload, 7, 2)

    assert [letter.recipient for letter in postman.letters] == [RECIPIENT]
    assert erased.positions == [7, 7]


async def test_a_mail_waits_while_the_server_does_not_take_it() -> None:
    clerk, postman, erased = at_work(Deferred(Stage.RECIPIENT, 451, "later"))
    payload = bytes_of(a_mail())

    with pytest.raises(RetryLater):
        await clerk.handle(payload, 7, 1)
    assert erased.positions == []

    await clerk.handle(payload, 7, 2)
    assert len(postman.letters) == 1
    assert erased.positions == [7]


@pytest.mark.parametrize(
    ("changes", "answer", "reason"),
    [
        ({"expires_at": NOW}, "250 ok", "its link has expired"),
        ({}, Refused(Stage.RECIPIENT, 550, "no such user"), "recipient 550 no such user"),
        ({"recipient": "nobody"}, "250 ok", "not a valid email address"),
    ],
)
async def test_a_mail_that_cannot_go_is_given_up_and_erased(
    changes: dict[str, Any], answer: str | Exception, reason: str
) -> None:
    clerk, postman, erased = at_work(answer)

    with capture_logs() as logs:
        await clerk.handle(bytes_of(a_mail(**changes)), 7, 1)

    assert postman.letters == []
    assert erased.positions == [7]
    [entry] = [entry for entry in logs if entry["event"] == "mail given up"]
    assert reason in entry["reason"]
    assert entry["account_id"] == "0190a"


async def test_no_log_line_holds_address_name_or_link() -> None:
    clerk, _, _ = at_work(Deferred(Stage.DATA, 451, "later"), "250 ok")

    with capture_logs() as logs:
        with pytest.raises(RetryLater):
            await clerk.handle(bytes_of(a_mail()), 1, 1)
        await clerk.handle(bytes_of(a_mail()), 2, 1)
        await clerk.handle(bytes_of(a_mail(expires_at=NOW)), 3, 1)

    assert len(logs) == 3
    assert not any(marked in str(logs) for marked in ("marked", "Marked", "t0ken"))


async def test_what_cannot_be_read_is_erased() -> None:
    clerk, postman, erased = at_work()

    await clerk.handle(b"{}", 7, 1)

    assert (postman.letters, erased.positions) == ([], [7])


async def test_a_failure_nobody_foresaw_ends_after_some_attempts() -> None:
    clerk, _, erased = at_work(*(ZeroDivisionError() for _ in range(8)))
    payload = bytes_of(a_mail(id=UUID(int=5)))

    for attempt in range(1, 8):
        with pytest.raises(ZeroDivisionError):
            await clerk.handle(payload, 7, attempt)
    await clerk.handle(payload, 7, 8)

    assert erased.positions == [7]
