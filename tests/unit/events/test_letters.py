"""Dead letters as they are stored, read and shown."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from libs.events import Undecodable
from libs.events.letters import (
    Letter,
    Order,
    letter_subject,
    order_subject,
    orders_for,
    parse_letter,
    parse_order,
    write_letter,
)
from services.cli.dead_letters.redrive import why_not
from services.cli.dead_letters.view import lines_of, summary_of, whole

LEAD = UUID("01890000-0000-7000-8000-000000000001")
ORDER = UUID("01890000-0000-7000-8000-000000000002")
AT = datetime(2026, 3, 9, 14, 5, tzinfo=UTC)


def letter(**changes: Any) -> Letter:
    made = Letter(
        id="notifier.12.prospect_acknowledgement-00ff",
        position=3,
        consumer="notifier",
        subject=f"leads.{LEAD}.submission",
        sequence=12,
        reason="recipient 550 unknown",
        at=AT,
        headers={"ce-type": "LeadSubmitted"},
        data=b'{"email": "jane@example.com"}',
    )
    return replace(made, **changes)


@pytest.mark.parametrize("redriven_at", [None, AT])
def test_what_is_written_is_read(redriven_at: datetime | None) -> None:
    one = letter(redriven_at=redriven_at)
    assert parse_letter(f"dead.{one.id}", 3, write_letter(one)) == one


def test_a_letter_tells_what_it_is_about() -> None:
    assert (letter().event_type, letter().lead_id) == ("LeadSubmitted", LEAD)
    assert letter().key == "prospect_acknowledgement-00ff"
    assert letter(id="projection.12").key is None
    assert letter(subject="leads.nonsense").lead_id is None
    with pytest.raises(Undecodable):
        letter().event()


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b"{}", b"\xff", json.dumps({"consumer": "x"}).encode()]
)
def test_a_letter_that_cannot_be_read_is_still_shown(body: bytes) -> None:
    found = parse_letter("dead.notifier.7", 3, body)
    assert (found.id, found.consumer, found.data) == ("notifier.7", "notifier", body)
    assert "cannot be read" in found.reason
    assert whole(found)["readable"].startswith("no: ")


def test_an_order_names_its_letter() -> None:
    subject = order_subject("notifier.12.mail-0")
    assert subject == "dead.redrive.notifier.12.mail-0"
    assert subject.startswith(orders_for("notifier").removesuffix(">"))
    body = json.dumps({"id": str(ORDER)}).encode()
    assert parse_order(subject, body) == Order(ORDER, "notifier.12.mail-0")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 7}', b'{"id": "x"}'])
def test_what_is_no_order_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_order("dead.redrive.notifier.1", body)


@pytest.mark.parametrize("bad", ["", "a..b", "a.*", ">", "a b", "ä.1", "redrive.notifier.1"])
def test_what_is_no_id_never_becomes_a_subject(bad: str) -> None:
    with pytest.raises(ValueError, match=r"tokens|order"):
        letter_subject(bad)


def test_a_summary_holds_no_personal_data_and_the_whole_does() -> None:
    assert "jane" not in json.dumps(summary_of(letter()))
    assert whole(letter())["data"] == {"email": "jane@example.com"}
    assert "  email: jane@example.com" in list(lines_of(letter()))


@pytest.mark.parametrize(("data", "shown"), [(b"text", "text"), (b"\xff\x00", "ff00")])
def test_any_payload_can_be_shown(data: bytes, shown: str) -> None:
    assert whole(letter(data=data))["data"] == shown
    assert base64.b64decode(json.loads(write_letter(letter(data=data)))["data_base64"]) == data


def test_only_mails_can_be_redriven() -> None:
    assert why_not(letter()) is None
    assert "leadlog rebuild" in str(why_not(letter(consumer="projection")))
    assert "only letters of the notifier" in str(why_not(letter(consumer="other")))
