"""Compares what was promised with what is left (pure). Each check says what is wrong, in words."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.chaos.evidence import Evidence, Fact, Mail
from tests.chaos.load import Command, Submission

SUBMITTED, REACHED_OUT = "LeadSubmitted", "LeadReachedOut"
SENT = "NotificationSent"
_CLOCK = 0.05
"""Seconds by which a file's time can be off."""


@dataclass(frozen=True)
class InFlight:
    """How many mails may come again.

    Attributes:
        kills: when a notifier or the mail server was killed, as seconds since 1970.
        most: mails in flight at one kill, at most.
        seconds: how long a mail can be in flight: as long as NATS has no leader.
    """

    kills: Sequence[float]
    most: int
    seconds: float = 15.0


def submissions(sent: Sequence[Submission], evidence: Evidence) -> list[str]:
    """Acknowledged: exactly once, with exact bytes. Not acknowledged: at most once."""
    by_email = defaultdict(list)
    by_position = {fact.position: fact for fact in evidence.facts}
    for fact in _of(evidence, SUBMITTED):
        by_email[fact.data["email"]].append(fact)
    wrong = []
    for one in sent:
        found = by_email.pop(one.email, [])
        wrong += [f"{one.email} was refused: {answer}" for answer in one.refused]
        if len(found) > 1:
            wrong.append(f"{one.email} ({one.manner}) stands {len(found)} times in the log")
        if one.acknowledged and not found:
            wrong.append(f"{one.email} was acknowledged and is not in the log")
        wrong += _promises(one, found, by_position)
        wrong += [text for fact in found for text in _contents(one, fact, evidence)]
    wrong += [f"nobody sent {email}, and it is in the log" for email in by_email]
    return wrong


def _promises(
    one: Submission, found: Sequence[Fact], by_position: dict[int, Fact]
) -> Iterable[str]:
    for promise in one.acknowledged:
        if any(fact.lead_id != promise.lead_id for fact in found):
            yield f"{one.email} was acknowledged as {promise.lead_id}, the log says otherwise"
        fact = by_position.get(promise.position)
        if fact is None or (fact.lead_id, fact.type) != (promise.lead_id, SUBMITTED):
            yield f"{one.email}: at the acknowledged position {promise.position} is something else"


def _contents(one: Submission, fact: Fact, evidence: Evidence) -> Iterable[str]:
    resume, wanted = fact.data["resume"], (one.size, one.sha256)
    if fact.data["first_name"] != one.first_name:
        yield f"{one.email} has another name in the log"
    if (resume["size"], resume["sha256"]) != wanted:
        yield f"{one.email}: the log names another resume"
    if (stored := evidence.resumes.get(resume["object"])) != wanted:
        yield f"{one.email}: the resume is stored as {stored}, sent was {wanted}"


def commands(sent: Sequence[Command], evidence: Evidence) -> list[str]:
    """However many attorneys at once: one LeadReachedOut, and one of them is told it was them."""
    events: dict[str, list[Fact]] = defaultdict(list)
    for fact in _of(evidence, REACHED_OUT):
        events[fact.lead_id].append(fact)
    by_lead: dict[str, list[Command]] = defaultdict(list)
    for command in sent:
        by_lead[command.lead_id].append(command)
    wrong = [f"{lead}: LeadReachedOut that nobody asked for" for lead in events.keys() - by_lead]
    for lead, asked in by_lead.items():
        found = events[lead]
        wrong += [f"{lead}: {text}" for one in asked for text in one.refused]
        if len(found) > 1:
            wrong.append(f"{lead} has {len(found)} LeadReachedOut events")
        if not found and any(one.fresh for one in asked):
            wrong.append(f"{lead}: a command was answered with 200 and is not in the log")
        winners = [one.key for one in asked if True in one.fresh]
        noted = [fact.data["note"] for fact in found]
        if winners and winners != noted:
            wrong.append(f"{lead}: told to have won: {winners}; in the log: {noted}")
        if all(one.fresh for one in asked) and not winners:
            wrong.append(f"{lead}: every command was answered, and none was told that it did it")
    return wrong


def streams(evidence: Evidence) -> list[str]:
    """No event twice; a lead begins with its submission; nothing was given up."""
    counts = Counter((fact.lead_id, fact.type, fact.id) for fact in evidence.facts)
    wrong = [f"{key} stands {count} times in the log" for key, count in counts.items() if count > 1]
    first: dict[str, str] = {}
    for fact in evidence.facts:
        first.setdefault(fact.lead_id, fact.type)
    wrong += [f"{lead} begins with {kind}" for lead, kind in first.items() if kind != SUBMITTED]
    return wrong + [f"a dead letter: {subject}" for subject in evidence.dead]


def read_models(evidence: Evidence, fresh: str) -> list[str]:
    """Every replica shows what the log says, and its file is as one that was made anew."""
    wanted = {fact.lead_id: _shown(fact) for fact in _of(evidence, SUBMITTED)}
    for fact in _of(evidence, REACHED_OUT):
        wanted[fact.lead_id] = wanted.get(fact.lead_id, {}) | {
            "status": "REACHED_OUT",
            "channel": fact.data["channel"],
            "note": fact.data["note"],
            "by": fact.actor,
        }
    wrong = []
    for name, leads in evidence.inboxes.items():
        shown = {lead_id: _seen(lead) for lead_id, lead in leads.items()}
        wrong += [
            f"{name} shows {lead_id} as {shown.get(lead_id)}, the log says {wanted.get(lead_id)}"
            for lead_id in shown.keys() | wanted.keys()
            if shown.get(lead_id) != wanted.get(lead_id)
        ]
    for name, tables in evidence.tables.items():
        wrong += [
            f"{name}: table {table} differs from the one of a fresh rebuild"
            for table in tables.keys() | evidence.tables[fresh].keys()
            if tables.get(table) != evidence.tables[fresh].get(table)
        ]
    return wrong


def _shown(fact: Fact) -> dict[str, Any]:
    data = fact.data
    names = ("first_name", "last_name", "email", "phone", "message")
    resume = {key: data["resume"][key] for key in ("file_name", "media_type", "size", "sha256")}
    unscanned = {"scan": "off", "signature": None, "quarantined": False}
    fixed = {"status": "PENDING", "channel": None, "note": None, "by": None}
    return {name: data[name] for name in names} | fixed | {"resume": resume | unscanned}


def _seen(lead: dict[str, Any]) -> dict[str, Any]:
    names = ("first_name", "last_name", "email", "phone", "message", "resume", "status")
    by = lead["reached_out_by"]
    return {
        **{name: lead[name] for name in (*names, "channel", "note")},
        "by": f"account:{by['id']}" if by else None,
    }


def mails(evidence: Evidence, attorney: str, allowed: InFlight) -> list[str]:
    """Each mail at least once, under one Message-ID; repeats only of what was in flight."""
    taken: dict[tuple[str, str], list[Mail]] = defaultdict(list)
    leads = {fact.data["email"]: fact.lead_id for fact in _of(evidence, SUBMITTED)}
    wrong = []
    for mail in evidence.mails:
        lead_id = mail.lead_id if mail.to == attorney else leads.get(mail.to)
        if lead_id not in leads.values():
            wrong.append(f"a mail to {mail.to} about a lead that does not exist")
            continue
        taken[lead_id or "", mail.to].append(mail)
    noted: dict[tuple[str, str], list[str]] = defaultdict(list)
    for fact in evidence.facts:
        if fact.part == "mail":
            noted[fact.lead_id, fact.data["recipient"]].append(fact.type)
    for email, lead_id in leads.items():
        for to in (email, attorney):
            copies = taken[lead_id, to]
            if not copies:
                wrong.append(f"{lead_id}: no mail to {to}")
            if len({mail.message_id for mail in copies}) > 1:
                wrong.append(f"{lead_id}: mails to {to} have different Message-IDs")
            if noted[lead_id, to] != [SENT]:
                wrong.append(f"{lead_id}: the history says {noted[lead_id, to]} of {to}")
    return wrong + _repeats(taken.values(), allowed)


def _repeats(taken: Iterable[Sequence[Mail]], allowed: InFlight) -> list[str]:
    """Each repeat has a kill between it and the copy before it; not more of one than in flight."""
    wrong, of_kill = [], Counter[float]()
    for copies in taken:
        for before, again in pairwise(copies):
            between = [
                kill
                for kill in allowed.kills
                if before.at - _CLOCK <= kill <= min(again.at, before.at + allowed.seconds)
            ]
            if not between:
                wrong.append(f"{again.message_id} came again, and nothing was killed in between")
            else:
                of_kill[between[0]] += 1
    wrong += [
        f"{count} mails came again after one kill; at most {allowed.most} were in flight"
        for count in of_kill.values()
        if count > allowed.most
    ]
    return wrong


def _of(evidence: Evidence, kind: str) -> Iterable[Fact]:
    return (fact for fact in evidence.facts if fact.type == kind)
