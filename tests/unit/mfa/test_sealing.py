"""Secrets at rest."""

import pytest

from services.leads.auth.mfa.sealing import BadKey, CannotOpen, Sealing, new_key

OLD, NEW = new_key(), new_key()


def test_a_sealed_secret_shows_nothing_and_opens_for_its_owner_only() -> None:
    sealing = Sealing([OLD])
    sealed = sealing.seal("SECRET", "owner-1")
    assert "SECRET" not in sealed
    assert sealing.seal("SECRET", "owner-1") != sealed
    assert sealing.open(sealed, "owner-1") == "SECRET"
    with pytest.raises(CannotOpen):
        sealing.open(sealed, "owner-2")


def test_a_new_key_opens_what_the_old_one_sealed_as_long_as_both_are_given() -> None:
    sealed = Sealing([OLD]).seal("SECRET", "owner")
    both = Sealing([NEW, OLD])
    assert both.open(sealed, "owner") == "SECRET"
    assert Sealing([NEW]).open(both.seal("SECRET", "owner"), "owner") == "SECRET"
    for without in (Sealing([NEW]), Sealing()):
        with pytest.raises(CannotOpen):
            without.open(sealed, "owner")


def test_without_a_key_secrets_are_kept_as_they_are_and_a_later_key_still_reads_them() -> None:
    kept = Sealing().seal("SECRET", "owner")
    assert Sealing([NEW]).open(kept, "owner") == "SECRET"


@pytest.mark.parametrize("damaged", ["aes256gcm:", "aes256gcm:!!", "aes256gcm:AAAA", "SECRET"])
def test_what_is_damaged_does_not_open(damaged: str) -> None:
    with pytest.raises(CannotOpen):
        Sealing([OLD]).open(damaged, "owner")


@pytest.mark.parametrize(
    "key",
    ["", "short", "é", OLD[:-4], OLD + "AAAA"],
    ids=["empty", "short", "not ASCII", "too short", "too long"],
)
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(BadKey):
        Sealing([key])
