"""Links of a mail's HTML (pure): the locked-up view cannot follow them, the page can."""

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

_MAX_HTML: Final = 1_000_000
_SCHEMES: Final = ("https://", "http://", "mailto:", "tel:")


@dataclass(frozen=True, slots=True)
class Link:
    """Where a link leads, and what it says."""

    address: str
    text: str


def links_of(html: str) -> list[Link]:
    """The links, each address once, in their order; none that would run something."""
    parser = _Anchors()
    try:
        parser.feed(html[:_MAX_HTML])
        parser.close()
    except AssertionError:  # html.parser of Python 3.11 meets "<![" and an unknown word so
        pass
    return [Link(address, " ".join(text.split())) for address, text in parser.found.items()]


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._address: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "a":
            return
        address = (dict(attrs).get("href") or "").strip()
        allowed = address.lower().startswith(_SCHEMES) and address not in self.found
        self._address = address if allowed else None
        if allowed:
            self.found[address] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._address = None

    def handle_data(self, data: str) -> None:
        if self._address is not None:
            self.found[self._address] += data
