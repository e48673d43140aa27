"""What is decided about passkeys besides what the library verifies."""

from typing import Any

import pytest

from services.leads.auth.mfa import passkeys
from services.leads.auth.mfa.passkeys import PasskeyRefused, RelyingParty

PARTY = RelyingParty("localhost", "http://localhost:8081")
ACCOUNT = "01a20e80-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("url", "party"),
    [
        ("http://localhost:8081", PARTY),
        (
            "https://leads.firm.example",
            RelyingParty("leads.firm.example", "https://leads.firm.example"),
        ),
        ("https://firm.example:8443", RelyingParty("firm.example", "https://firm.example:8443")),
    ],
)
def test_the_domain_and_the_origin_come_from_the_public_address(
    url: str, party: RelyingParty
) -> None:
    assert passkeys.relying_party(url) == party


@pytest.mark.parametrize(
    ("before", "now", "fine"),
    [(0, 0, True), (0, 1, True), (1, 2, True), (2, 2, False), (2, 1, False), (2, 0, False)],
)
def test_a_counter_goes_up_or_is_not_there(before: int, now: int, *, fine: bool) -> None:
    assert passkeys.counter_goes_on(before, now) is fine


def test_a_new_passkey_must_be_discoverable_and_verify_its_user() -> None:
    challenge, options = passkeys.registration_options(PARTY, ACCOUNT, "l@f.example", "Lena", ())
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["rp"]["id"] == "localhost"
    assert len(challenge) == 64
    assert passkeys.account_of({"response": {"userHandle": options["user"]["id"]}}) == ACCOUNT


def test_signing_in_asks_for_a_verified_user_and_a_new_challenge_each_time() -> None:
    first, options = passkeys.sign_in_options(PARTY)
    second, _ = passkeys.sign_in_options(PARTY)
    assert first != second
    assert options["userVerification"] == "required"
    assert not options.get("allowCredentials")


@pytest.mark.parametrize("handle", [None, "", "AAAA", "é", 5])
def test_a_handle_that_is_none_names_nobody(handle: Any) -> None:
    with pytest.raises(PasskeyRefused):
        passkeys.account_of({"response": {"userHandle": handle}})
