"""What an answer of a provider must hold, and what its groups give."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import ValidationError

from services.leads.auth.oidc import flow
from services.leads.auth.oidc.flow import SignInRefused
from services.leads.auth.oidc.roles import parse_mapping, role_of
from services.leads.auth.permissions import Role
from services.leads.settings import LeadsSettings

ENTRA = "https://login.microsoftonline.com/7c1f0000-0000-0000-0000-000000000000/v2.0"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert flow.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_each_sign_in_has_values_of_its_own() -> None:
    one, other = flow.start(NOW), flow.start(NOW)
    assert one.state != other.state
    assert one.cookie != other.cookie
    assert one.pending.nonce != other.pending.nonce
    assert one.pending.verifier != other.pending.verifier
    assert one.cookie not in one.pending.model_dump_json()
    assert one.state not in flow.pending_key(one.state)
    assert one.pending.verifier not in repr(one)


@pytest.mark.parametrize(
    ("cookie", "later"), [("", 0), ("another", 0), (None, flow.PENDING_SECONDS + 1)]
)
def test_another_browser_or_too_late(cookie: str | None, later: int) -> None:
    begun = flow.start(NOW)
    with pytest.raises(SignInRefused):
        flow.check_browser(
            begun.pending,
            begun.cookie if cookie is None else cookie,
            NOW + timedelta(seconds=later),
        )
    flow.check_browser(begun.pending, begun.cookie, NOW)


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email": "a@b.example", "email_verified": True}, "a@b.example"),
        ({"email": "a@b.example", "email_verified": False}, None),
        ({"email": "a@b.example", "email_verified": "true"}, None),
        ({"email": "a@b.example"}, None),
        ({"email": 7, "email_verified": True}, None),
        ({"email": "a@b.example", "iss": ENTRA, "xms_edov": True}, "a@b.example"),
        ({"email": "a@b.example", "iss": ENTRA, "xms_edov": "1"}, "a@b.example"),
        ({"email": "a@b.example", "iss": ENTRA, "xms_edov": False}, None),
        ({"email": "a@b.example", "iss": ENTRA, "xms_edov": "0"}, None),
        ({"email": "a@b.example", "iss": ENTRA}, None),
        ({"email": "a@b.example", "iss": "https://evil.example", "xms_edov": True}, None),
    ],
)
def test_only_a_verified_address_counts(claims: dict[str, Any], email: str | None) -> None:
    assert flow.person({"sub": "x", **claims}, "groups").email == email


@pytest.mark.parametrize("prompt", [None, "select_account"])
def test_the_provider_asks_in_any_case_if_the_operator_says_so(prompt: str | None) -> None:
    url = flow.authorization_url(
        "https://id.example/authorize?a=b",
        "leadlog",
        "https://leads.example/auth/oidc/callback",
        ["openid"],
        flow.start(NOW),
        max_age=60,
        prompt=prompt,
    )
    asked = dict(parse_qsl(urlsplit(url).query))
    assert asked.get("prompt") == prompt
    assert asked["max_age"] == "60"
    assert asked["a"] == "b"


@pytest.mark.parametrize(
    ("said", "back"),
    [(NOW.timestamp(), 0), (int(NOW.timestamp()) - 3600, 3600), (NOW.timestamp() + 59, 0)],
)
def test_when_the_person_proved_it_is_what_the_provider_says(said: float, back: int) -> None:
    assert flow.authenticated_at({"auth_time": said}, NOW) == NOW - timedelta(seconds=back)


def test_a_provider_that_does_not_say_when_is_not_taken_for_now() -> None:
    assert flow.authenticated_at({}, NOW) is None


@pytest.mark.parametrize(
    "said", [NOW.timestamp() + 61, -1, float("nan"), float("inf"), True, "1764000000", [1]]
)
def test_a_time_that_cannot_be_is_refused(said: object) -> None:
    with pytest.raises(SignInRefused):
        flow.authenticated_at({"auth_time": said}, NOW)


@pytest.mark.parametrize("subject", [None, "", 7])
def test_somebody_without_a_name_of_the_provider_is_nobody(subject: object) -> None:
    with pytest.raises(SignInRefused):
        flow.person({"sub": subject}, "groups")


def test_groups_and_methods() -> None:
    who = flow.person({"sub": "x", "groups": ["a", 7, "b"], "amr": ["otp"]}, "groups")
    assert who.groups == {"a", "b"}
    assert who.methods == {"oidc", "otp"}
    assert flow.person({"sub": "x", "team": "a"}, "team").groups == {"a"}
    assert flow.person({"sub": "admin"}, "sub").groups == frozenset()


def test_the_strongest_role_wins() -> None:
    mapping = parse_mapping(["a=viewer", "b = admin", "cn=c,ou=d=attorney"])
    assert role_of(["a", "b"], mapping) is Role.ADMIN
    assert role_of(["cn=c,ou=d", "a"], mapping) is Role.ATTORNEY
    assert role_of(["z"], mapping) is None


@pytest.mark.parametrize("entry", ["a", "=admin", "a=king", "a="])
def test_a_mapping_that_makes_no_sense(entry: str) -> None:
    with pytest.raises(ValueError, match="looks like"):
        parse_mapping([entry])
    with pytest.raises(ValueError, match="one role only"):
        parse_mapping(["a=admin", "a=viewer"])


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "https://id.example"},
        {
            "oidc_issuer": "http://id.example",
            "oidc_client_id": "a",
            "oidc_redirect_url": "https://x",
        },
        {"oidc_roles": ["partners"]},
        {"oidc_return_url": "https://inbox.example/#there"},
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LeadsSettings(**settings)
