"""Every link between the documents leads somewhere, and every command they name is one."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from services.cli.main import app

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page: Path) -> None:
    for link, picture in _LINK.findall(_FENCE.sub("", page.read_text())):
        path, _, anchor = (link or picture).partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link or picture
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_is_one(page: Path) -> None:
    known = get_command(app)
    for words in re.findall(
        r"(?:^|`|\$ )leadlog ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)", page.read_text(), re.MULTILINE
    ):
        group, _, command = words.partition(" ")
        commands = getattr(known, "commands", {})
        assert group in commands, words
        below = getattr(commands[group], "commands", None)
        if below and command:
            assert command in below, words
