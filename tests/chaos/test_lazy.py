"""What a power failure took is counted rightly."""

from tests.chaos.evidence import Evidence, Fact
from tests.chaos.lazy import compare
from tests.chaos.load import Acknowledgement, Submission


def _sent(number: int, at: float) -> Submission:
    promise = Acknowledgement(f"L{number}", number, at)
    return Submission(number, "patient", 10, "ab", [promise])


def _fact(number: int) -> Fact:
    data = {"resume": {"object": f"o{number}"}}
    return Fact(number, f"L{number}", "submission", "LeadSubmitted", f"e{number}", data)


def test_kept_without_resume_and_lost_are_told_apart() -> None:
    silent = Submission(9, "once", 10, "ab")
    found = Evidence(
        facts=[_fact(1), _fact(2), _fact(3)],
        resumes={"o1": (10, "ab"), "o2": (10, "cd"), "o3": None},
    )
    sent = [*(_sent(number, 50.0 + number) for number in (1, 2, 3, 4)), silent]
    loss = compare("2m", 60, sent, found, cut_at=60.0)
    assert (loss.acknowledged, loss.events, loss.resumes) == (4, 1, 2)
    assert loss.oldest == 8.0
    assert loss.row == "| 2m | 60 s | 4 | 1 | 2 | 75.0 % | 8.0 s |"


def test_a_stream_that_is_gone_has_lost_everything() -> None:
    loss = compare("2m", 60, [_sent(1, 59.0)], Evidence(), cut_at=60.0)
    assert (loss.events, loss.resumes) == (1, 0)
