from email.message import Message
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leads.lead import LeadUnknown
from services.leads.projection.rows import changes_of
from services.leads.routes.resume import content_disposition
from services.leads.views import actor_of, history_entry, view_of_facts, view_of_row
from tests.unit.leads.builders import (
    Log,
    assigned,
    reached_out,
    released,
    resume_scanned,
    submitted,
)

NAMES = {"a1": "Lena", "api-key:k1": "Night import"}


def test_a_lead_looks_the_same_from_the_log_and_from_the_projection() -> None:
    log = Log()
    first = log.recorded(submitted(), actor="prospect")
    second = log.recorded(reached_out(note="spoke"), first.lead_id)
    third = log.recorded(assigned("a1"), first.lead_id)
    fourth = log.recorded(resume_scanned(), first.lead_id)
    facts = [first, second, third, fourth]
    changes = changes_of(facts)
    row = {**changes.submitted[0], "status": "REACHED_OUT", "channel": None, "note": "spoke"}
    row |= {"reached_out_at": changes.reached_out[0]["at"], "reached_out_by": "account:a1"}
    row |= {"assigned_to": changes.assigned[0]["assignee"]}
    [scan] = changes.resumes
    row |= {"scan_verdict": scan["verdict"], "scan_signature": scan["signature"]}
    row |= {"resume_released": scan["released"]}

    shown = view_of_row(row, NAMES.get, scanning=True)
    assert shown == view_of_facts(facts, NAMES.get, scanning=True)
    resume = shown.resume
    assert (resume.scan, resume.signature, resume.quarantined) == ("infected", "Eicar", True)


def test_a_released_resume_stays_infected_and_is_no_longer_held_back() -> None:
    log = Log()
    first = log.recorded(submitted(), actor="prospect")
    facts = [first, *(log.recorded(one, first.lead_id) for one in (resume_scanned(), released()))]
    resume = view_of_facts(facts, NAMES.get, scanning=True).resume

    assert (resume.scan, resume.signature, resume.quarantined) == ("infected", "Eicar", False)


def test_a_lead_without_a_submission_is_unknown() -> None:
    with pytest.raises(LeadUnknown):
        view_of_facts([Log().recorded(reached_out())], NAMES.get, scanning=False)


@pytest.mark.parametrize(
    ("actor", "kind", "id_", "name"),
    [
        ("account:a1", "account", "a1", "Lena"),
        ("account:gone", "account", "gone", None),
        ("api-key:k1", "api-key", "k1", "Night import"),
        ("api-key:gone", "api-key", "gone", None),
        ("service:intake", "service", "intake", "intake"),
        ("prospect", "prospect", None, None),
        ("", "unknown", None, None),
    ],
)
def test_who_did_it(actor: str, kind: str, id_: str | None, name: str | None) -> None:
    shown = actor_of(actor, NAMES.get)

    assert (shown.kind, shown.id, shown.name) == (kind, id_, name)


def test_history_names_who_got_a_lead() -> None:
    entries = [history_entry(Log().recorded(assigned(to)), NAMES.get) for to in ("a1", None)]

    assert [entry.details for entry in entries] == [
        {"assignee": "a1", "assignee_name": "Lena"},
        {"assignee": None, "assignee_name": None},
    ]


def test_history_does_not_say_where_the_resume_lies() -> None:
    entry = history_entry(Log().recorded(submitted(), actor="prospect"), NAMES.get)

    assert entry.details["resume"]["file_name"] == "cv.pdf"
    assert "object" not in entry.details["resume"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("cv.pdf", "cv.pdf"),
        ("Lebenslauf ä.pdf", "Lebenslauf a.pdf"),
        ('a"b\\c;%.pdf', "a_b_c__.pdf"),
        ("a\r\nSet-Cookie: x.pdf", "a__Set-Cookie: x.pdf"),
        ("履歴書.pdf", "pdf"),
        ("..", "resume"),
        ("../../etc/passwd", "_.._etc_passwd"),
    ],
)
def test_old_clients_get_a_plain_name(name: str, plain: str) -> None:
    assert f'filename="{plain}"' in content_disposition(name)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_name_makes_one_valid_header_and_comes_back_whole(name: str) -> None:
    header = content_disposition(name)
    message = Message()
    message["Content-Disposition"] = header

    assert header.isascii()
    assert header.isprintable()
    assert header.startswith("attachment; ")
    assert unquote(header.split("filename*=UTF-8''")[1]) == name
    assert message.get_content_disposition() == "attachment"
