"""``libs.events.submissions`` on JetStream, for a user who may publish and nothing else."""

import re
from typing import Final
from uuid import UUID

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError

from libs.chassis.errors import StoreUnavailable
from libs.chassis.group_commit import GroupCommit
from libs.chassis.jetstream import ATTEMPT_SECONDS, WrongSequence, with_retries
from libs.events.chain import GENESIS, PREVIOUS
from libs.events.envelope import NewEvent, encode
from libs.events.jetstream import check_append
from libs.events.subjects import Part, subject_of
from libs.events.submissions import Submitted

_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_EXPECTED_SUBJECT: Final = "Nats-Expected-Last-Subject-Sequence-Subject"
_NEVER: Final = str(2**53 - 1)
"""No stream gets that far: 9 quadrillion messages."""
_WRONG_SEQUENCE: Final = 10071
_IN_FLIGHT: Final = 10164
_SEQUENCE: Final = re.compile(r"wrong last sequence: (\d+)")


class JetStreamSubmissions:
    """``libs.events.submissions.Submissions`` on the stream LEADS."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._client = js._nc  # noqa: SLF001 - nats-py has no public way from a context
        self._group = GroupCommit(js)

    async def submit(self, lead_id: UUID, event: NewEvent) -> Submitted:
        """See ``Submissions.submit``."""
        check_append(Part.SUBMISSION, [event])
        subject = subject_of(lead_id, Part.SUBMISSION)
        headers, payload = encode(event, lead_id)
        headers |= {PREVIOUS: GENESIS, _EXPECTED: "0", _EXPECTED_SUBJECT: subject}
        try:
            ack = await self._group.publish(subject, payload, headers)
        except WrongSequence:
            position = await self.position_of(lead_id)
            if position is None:  # a write of the same lead was under way, and then failed
                raise StoreUnavailable("the submission was not written", ambiguous=True) from None
            return Submitted(position, before=True)
        return Submitted(ack.seq, before=bool(ack.duplicate))

    async def position_of(self, lead_id: UUID) -> int | None:
        """See ``Submissions.position_of``.

        Asked by a write that cannot succeed: it expects the subject at a position that does not
        exist, and the leader's refusal names the one where it is.
        """
        subject = subject_of(lead_id, Part.SUBMISSION)

        async def attempt() -> int | None:
            headers = {_EXPECTED: _NEVER, _EXPECTED_SUBJECT: subject}
            try:
                await self._js.publish(subject, b"", timeout=ATTEMPT_SECONDS, headers=headers)
            except APIError as error:
                if error.err_code == _IN_FLIGHT:  # ask again when that write has ended
                    raise nats.errors.NoRespondersError from None
                found = _SEQUENCE.search(error.description or "")
                if error.err_code != _WRONG_SEQUENCE or found is None:
                    raise
                return int(found[1]) or None
            raise StoreUnavailable("the server took what it must refuse")

        return await with_retries(self._client, attempt)
