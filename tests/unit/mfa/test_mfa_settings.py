"""What the service does not start with."""

import pytest
from pydantic import ValidationError

from services.leads.auth.mfa.sealing import new_key
from services.leads.settings import LeadsSettings


@pytest.mark.parametrize(
    "url",
    [
        "http://leads.firm.example",
        "https://leads.firm.example/leads",
        "leads.firm.example",
        "https://leads.firm.example#x",
        "https://",
    ],
)
def test_passkeys_need_an_encrypted_origin(url: str) -> None:
    with pytest.raises(ValidationError, match="public_url"):
        LeadsSettings(public_url=url)


@pytest.mark.parametrize(
    "url", ["https://leads.firm.example", "https://firm.example:8443/", "http://localhost:8081"]
)
def test_an_origin_is_kept_without_its_last_slash(url: str) -> None:
    assert LeadsSettings(public_url=url).public_url == url.rstrip("/")


def test_a_key_that_is_none_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="openssl rand") as refused:
        LeadsSettings(credential_key=[new_key(), "not-a-key-zq"])
    assert "not-a-key-zq" not in str(refused.value)


def test_keys_come_from_one_variable_the_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = new_key(), new_key()
    monkeypatch.setenv("LEADLOG_LEADS_CREDENTIAL_KEY", f"{new},{old}")
    kept = LeadsSettings().credential_key
    assert [one.get_secret_value() for one in kept] == [new, old]
    assert new not in repr(kept)
