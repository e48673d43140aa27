"""The checker sees each kind of damage: a checker that says nothing proves nothing."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos import checks
from tests.chaos.checks import InFlight
from tests.chaos.evidence import Evidence, Fact, Mail
from tests.chaos.load import Acknowledgement, Command, Submission
from tests.chaos.watch import Watch

ATTORNEY = "attorney@firm.example.org"
ALLOWED = InFlight(kills=[100.0], most=2)


class World:
    """One lead, acknowledged twice under its key, reached out to by one of two attorneys."""

    def __init__(self) -> None:
        self.sent = Submission(1, "patient", 10, "ab", [Acknowledgement("L", 1)] * 2)
        self.commands = [Command("L", "mine", [True], 2), Command("L", "theirs", [False], 2)]
        resume = {"object": "o", "file_name": "f", "media_type": "m", "size": 10, "sha256": "ab"}
        submitted = {
            "first_name": self.sent.first_name,
            "last_name": "B",
            "email": self.sent.email,
            "phone": None,
            "message": None,
            "resume": resume,
        }
        reached = {"channel": "phone", "note": "mine"}
        facts = [
            Fact(1, "L", "submission", "LeadSubmitted", "e1", submitted),
            Fact(2, "L", "handling", "LeadReachedOut", "e2", reached, actor="account:a"),
            Fact(3, "L", "mail", "NotificationSent", "e3", {"recipient": ATTORNEY}),
            Fact(4, "L", "mail", "NotificationSent", "e4", {"recipient": self.sent.email}),
        ]
        shown: dict[str, Any] = submitted | reached | {"status": "REACHED_OUT"}
        shown["resume"] = {k: v for k, v in resume.items() if k != "object"}
        shown["resume"] |= {"scan": "off", "signature": None, "quarantined": False}
        shown["reached_out_by"] = {"id": "a", "name": None}
        self.evidence = Evidence(
            facts,
            {"o": (10, "ab")},
            {"leads1": {"L": shown}, "fresh": {"L": deepcopy(shown)}},
            {"leads1": {"leads": [(1, "L")]}, "fresh": {"leads": [(1, "L")]}},
            [Mail("<1>", ATTORNEY, "L", 99.0), Mail("<2>", self.sent.email, None, 99.0)],
        )

    def wrong(self) -> list[str]:
        found = self.evidence
        return [
            *checks.submissions([self.sent], found),
            *checks.commands(self.commands, found),
            *checks.streams(found),
            *checks.read_models(found, "fresh"),
            *checks.mails(found, ATTORNEY, ALLOWED),
        ]


def test_nothing_is_wrong_in_a_good_world() -> None:
    assert World().wrong() == []


def lost(world: World) -> None:
    del world.evidence.facts[0]


def twice(world: World) -> None:
    world.evidence.facts.append(replace(world.evidence.facts[0], position=9, lead_id="M"))


def unacknowledged_twice(world: World) -> None:
    world.sent.acknowledged = []
    twice(world)


def not_sent(world: World) -> None:
    data = world.evidence.facts[0].data | {"email": "who@example.org"}
    world.evidence.facts.append(Fact(9, "M", "submission", "LeadSubmitted", "e9", data))


def two_names_for_one_key(world: World) -> None:
    world.sent.acknowledged = [Acknowledgement("L", 1), Acknowledgement("M", 1)]


def wrong_position(world: World) -> None:
    world.sent.acknowledged = [Acknowledgement("L", 2)]


def wrong_bytes(world: World) -> None:
    world.evidence.resumes["o"] = (10, "cd")


def no_resume(world: World) -> None:
    world.evidence.resumes["o"] = None


def reached_out_twice(world: World) -> None:
    world.evidence.facts.append(replace(world.evidence.facts[1], position=9, id="e9"))


def both_won(world: World) -> None:
    world.commands[1].fresh = [True]


def nobody_won(world: World) -> None:
    world.commands[0].fresh = [False]


def reached_out_is_lost(world: World) -> None:
    del world.evidence.facts[1]


def event_twice(world: World) -> None:
    world.evidence.facts.append(replace(world.evidence.facts[2], position=9))


def orphan(world: World) -> None:
    world.evidence.facts.append(
        Fact(9, "M", "handling", "LeadReachedOut", "e9", {"channel": None, "note": ""})
    )


def dead_letter(world: World) -> None:
    world.evidence.dead.append("dead.notifier.1")


def behind(world: World) -> None:
    world.evidence.inboxes["leads1"]["L"]["status"] = "PENDING"


def file_differs(world: World) -> None:
    world.evidence.tables["leads1"]["leads"] = [(1, "M")]


def table_missing(world: World) -> None:
    world.evidence.tables["leads1"] = {}


def no_mail(world: World) -> None:
    del world.evidence.mails[0]


def mail_not_noted(world: World) -> None:
    del world.evidence.facts[3]


def other_message_id(world: World) -> None:
    world.evidence.mails.append(Mail("<3>", ATTORNEY, "L", 101.0))


def repeat_without_kill(world: World) -> None:
    world.evidence.mails.append(Mail("<1>", ATTORNEY, "L", 99.5))


def repeat_long_after_kill(world: World) -> None:
    world.evidence.mails[0] = replace(world.evidence.mails[0], at=70.0)
    world.evidence.mails.append(Mail("<1>", ATTORNEY, "L", 101.0))


def mail_of_nobody(world: World) -> None:
    world.evidence.mails.append(Mail("<9>", "who@example.org", None, 99.0))


DAMAGE: dict[Callable[[World], None], str] = {
    lost: "was acknowledged and is not in the log",
    twice: "stands 2 times in the log",
    unacknowledged_twice: "stands 2 times in the log",
    not_sent: "nobody sent",
    two_names_for_one_key: "the log says otherwise",
    wrong_position: "at the acknowledged position 2 is something else",
    wrong_bytes: "the resume is stored as (10, 'cd')",
    no_resume: "the resume is stored as None",
    reached_out_twice: "has 2 LeadReachedOut events",
    both_won: "told to have won: ['mine', 'theirs']",
    nobody_won: "none was told that it did it",
    reached_out_is_lost: "was answered with 200 and is not in the log",
    event_twice: "stands 2 times in the log",
    orphan: "begins with LeadReachedOut",
    dead_letter: "a dead letter",
    behind: "the log says",
    file_differs: "table leads differs from the one of a fresh rebuild",
    table_missing: "table leads differs from the one of a fresh rebuild",
    no_mail: "no mail to",
    mail_not_noted: "the history says []",
    other_message_id: "have different Message-IDs",
    repeat_without_kill: "nothing was killed in between",
    repeat_long_after_kill: "nothing was killed in between",
    mail_of_nobody: "about a lead that does not exist",
}


@pytest.mark.parametrize(("damage", "words"), DAMAGE.items(), ids=[one.__name__ for one in DAMAGE])
def test_damage_is_named(damage: Callable[[World], None], words: str) -> None:
    world = World()
    damage(world)
    assert any(words in text for text in world.wrong()), world.wrong()


def test_repeats_of_what_was_in_flight_are_let_pass_up_to_their_number() -> None:
    world = World()
    world.evidence.mails.append(Mail("<1>", ATTORNEY, "L", 101.0))
    assert world.wrong() == []
    few = InFlight(ALLOWED.kills, most=0)
    [text] = checks.mails(world.evidence, ATTORNEY, few)
    assert "1 mails came again after one kill; at most 0 were in flight" in text


def test_a_replica_that_goes_backwards_is_seen() -> None:
    watch = Watch("leads1", "", "")
    watch._see({"id": "L", "status": "REACHED_OUT"})
    watch._see({"id": "L", "status": "REACHED_OUT"})
    assert watch.backwards == []
    watch._see({"id": "L", "status": "PENDING"})
    assert watch.backwards == ["leads1: lead L went from REACHED_OUT to PENDING"]
