"""docs/nats-permissions.md says what deploy/nats/permissions.conf grants, and no more."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONF = (ROOT / "deploy/nats/permissions.conf").read_text()
PAGE = (ROOT / "docs/nats-permissions.md").read_text()
USERS = ("intake", "leads", "notifier", "operator")


def granted(user: str) -> tuple[list[str], list[str]]:
    """What the configuration allows and denies a user to publish."""
    block = CONF.split(f"$LEADLOG_NATS_{user.upper()}_KEY")[1].split("nkey:")[0]
    allowed, _, denied = block.partition("deny:")
    lists = (re.findall(r'^\s+"([^"]+)"$', part, re.MULTILINE) for part in (allowed, denied))
    return next(lists), next(lists)


def described(user: str) -> tuple[list[str], list[str]]:
    """What the page says of a user."""
    section = PAGE.split(f"\n## {user}: ")[1].split("\n## ")[0]
    table, _, denied = section.partition("But not:")
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE), re.findall(r"`([^`]+)`", denied)


@pytest.mark.parametrize("user", USERS)
def test_the_page_is_true_of_each_user(user: str) -> None:
    assert granted(user)[0], "the configuration reads otherwise than this test does"
    assert described(user) == granted(user)


@pytest.mark.parametrize("user", USERS)
def test_each_user_listens_to_its_own_answers_only(user: str) -> None:
    assert CONF.count(f'subscribe: "_INBOX_{user}.>"') == 1
    assert CONF.count("subscribe:") == len(USERS)


def test_nobody_may_do_all_and_nobody_may_purge() -> None:
    every = [subject for user in USERS for subject in granted(user)[0]]
    assert not any("PURGE" in subject for subject in every)
    assert not {">", "$JS.>", "$JS.API.>", "$JS.API.STREAM.>"} & set(every)
