"""The hash chain: every event carries the hash of the one before it (pure).

The chain runs along one part of one lead, since a part is what has one writer and an
expectation; the first event of every other part carries the hash of the
lead's submission, so that all parts of a lead hang together (docs/adr/0010).
"""

import hashlib
from collections.abc import Mapping
from typing import Final

PREVIOUS: Final = "ce-prevhash"
GENESIS: Final = "0" * 64
"""What the first event of a submission carries."""


def hash_of(subject: str, headers: Mapping[str, str], payload: bytes) -> str:
    """The hash of a stored event: of its subject, its CloudEvents attributes and its data.

    Headers of NATS itself are left out: they say how a message was written, and a restore or
    a mirror may change them.
    """
    digest = hashlib.sha256(f"{subject}\n".encode())
    for name in sorted(headers):
        if name.startswith("ce-"):
            digest.update(f"{name}: {headers[name]}\n".encode())
    digest.update(b"\n")
    digest.update(payload)
    return digest.hexdigest()
