"""Making JetStream forget message ids, which it does after a while by itself."""

import asyncio
from dataclasses import replace

from nats.js import JetStreamContext

from libs.events import new_id

SHORT = 0.1
"""Seconds; the shortest window that nats-server allows."""


async def shorten_windows(js: JetStreamContext) -> None:
    """Let every stream forget message ids almost at once."""
    for info in await js.streams_info():
        await js.update_stream(replace(info.config, duplicate_window=SHORT))


async def until_forgotten(js: JetStreamContext) -> None:
    """Wait until the log takes a message id for a second time."""
    subject = f"leads.{new_id()}.mail"
    headers = {
        "Nats-Msg-Id": str(new_id()),
        "ce-type": "Probe",
        "ce-dataschema": "urn:leadlog:event:Probe:1",
    }
    await js.publish(subject, b"{}", headers=dict(headers))
    async with asyncio.timeout(20):
        while (await js.publish(subject, b"{}", headers=dict(headers))).duplicate:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
