"""Who must have a second factor, and what that means."""

from datetime import UTC, datetime, timedelta

import pytest

from services.leads.auth.mfa.credentials import Credentials, Totp
from services.leads.auth.mfa.policy import (
    AuthPolicy,
    LastFactor,
    Policies,
    StepUpNeeded,
    allowed,
    check_fresh,
    check_removal,
    policy_of,
)
from services.leads.auth.permissions import ROLE_PERMISSIONS, Permission, Role
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime(2026, 3, 1, tzinfo=UTC)
APP = Totp(secret="sealed", added_at=NOW, last_step=1)
ADMINS = AuthPolicy(mfa_required_for=frozenset({Role.ADMIN}))
PWD, WITH_MFA = frozenset({"pwd"}), frozenset({"pwd", "otp", "mfa"})


EVERYBODY = AuthPolicy(mfa_required_for=frozenset(Role))


@pytest.mark.parametrize(
    ("record", "policy"),
    [
        (None, AuthPolicy()),
        (b'{"mfa_required_for": []}', AuthPolicy()),
        (b'{"mfa_required_for": ["admin"], "of_a_newer_version": 1}', ADMINS),
        (b'{"type": "io.nats.jetstream.api.v1.stream_info_response"}', EVERYBODY),
        (b'{"mfa_required_for": ["king"]}', EVERYBODY),
        (b"", EVERYBODY),
    ],
)
def test_a_damaged_policy_is_not_an_empty_one(record: bytes | None, policy: AuthPolicy) -> None:
    assert policy_of(record) == policy


@pytest.mark.parametrize(
    ("role", "methods", "policy", "whole"),
    [
        (Role.ADMIN, PWD, ADMINS, False),
        (Role.ADMIN, WITH_MFA, ADMINS, True),
        (Role.ATTORNEY, PWD, ADMINS, True),
        (Role.ADMIN, PWD, AuthPolicy(), True),
    ],
)
def test_a_login_without_a_required_factor_can_only_set_one_up(
    role: Role, methods: frozenset[str], policy: AuthPolicy, *, whole: bool
) -> None:
    expected = ROLE_PERMISSIONS[role] if whole else frozenset({Permission.SELF})
    assert allowed(ROLE_PERMISSIONS[role], role, methods, policy) == expected


def test_a_restriction_never_adds_a_permission() -> None:
    assert allowed(frozenset(), Role.ADMIN, PWD, ADMINS) == frozenset()


def test_the_last_factor_stays_where_one_is_required() -> None:
    with pytest.raises(LastFactor):
        check_removal(Credentials(), Role.ADMIN, ADMINS)
    check_removal(Credentials(totp=APP), Role.ADMIN, ADMINS)
    check_removal(Credentials(), Role.VIEWER, ADMINS)


@pytest.mark.parametrize(
    ("age", "methods", "has_factor", "fresh"),
    [
        (timedelta(minutes=10), PWD, False, True),
        (timedelta(minutes=10, seconds=1), PWD, False, False),
        (timedelta(0), PWD, True, False),
        (timedelta(0), WITH_MFA, True, True),
        (timedelta(minutes=11), WITH_MFA, True, False),
    ],
)
def test_who_has_a_factor_must_have_used_one_within_ten_minutes(
    age: timedelta, methods: frozenset[str], *, has_factor: bool, fresh: bool
) -> None:
    if fresh:
        check_fresh(NOW - age, methods, NOW, has_factor=has_factor)
    else:
        with pytest.raises(StepUpNeeded):
            check_fresh(NOW - age, methods, NOW, has_factor=has_factor)


async def test_what_a_newer_version_wrote_is_read_as_far_as_it_is_known() -> None:
    bucket = MemoryBucket()
    await bucket.put("auth.policy", b'{"mfa_required_for": ["admin"], "something_new": 1}')
    assert await Policies(bucket).current() == ADMINS


async def test_the_policy_is_read_again_after_some_seconds() -> None:
    time, bucket = [0.0], MemoryBucket()
    mine, theirs = (Policies(bucket, lambda: time[0]) for _ in range(2))
    assert await mine.current() == AuthPolicy()
    await theirs.change(ADMINS)
    assert await theirs.current() == ADMINS
    time[0] = 2.9
    assert await mine.current() == AuthPolicy()
    time[0] = 3.0
    assert await mine.current() == ADMINS
