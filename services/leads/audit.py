"""Noting in the audit trail what a request did (docs/audit.md)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiohttp import web
from pydantic import ValidationError

from libs.audit import ANONYMOUS, AuditEntry, AuditLog, Outcome
from libs.chassis.client_address import client_address
from libs.chassis.errors import StoreUnavailable
from services.leads.keys import PRINCIPAL

log = structlog.get_logger(__name__)
AUDIT_LOG: Final = web.AppKey("audit_log", AuditLog)


class NotAnEntry(Exception):
    """The service would note what an entry may not say: a programming error."""


async def note(
    request: web.Request,
    action: str,
    *,
    target: str | None = None,
    outcome: Outcome = "ok",
    actor: str | None = None,
    said: Mapping[str, str | int | bool] | None = None,
    **details: str | int | bool,
) -> None:
    """Write who did what; it is on disk when this returns.

    Call it before anything is handed out: what cannot be noted is not answered (ADR 17).

    Args:
        request: says who asks, and from where.
        action: ``<area>.<verb>``.
        target: ``<kind>:<id>``.
        outcome: ``refused`` or ``failed`` when it did not happen.
        actor: who did it, when the request does not know yet (a sign-in).
        said: more of the details, when their names are not known here.
        **details: short words and numbers; never a name, an address or what was typed.

    Raises:
        StoreUnavailable: it cannot be written.
        NotAnEntry: the values are none that an entry may have.
    """
    try:
        entry = AuditEntry(
            action=action,
            actor=actor or _actor(request),
            target=target,
            outcome=outcome,
            details={**(said or {}), **details},
            address=client_address(request),
        )
    except ValidationError as error:
        # Not the client's fault, so it must not become the answer to a request that is not valid.
        fields = ", ".join(str(one["loc"][0]) for one in error.errors(include_input=False))
        raise NotAnEntry(f"this cannot be noted as {action!r}: {fields}") from None
    await request.app[AUDIT_LOG].record(entry)


@asynccontextmanager
async def on_record(
    request: web.Request,
    action: str,
    *,
    target: str,
    actor: str | None = None,
    refusals: tuple[type[Exception], ...] = (),
    said: Mapping[str, str | int | bool] | None = None,
    **details: str | int | bool,
) -> AsyncIterator[None]:
    """Note a change before it is made, and once more if it is not made.

    Args:
        request: as for `note`.
        action: as for `note`.
        target: as for `note`.
        actor: as for `note`.
        refusals: errors that mean that it is not allowed; others mean that it did not work.
        said: as for `note`.
        **details: as for `note`.

    Raises:
        StoreUnavailable: it cannot be noted, and nothing has been changed.
    """
    said = {**(said or {}), **details}
    await note(request, action, target=target, actor=actor, said=said)
    try:
        yield
    except Exception as error:
        outcome: Outcome = "refused" if isinstance(error, refusals) else "failed"
        # A write that nobody confirmed may be there: the entry must not say that it is not.
        unsure = isinstance(error, StoreUnavailable) and error.ambiguous
        why = {"reason": "not-confirmed"} if unsure else {}
        try:
            await note(request, action, target=target, actor=actor, outcome=outcome, said=why)
        except StoreUnavailable:
            log.warning("a change is on record that was not made", action=action)
        raise


def _actor(request: web.Request) -> str:
    principal = request.get(PRINCIPAL)
    return ANONYMOUS if principal is None else principal.actor
