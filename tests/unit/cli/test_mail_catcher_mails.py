"""Reading kept mails: whatever their encodings, and whatever is broken."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events import new_id
from services.cli.mail_catcher.envelope import Envelope, stamp, unstamp
from services.cli.mail_catcher.links import links_of
from services.cli.mail_catcher.mails import Attachment, open_mail, received_at, summarize
from services.cli.mail_catcher.words import decoded, linked

ID = "01a20d9f-1c89-7738-a119-7c2f015e2141"
MULTIPART = b"""\
From: Anna <anna@firm.example>\r
Content-Type: multipart/mixed; boundary=outer\r
\r
--outer\r
Content-Type: multipart/alternative; boundary=inner\r
\r
--inner\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
Gr=FC=DFe\r
--inner\r
Content-Type: text/html; charset=utf-8\r
Content-Transfer-Encoding: base64\r
\r
PGI+R3LDvMOfZTwvYj4=\r
--inner--\r
--outer\r
Content-Type: application/pdf; name="cv.pdf"\r
Content-Disposition: attachment; filename*=utf-8''L%C3%A9a.pdf\r
Content-Transfer-Encoding: base64\r
\r
JVBERg==\r
--outer\r
Content-Type: text/plain\r
\r
A second text.\r
--outer--\r
"""
SUBJECTS = {
    b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=": "Grüße",
    b"=?utf-8?b?R3LDvMOf?=\r\n =?utf-8?b?ZQ==?=": "Grüße",
    b"New lead: =?iso-8859-1?q?L=E9a?= Doe": "New lead: Léa Doe",
    "New lead: Zoë".encode(): "New lead: Zoë",
    b"caf\xe9": "caf\ufffd",
    b"=?no-such-charset?q?plain?=": "plain",
    b"=?utf-8?b?a?=": "=?utf-8?b?a?=",
    b"=?utf-8?q?=FF=FE?= end": "\ufffd\ufffd end",
    b"folded\r\n over lines": "folded over lines",
    b"<script>alert(1)</script>": "<script>alert(1)</script>",
    b"": "",
}


def mail(*headers: bytes, body: bytes = b"Hello\r\n") -> bytes:
    return b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


@pytest.mark.parametrize(("raw", "shown"), SUBJECTS.items())
def test_subject(raw: bytes, shown: str) -> None:
    assert summarize(ID, mail(b"Subject: " + raw)).subject == shown


def test_what_the_envelope_says_goes_before_the_headers() -> None:
    kept = stamp("bounce@a.example", ["hidden@b.example"]) + mail(
        b"From: =?utf-8?q?L=C3=A9a?= <lea@a.example>", b"To: shown@b.example"
    )
    summary = summarize(ID, kept)
    assert summary.sender == "Léa <lea@a.example>"
    assert summary.recipients == ("hidden@b.example",)


def test_without_an_envelope_the_headers_must_do() -> None:
    kept = mail(b'To: "Doe, Jane" <jane@b.example>, joe@b.example', b"Date: Mon, 9 Mar 2026 14:05")
    summary = summarize(ID, kept)
    assert summary.recipients == ("jane@b.example", "joe@b.example")
    assert summary.date == datetime(2026, 3, 9, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize("date", [b"", b"yesterday", b"Mon, 99 Zzz 2026 99:99:99 +9999"])
def test_an_impossible_date_is_none(date: bytes) -> None:
    assert summarize(ID, mail(b"Date: " + date)).date is None


def test_a_mail_without_from_shows_the_envelopes_sender() -> None:
    assert summarize(ID, stamp("a@x.example", []) + mail()).sender == "a@x.example"


def test_the_id_tells_when_it_was_caught() -> None:
    before = datetime.now(UTC).timestamp()
    received = received_at(str(new_id())).timestamp()
    assert before - 0.002 <= received <= datetime.now(UTC).timestamp() + 0.002


def test_parts_are_decoded_and_the_rest_is_attached() -> None:
    content = open_mail(MULTIPART)
    assert content.text == "Grüße"
    assert content.html == "<b>Grüße</b>"
    assert content.attachments == [
        Attachment("Léa.pdf", "application/pdf", 4),
        Attachment("", "text/plain", len("A second text.")),
    ]


def test_a_mail_with_nothing_but_headers() -> None:
    content = open_mail(b"Subject: alone\r\n")
    assert content.headers == [("Subject", "alone")]
    assert content.text == ""
    assert content.html is None


def test_html_alone_has_no_text() -> None:
    content = open_mail(mail(b"Content-Type: text/html", body=b"<p>Hi</p>"))
    assert (content.text, content.html) == (None, "<p>Hi</p>")


def test_a_forwarded_mail_is_an_attachment_and_not_the_text() -> None:
    kept = mail(b"Content-Type: message/rfc822", body=mail(b"Subject: inner", body=b"secret"))
    content = open_mail(kept)
    assert content.text is None
    assert [each.media_type for each in content.attachments] == ["message/rfc822"]


def test_parts_too_deep_to_parse_leave_the_headers() -> None:
    deep = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(1500)
    )
    content = open_mail(b"Subject: deep\r\n" + deep)
    assert not content.readable
    assert ("Subject", "deep") in content.headers


@pytest.mark.parametrize("charset", [None, "no-such", "base64", "undefined", "idna", "\x00"])
def test_any_charset_gives_text(charset: str | None) -> None:
    assert "plain" in decoded(b"plain \xff", charset)


def test_no_lone_surrogate_comes_out() -> None:
    assert decoded(rb"\ud800", "raw-unicode-escape").encode() == b"?"


@given(st.binary(max_size=400))
def test_no_bytes_are_too_broken_to_list(junk: bytes) -> None:
    json.dumps(summarize(ID, junk).subject, ensure_ascii=False).encode()
    open_mail(junk)


TOKENS = [
    *(b"Content-Type: ", b"Content-Transfer-Encoding: ", b"Subject: ", b"From: ", b"To: "),
    *(b"Date: ", b"Content-Disposition: attachment; ", b"filename*=", b"filename*0*=", b"name="),
    *(b"multipart/mixed; boundary=x", b"text/plain; charset=", b"text/html", b"message/rfc822"),
    *(b"base64", b"x-uuencode", b"quoted-printable", b"begin 644 a\r\n", b"utf-7", b"idna"),
    *(b"\r\n", b"\r\n\r\n", b"--x\r\n", b"--x--", b"=?utf-8?b?", b"?=", b"'", b'"', b"\xff", b"<"),
    *(b"\x00", b"(", b"@", b"%E9", b"=", b";", b":", b"unicode_escape", b"\\ud800", b" "),
]


@given(st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join))
def test_no_mixture_of_what_breaks_parsers_breaks_this_one(junk: bytes) -> None:
    summary = summarize(ID, junk)
    content = open_mail(junk)
    words = [summary.sender, summary.subject, *summary.recipients, content.text, content.html]
    words += [each.name for each in content.attachments]
    json.dumps([words, content.headers], ensure_ascii=False).encode()


def test_envelope_comes_back_and_so_does_the_mail() -> None:
    data = mail(b"Subject: x")
    kept = stamp("", ["a@x.example", "zoë@x.example"]) + data
    assert unstamp(kept) == (Envelope("", ("a@x.example", "zoë@x.example")), data)


def test_a_mail_cannot_add_to_its_envelope() -> None:
    data = mail(
        b"X-Leadlog-Envelope-To: other@x.example", b"X-Leadlog-Envelope-From: <o@x.example>"
    )
    assert unstamp(stamp("a@x.example", ["b@x.example"]) + data) == (
        Envelope("a@x.example", ("b@x.example",)),
        data,
    )


def test_an_address_cannot_add_a_line() -> None:
    assert stamp("a\r\nSubject: x", []) == b"X-Leadlog-Envelope-From: <a??Subject: x>\r\n"


def test_addresses_in_a_text_become_links() -> None:
    pieces = list(linked('See https://a.example/x?y=1. Or "http://b.example".'))
    assert [piece.text for piece in pieces if piece.link] == [
        "https://a.example/x?y=1",
        "http://b.example",
    ]
    assert "".join(piece.text for piece in pieces) == (
        'See https://a.example/x?y=1. Or "http://b.example".'
    )


def test_links_of_html_are_those_that_run_nothing() -> None:
    html = (
        '<a href="https://a.example/?x=1&amp;y=2">Open <b>the\n lead</b></a> after'
        "<a href=' JavaScript:alert(1)'>no</a><a href='data:text/html,x'>no</a><a>no</a>"
        '<a href="mailto:a@x.example">write</a><a href="https://a.example/?x=1&amp;y=2">again</a>'
    )
    assert [(link.address, link.text) for link in links_of(html)] == [
        ("https://a.example/?x=1&y=2", "Open the lead"),
        ("mailto:a@x.example", "write"),
    ]


def test_links_before_broken_html_are_found() -> None:
    found = links_of('<a href="https://a.example">x</a><![nonsense[ <a href="https://b.example">')
    assert found[0].address == "https://a.example"
