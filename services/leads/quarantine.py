"""Who gets which resume (pure): what a virus scan's result means for those who read leads.

What could not be scanned is handed out, with its state in sight: no scan is a proof (a document
with a password passes as clean as well), and the resume belongs to a lead that must not be lost
over a limit that somebody set too low.
"""

from typing import Literal

from libs.events import Verdict

Scan = Literal["off", "waiting", "clean", "infected", "unscannable"]
Refusal = Literal["not-scanned", "quarantined"]


def scan_of(verdict: Verdict | None, *, scanning: bool) -> Scan:
    """Return what the API says about the scan; a verdict stays when scanning is turned off."""
    match verdict:
        case Verdict.CLEAN:
            return "clean"
        case Verdict.INFECTED:
            return "infected"
        case Verdict.UNSCANNABLE:
            return "unscannable"
        case None:
            return "waiting" if scanning else "off"


def is_quarantined(verdict: Verdict | None, *, released: bool) -> bool:
    """Tell whether a virus was found and nobody has released the resume since."""
    return verdict is Verdict.INFECTED and not released


def refusal_of(verdict: Verdict | None, *, released: bool, scanning: bool) -> Refusal | None:
    """Return why the resume is not handed out; None: it is."""
    if is_quarantined(verdict, released=released):
        return "quarantined"
    if verdict is None and scanning and not released:
        return "not-scanned"
    return None
