"""The chunks of a restore, with a client whose server is slow to say that somebody listens."""

import json
from typing import Any, cast

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.cli.backup import api


class SlowToListen:
    """Answers as nats-server does, and has nobody listening for the first chunks sent."""

    def __init__(self, deaf: int) -> None:
        self.deaf = deaf
        self.taken: list[bytes] = []

    async def request(self, subject: str, data: bytes, *, timeout: float) -> Msg:  # noqa: ASYNC109 - of nats-py
        assert timeout > 0
        answer: dict[str, Any] = {"config": {"name": "LEADS"}}
        if subject.startswith("$JS.API"):
            answer = {"deliver_subject": "there"}
        elif self.deaf:
            self.deaf -= 1
            raise nats.errors.NoRespondersError
        else:
            self.taken.append(data)
        ended = subject.startswith("$JS.API") or data == b""
        return Msg(cast("Client", None), data=json.dumps(answer).encode() if ended else b"")


async def test_a_chunk_that_nobody_took_is_sent_again() -> None:
    server = SlowToListen(deaf=2)
    made = await api.put_back(cast("Client", server), "LEADS", {}, {}, [b"one", b"two"])
    assert made == {"config": {"name": "LEADS"}}
    assert server.taken == [b"one", b"two", b""]


async def test_a_restore_that_nobody_listens_to_any_more_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api, "_LISTENER_SECONDS", 0.3)
    server = SlowToListen(deaf=1_000)
    with pytest.raises(api.SnapshotFailed, match="given the restore up"):
        await api.put_back(cast("Client", server), "LEADS", {}, {}, [b"one"])
    assert server.taken == []
