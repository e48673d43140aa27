"""What a client calls itself, in plain words (pure): a hint for people, never a decision."""

from typing import Final

_PROGRAMS: Final = (
    # The order matters: most browsers also name those that they are compatible with.
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("FxiOS/", "Firefox"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-requests/", "a Python program"),
    ("aiohttp/", "a Python program"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def in_words(user_agent: str) -> str:
    """Return for example "Firefox on Linux"; "an unknown program" for what is not known."""
    program = _first(_PROGRAMS, user_agent) or "an unknown program"
    system = _first(_SYSTEMS, user_agent)
    return f"{program} on {system}" if system else program


def _first(known: tuple[tuple[str, str], ...], user_agent: str) -> str | None:
    return next((words for mark, words in known if mark in user_agent), None)
