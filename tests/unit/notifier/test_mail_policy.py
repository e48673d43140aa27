import pytest

from libs.events import LeadAssigned, LeadReachedOut
from services.notifier.policy import ACKNOWLEDGEMENT, ALERT, Firm, mails_for
from services.notifier.texts import greeted_name, human_size, one_line, paragraphs, wrapped
from tests.unit.notifier.examples import FIRM, LEAD_ID, PROSPECT, recorded


def test_a_submission_means_an_acknowledgement_and_an_alert_to_each_attorney() -> None:
    mails = mails_for(recorded(), FIRM)
    assert [(m.template, m.recipient_role, m.recipient) for m in mails] == [
        (ACKNOWLEDGEMENT, "prospect", PROSPECT),
        (ALERT, "attorney", "anna@firm.example"),
        (ALERT, "attorney", "ben@firm.example"),
    ]


def test_another_event_means_no_mail() -> None:
    assert mails_for(recorded(LeadReachedOut(note="called")), FIRM) == ()
    assert mails_for(recorded(LeadAssigned(assignee="a1")), FIRM) == ()


def test_the_acknowledgement_carries_nothing_that_was_typed_but_the_name() -> None:
    acknowledgement = mails_for(recorded(message="Buy pills", phone="0900 123"), FIRM)[0]
    assert acknowledgement.context == {
        "name": "Jane Doe",
        "firm_name": FIRM.name,
        "reply_to": FIRM.reply_to,
        "mailto": FIRM.reply_to,
    }
    assert acknowledgement.reply_to == (FIRM.name, FIRM.reply_to)


def test_the_alert_says_what_an_attorney_needs_and_can_be_answered() -> None:
    alert = mails_for(recorded(), FIRM)[1]
    assert alert.reply_to == ("Jane Doe", PROSPECT)
    assert dict(alert.context) == {
        "name": "Jane Doe",
        "email": PROSPECT,
        "mailto": PROSPECT,
        "phone": "+1 (555) 010-999",
        "tel": "+1555010999",
        "message": "I need help.\nSoon.",
        "file_name": "cv jane.pdf",
        "file_size": "20 KB",
        "received": "9 March 2026, 14:05 UTC",
        "lead_url": f"https://leads.firm.example/leads/{LEAD_ID}",
        "answers": "Jane Doe",
        "firm_name": FIRM.name,
    }


def test_without_an_inbox_there_is_no_link() -> None:
    firm = Firm(name="F", attorneys=("a@firm.example",), reply_to="o@firm.example")
    assert mails_for(recorded(), firm)[1].context["lead_url"] is None


@pytest.mark.parametrize("email", ["zoë@example.com", "no address at all"])
def test_an_odd_address_of_the_prospect_does_not_reach_the_attorneys_headers(email: str) -> None:
    alert = mails_for(recorded(email=email), FIRM)[1]
    assert alert.reply_to is None
    assert alert.context["answers"] is None
    assert alert.context["email"] == email


def test_personal_data_is_not_in_a_mails_repr() -> None:
    assert "jane" not in repr(mails_for(recorded(), FIRM)).lower()


@pytest.mark.parametrize(
    ("first", "last", "greeted"),
    [
        ("Jane", "Doe", "Jane Doe"),
        ("Zoë", "O\u2019Brien-Śmith", "Zoë O\u2019Brien-Śmith"),
        ("J. R. R.", "Tolkien", "J. R. R. Tolkien"),
        ("महात्मा", "गाँधी", "महात्मा गाँधी"),
        ("{{7*7}}", "", None),
        ("Visit www.pills.example", "now", None),
        ("Buy", "http://pills.example", None),
        ("You won", "$1000!", None),
        ("call 0900 1234", "", None),
        ("x" * 61, "", None),
        ("\r\n", " ", None),
        ("<b>Jane", "Doe", None),
    ],
)
def test_only_what_looks_like_a_name_is_greeted(first: str, last: str, greeted: str | None) -> None:
    assert greeted_name(first, last) == greeted


def test_one_line_has_no_controls_and_a_bound() -> None:
    assert one_line(" a\r\nBcc: b\x00\u2028c\u202ed ") == "a Bcc: b cd"
    assert one_line("\ud800") == "\ufffd"
    assert one_line("abcdef", limit=4) == "abc…"


def test_paragraphs_keep_their_line_breaks() -> None:
    assert paragraphs("\n a\tb\r\n\r\nc\x07\n\n") == " a  b\n\nc"
    assert len(paragraphs("x" * 20_000)) == 10_000


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (20_480, "20 KB"), (1_450_000, "1.4 MB")],
)
def test_sizes_as_people_read_them(size: int, text: str) -> None:
    assert human_size(size) == text


def test_wrapping_keeps_quotes_links_and_the_signature_mark() -> None:
    link = "https://example.com/" + "a" * 80
    text = wrapped(f"{'word ' * 30}\n> {'quoted ' * 20}\n{link}\n-- \nFirm")
    lines = text.splitlines()
    assert all(len(line) <= 72 for line in lines if line != link)
    assert link in lines
    assert "-- " in lines
    quoted = [line for line in lines if "quoted" in line]
    assert len(quoted) > 1
    assert all(line.startswith("> ") for line in quoted)
