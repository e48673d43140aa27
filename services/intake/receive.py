"""Reads a form off the wire: bounded in bytes, in time, and in how many are read at once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import ClientError, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from libs.chassis.errors import StoreUnavailable
from services.intake.form import Form
from services.intake.form_reader import BrokenForm, FormReader, boundary_of
from services.intake.limits import FormLimits
from services.intake.resume import ResumeTooLarge

_SILENCE_SECONDS: Final = 15.0
"""A client that sends nothing for so long holds a place that others need."""


class TooBusy(Exception):
    """As many forms are being read as may be at once."""


class SlowClient(Exception):
    """The form did not arrive in time."""


class ClientGone(Exception):
    """The client hung up while it was sending."""


class Slots:
    """How many forms may be in hand at once."""

    def __init__(self, limit: int) -> None:
        self._free = limit

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold one slot.

        Raises:
            TooBusy: there is none.
        """
        if self._free <= 0:
            raise TooBusy
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


async def receive(
    request: web.Request, form: Form, limits: FormLimits, seconds: float, *, keep_fields: bool
) -> None:
    """Read a request's whole body into a form.

    Args:
        request: its body has not been read.
        form: empty; after an error it holds what had arrived.
        limits: the bounds of the form.
        seconds: how long the whole body may take.
        keep_fields: read a body that is announced as too large up to its file, so that the
            fields before it can be shown again; otherwise it is refused unread.

    Raises:
        WrongContentType, BrokenForm, FormTooLarge, ResumeTooLarge: it cannot be taken.
        SlowClient: it took too long.
        ClientGone: it ended with the connection.
        StoreUnavailable: there is no room for it on this machine's disk.
    """
    boundary = boundary_of(request.headers.get(hdrs.CONTENT_TYPE, ""))
    if (request.content_length or 0) > limits.body_bytes and not keep_fields:
        raise ResumeTooLarge(limits.resume_bytes)
    reader = FormReader(form, boundary, limits)
    try:
        async with asyncio.timeout(seconds):
            await _read(request, reader)
    except TimeoutError:
        raise SlowClient from None
    reader.finish()


async def _read(request: web.Request, reader: FormReader) -> None:
    pieces = request.content.iter_any()
    while True:
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except (web.RequestPayloadError, HttpProcessingError):
            raise BrokenForm("The form's transfer encoding is damaged.") from None
        except (OSError, ClientError):
            raise ClientGone from None
        try:
            reader.feed(piece)
        except OSError:
            raise StoreUnavailable("no room for the upload on the disk") from None
