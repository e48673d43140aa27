"""Templates and MIME, against names and messages that mean harm."""

from datetime import timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.exceptions import SecurityError, TemplateError, UndefinedError

from services.notifier.addresses import Address, ImpossibleAddress, parse_address
from services.notifier.composing import Letter, Sender, compose
from services.notifier.policy import ACKNOWLEDGEMENT, ALERT, mails_for
from services.notifier.rendering import Renderer
from tests.unit.notifier.examples import EVENT_ID, FIRM, NOW, PROSPECT, SENDER, recorded

RENDERER = Renderer()
UNHURRIED = settings(deadline=None)  # three mails an example: slow on a machine that is busy
HEADERS = [
    "Auto-Submitted",
    "Content-Type",
    "Date",
    "From",
    "MIME-Version",
    "Message-ID",
    "Reply-To",
    "Subject",
    "To",
]
HOSTILE = [
    "{{7*7}}",
    "{% for x in range(9) %}x{% endfor %}",
    "Jane\r\nBcc: victim@example.com",
    "Jane\n\n--boundary\nContent-Type: text/html\n\n<script>",
    "\x00\x0b\x0c\x1b\x85\u2028\u2029\u202e",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=?utf-8?q?Bcc=3A?=",
    "a" * 3000,
    "名" * 300,
    "\ud800",
    "💼" * 50,
    '"," <x@y.example>, "',
    ")(:;,<>[]\\",
]


def letters(sender: Sender = SENDER, **changes: str | None) -> tuple[Letter, ...]:
    return tuple(
        compose(
            mail,
            RENDERER.render(mail.template, mail.context),
            sender=sender,
            event_id=EVENT_ID,
            now=NOW,
        )
        for mail in mails_for(recorded(**changes), FIRM)
    )


def parsed(letter: Letter) -> EmailMessage:
    return message_from_bytes(letter.data, _class=EmailMessage, policy=policy.SMTP)


def content(message: EmailMessage, kind: str) -> str:
    (part,) = [part for part in message.walk() if part.get_content_type() == kind]
    return str(part.get_content())


def test_the_headers_of_an_acknowledgement() -> None:
    message = parsed(letters()[0])
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (FIRM.name, "no-reply@firm.example")
    assert message["To"] == PROSPECT
    assert message["Reply-To"].addresses[0].addr_spec == "office@firm.example"
    assert message["Subject"] == "Harper & Lowe LLP has received your details"
    assert message["Date"] == "Mon, 09 Mar 2026 14:06:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["MIME-Version"] == "1.0"
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def test_an_alert_is_answered_to_the_prospect() -> None:
    message = parsed(letters()[1])
    (reply_to,) = message["Reply-To"].addresses
    assert (reply_to.display_name, reply_to.addr_spec) == ("Jane Doe", PROSPECT)
    assert message["Subject"] == "New lead: Jane Doe"


def test_the_message_id_depends_on_event_and_recipient_alone() -> None:
    ids = [letter.message_id for letter in letters()]
    assert ids == [letter.message_id for letter in letters(message="another", first_name="Jo")]
    assert len(set(ids)) == 3
    assert all(text.endswith("@firm.example>") for text in ids)
    assert "jane" not in "".join(ids)
    other = compose(
        mails_for(recorded(), FIRM)[0],
        RENDERER.render(ACKNOWLEDGEMENT, mails_for(recorded(), FIRM)[0].context),
        sender=SENDER,
        event_id=uuid4(),
        now=NOW,
    )
    assert other.message_id not in ids


def test_a_date_in_another_zone_keeps_its_instant() -> None:
    mail = mails_for(recorded(), FIRM)[0]
    there = NOW.astimezone(timezone(timedelta(hours=-5)))
    letter = compose(
        mail,
        RENDERER.render(mail.template, mail.context),
        sender=SENDER,
        event_id=EVENT_ID,
        now=there,
    )
    assert parsed(letter)["Date"].datetime == NOW


def test_what_the_acknowledgement_says() -> None:
    message = parsed(letters(message="SECRET-MESSAGE", phone="SECRET-PHONE")[0])
    text, html = content(message, "text/plain"), content(message, "text/html")
    for words in (text, html):
        assert "Dear Jane Doe" in words
        assert "What happens next" in words
        assert "office@firm.example" in words
        assert "SECRET" not in words
    assert "Harper &amp; Lowe LLP" in html


def test_what_the_alert_says() -> None:
    message = parsed(letters()[1])
    text, html = content(message, "text/plain"), content(message, "text/html")
    for words in (text, html):
        for fact in ("Jane Doe", PROSPECT, "+1 (555) 010-999", "cv jane.pdf", "20 KB"):
            assert fact in words
        assert "https://leads.firm.example/leads/" in words
    assert "> I need help." in text
    assert "I need help.\nSoon." in html.replace("\r\n", "\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    alert = parsed(letters(first_name=text, last_name=text, message=text, phone=text)[1])
    assert_untouched(alert)
    html = content(alert, "text/html")
    assert "<script" not in html
    assert "<img" not in html
    assert "49" not in alert["Subject"]


def test_a_template_in_a_name_is_shown_as_it_was_typed() -> None:
    acknowledgement, alert, _ = letters(first_name="{{7*7}}", last_name="{{ firm_name }}")
    assert parsed(alert)["Subject"] == "New lead: {{7*7}} {{ firm_name }}"
    assert "{{7*7}} {{ firm_name }}" in content(parsed(alert), "text/plain")
    assert "{{7*7}} {{ firm_name }}" in content(parsed(alert), "text/html")
    assert content(parsed(acknowledgement), "text/plain").startswith("Hello,")


@UNHURRIED
@given(
    first_name=st.text(),
    last_name=st.text(),
    phone=st.none() | st.text(),
    message=st.none() | st.text(),
)
def test_nothing_typed_adds_a_header_or_a_part(
    first_name: str, last_name: str, phone: str | None, message: str | None
) -> None:
    for letter in letters(first_name=first_name, last_name=last_name, phone=phone, message=message):
        assert_untouched(parsed(letter))


def assert_untouched(message: EmailMessage) -> None:
    assert sorted(message.keys()) == HEADERS
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert len(message["To"].addresses) == 1
    assert len(message["From"].addresses) == 1
    assert len(message["Reply-To"].addresses) == 1
    assert message["From"].addresses[0].addr_spec == "no-reply@firm.example"
    assert not any(part.defects for part in message.walk())
    assert "\n" not in message["Subject"]


@UNHURRIED
@given(name=st.text(), message=st.text())
def test_every_line_on_the_wire_is_short_and_seven_bit(name: str, message: str) -> None:
    for letter in letters(first_name=name, last_name=name, message=message):
        assert letter.data.isascii()
        assert all(len(line) <= 998 for line in letter.data.split(b"\r\n"))  # RFC 5322, 2.1.1
        assert b"\n" not in letter.data.replace(b"\r\n", b"")


def test_an_international_domain_travels_as_punycode() -> None:
    letter = letters(email="jane@bücher.example")[0]
    assert letter.recipient == "jane@xn--bcher-kva.example"
    assert not letter.smtputf8
    assert letter.data.isascii()


def test_smtputf8_only_for_the_recipient_that_needs_it() -> None:
    acknowledgement, alert, _ = letters(email="zoë@bücher.example")
    assert acknowledgement.smtputf8
    assert acknowledgement.recipient == "zoë@xn--bcher-kva.example"
    assert "zoë@xn--bcher-kva.example".encode() in acknowledgement.data
    assert not alert.smtputf8
    assert parsed(alert)["Reply-To"] is None
    assert "zoë@bücher.example" in content(parsed(alert), "text/plain")


@pytest.mark.parametrize(
    "text", ["", "jane", "jane@", "a b@example.com", "x@y\r\nBcc: z@example.com"]
)
def test_an_impossible_address_is_said_to_be_one(text: str) -> None:
    with pytest.raises(ImpossibleAddress) as error:
        letters(email=text)
    assert not text or text not in str(error.value)


def test_addresses_do_not_show_in_their_repr() -> None:
    assert "jane" not in repr(parse_address(PROSPECT))
    assert parse_address("Jane@EXAMPLE.com") == Address("Jane", "example.com")


def test_an_unknown_variable_is_an_error(tmp_path: Path) -> None:
    write_template(tmp_path, subject="{{ nonsense }}")
    with pytest.raises(UndefinedError, match="nonsense"):
        Renderer(tmp_path).render(ALERT, {})


def test_a_template_cannot_leave_its_sandbox(tmp_path: Path) -> None:
    write_template(tmp_path, subject="{{ ''.__class__.__mro__ }}")
    with pytest.raises(SecurityError):
        Renderer(tmp_path).render(ALERT, {})


def test_a_broken_template_is_found_at_start(tmp_path: Path) -> None:
    write_template(tmp_path, subject="{% if %}")
    with pytest.raises(TemplateError):
        Renderer(tmp_path).check()


def test_the_shipped_templates_compile() -> None:
    RENDERER.check()


def write_template(folder: Path, *, subject: str) -> None:
    for name in (ACKNOWLEDGEMENT, ALERT):
        (folder / name).mkdir()
        (folder / name / "subject.txt").write_text(subject)
        (folder / name / "body.txt").write_text("text")
        (folder / name / "body.html").write_text("<p>text</p>")
