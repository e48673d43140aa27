"""The parts of the second factor on buckets in memory."""

from services.leads.auth.mfa.parts import Mfa, open_mfa
from services.leads.auth.mfa.passkeys import RelyingParty
from tests.unit.leads.memory_bucket import MemoryBucket


def second_factors(*keys: str) -> Mfa:
    return open_mfa(
        MemoryBucket(),
        MemoryBucket(),
        MemoryBucket(),
        party=RelyingParty("localhost", "http://localhost:8081"),
        keys=keys,
    )
