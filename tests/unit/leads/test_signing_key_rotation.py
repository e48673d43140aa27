"""A new signing key: known everywhere before it signs, and the old one kept while it is needed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from libs.chassis.buckets import Entry
from libs.chassis.errors import StoreUnavailable
from services.leads.auth import signing_key_rotation as rotation
from services.leads.auth.signing_key_rotation import (
    KEPT,
    SPREAD_SECONDS,
    KeyUnknown,
    RotationElsewhere,
    State,
    StillNeeded,
    state_of,
)
from services.leads.auth.signing_keys import RELOAD_SECONDS, KeyRing
from tests.unit.leads.memory_bucket import MemoryBucket

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Bucket(MemoryBucket):
    away = False

    async def get(self, key: str) -> Entry | None:
        if self.away:
            raise StoreUnavailable("nobody is there")
        return await super().get(key)


class Office:
    """A bucket, replicas, and a clock that only moves when somebody waits."""

    def __init__(self) -> None:
        self.bucket, self.seconds = Bucket(), 1000.0
        self.rings = [self.ring() for _ in range(3)]

    def ring(self) -> KeyRing:
        return KeyRing(self.bucket, lambda: self.seconds)

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.seconds += seconds

    async def rotate(self) -> str:
        return await rotation.rotate(self.bucket, self.now, self.wait)

    async def states(self) -> list[State]:
        return [key.state for key in await rotation.list_keys(self.bucket, self.now())]


@pytest.fixture
def office() -> Office:
    return Office()


async def test_at_every_moment_every_replica_verifies_what_any_replica_signs(
    office: Office,
) -> None:
    old = (await office.rings[0].current()).kid
    seen: set[str] = set()

    async def everybody_knows_everybodys_key() -> None:
        for signer in (*office.rings, office.ring()):
            kid = (await signer.current()).kid
            seen.add(kid)
            for verifier in (*office.rings, office.ring()):
                assert await verifier.verifier(kid) is not None, kid
                assert await verifier.verifier(old) is not None

    async def wait(seconds: float) -> None:
        until = office.seconds + seconds
        while office.seconds < until:
            await everybody_knows_everybodys_key()
            office.seconds += 0.7

    new = await rotation.rotate(office.bucket, office.now, wait)
    assert seen == {old}
    await wait(2 * RELOAD_SECONDS)
    assert seen == {old, new}
    assert {(await ring.current()).kid for ring in office.rings} == {new}
    assert await office.states() == [State.VERIFIES, State.SIGNS]


async def test_a_replica_that_slept_through_it_all_knows_the_new_key_at_once(
    office: Office,
) -> None:
    await office.rings[0].current()
    sleeper = office.rings[1]
    await sleeper.current()
    new = await office.rotate()

    assert await sleeper.verifier(new) is not None


async def test_both_keys_are_published_until_the_old_one_is_retired(office: Office) -> None:
    ring = office.rings[0]
    old = (await ring.current()).kid
    new = await office.rotate()
    office.seconds += RELOAD_SECONDS
    published = await ring.published()
    assert {key["kid"] for key in published} == {old, new}
    assert all("d" not in key for key in published)
    assert await rotation.retire(office.bucket, office.now()) == []
    with pytest.raises(StillNeeded, match="at-once"):
        await rotation.retire(office.bucket, office.now(), old)
    office.seconds += KEPT.total_seconds()

    assert await office.states() == [State.DONE, State.SIGNS]
    assert await rotation.retire(office.bucket, office.now()) == [old]
    assert {key["kid"] for key in await ring.published()} == {new}
    assert await ring.verifier(old) is None
    assert set(office.bucket.entries) == {"current", new}


async def test_a_leaked_key_is_retired_at_once_but_never_the_one_that_signs(
    office: Office,
) -> None:
    old = (await office.rings[0].current()).kid
    with pytest.raises(StillNeeded, match="signs"):
        await rotation.retire(office.bucket, office.now(), old, at_once=True)
    await office.rotate()
    assert await rotation.retire(office.bucket, office.now(), old, at_once=True) == [old]
    with pytest.raises(KeyUnknown):
        await rotation.retire(office.bucket, office.now(), old)
    office.seconds += RELOAD_SECONDS
    assert await office.rings[0].verifier(old) is None


async def test_an_interrupted_rotation_is_finished_by_the_next(office: Office) -> None:
    old = (await office.rings[0].current()).kid

    async def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rotation.rotate(office.bucket, office.now, interrupted)
    assert await office.states() == [State.SIGNS, State.NEW]
    new = await office.rotate()

    assert [key.kid for key in await rotation.list_keys(office.bucket, NOW)] == [old, new]
    assert await office.states() == [State.VERIFIES, State.SIGNS]


async def test_of_two_rotations_at_once_one_wins_and_no_key_is_lost(office: Office) -> None:
    old = (await office.rings[0].current()).kid
    outcomes = await asyncio.gather(office.rotate(), office.rotate(), return_exceptions=True)
    signs = (await office.ring().current()).kid

    refused = [type(outcome) for outcome in outcomes if not isinstance(outcome, str)]
    assert refused == [RotationElsewhere]
    assert signs in outcomes
    assert signs != old
    assert old in office.bucket.entries


async def test_the_first_key_needs_nobody_to_wait(office: Office) -> None:
    kid = await office.rotate()

    assert (await office.rings[0].current()).kid == kid
    assert office.seconds == 1000.0


async def test_while_the_bucket_is_away_what_is_known_goes_on(office: Office) -> None:
    ring = office.rings[0]
    kid = (await ring.current()).kid
    office.bucket.away = True
    office.seconds += 3600

    assert (await ring.current()).kid == kid
    assert await ring.verifier(kid) is not None
    with pytest.raises(StoreUnavailable):
        await ring.verifier("unknown")


@pytest.mark.parametrize(
    ("signs", "replaced", "state"),
    [
        (True, None, State.SIGNS),
        (True, timedelta(days=9), State.SIGNS),
        (False, None, State.NEW),
        (False, KEPT - timedelta(seconds=1), State.VERIFIES),
        (False, KEPT, State.DONE),
    ],
)
def test_what_a_key_is_there_for(signs: bool, replaced: timedelta | None, state: State) -> None:  # noqa: FBT001
    at = None if replaced is None else NOW - replaced
    assert state_of(signs=signs, replaced_at=at, now=NOW) is state


def test_a_new_key_waits_longer_than_any_replica_does_without_looking() -> None:
    assert SPREAD_SECONDS >= 2 * RELOAD_SECONDS
