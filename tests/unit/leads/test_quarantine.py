"""Given a verdict, when somebody wants the resume, then they get it or hear why not."""

import pytest

from libs.events import Verdict
from services.leads.quarantine import is_quarantined, refusal_of, scan_of

ON_OR_OFF = pytest.mark.parametrize("scanning", [True, False])


@ON_OR_OFF
def test_a_virus_stays_quarantined_until_it_is_released(*, scanning: bool) -> None:
    for released, reason in ((False, "quarantined"), (True, None)):
        assert refusal_of(Verdict.INFECTED, released=released, scanning=scanning) == reason
        assert is_quarantined(Verdict.INFECTED, released=released) is not released
        assert scan_of(Verdict.INFECTED, scanning=scanning) == "infected"


@ON_OR_OFF
@pytest.mark.parametrize("verdict", [Verdict.CLEAN, Verdict.UNSCANNABLE])
def test_what_is_clean_or_cannot_be_scanned_is_handed_out(
    verdict: Verdict, *, scanning: bool
) -> None:
    assert refusal_of(verdict, released=False, scanning=scanning) is None
    assert scan_of(verdict, scanning=scanning) == verdict.value


def test_what_is_not_scanned_yet_waits_where_scanning_is_on_and_only_there() -> None:
    assert refusal_of(None, released=False, scanning=True) == "not-scanned"
    assert refusal_of(None, released=True, scanning=True) is None
    assert refusal_of(None, released=False, scanning=False) is None
    assert [scan_of(None, scanning=on) for on in (True, False)] == ["waiting", "off"]
