"""Names for the ids in audit entries: looked up when they are shown, never stored there."""

from collections.abc import Iterable, Sequence
from typing import Final

from aiohttp import web

from libs.audit import RecordedEntry
from services.leads import queries
from services.leads.audit_models import AuditEntryView
from services.leads.auth.permissions import Permission
from services.leads.auth.principal import Principal
from services.leads.keys import DIRECTORY, READERS
from services.leads.views import named_id_of

_LEAD: Final = "lead:"


async def with_names(
    app: web.Application, entries: Sequence[RecordedEntry], principal: Principal
) -> list[AuditEntryView]:
    """Return the entries as the API shows them to whoever asks.

    A lead's name is only for those who may read leads: an API key may be given the trail alone.
    """
    references = {ref for one in entries for ref in (one.actor, one.target) if ref}
    names = await _names_of_people(app, references)
    if principal.may(Permission.LEADS_READ):
        names |= await _names_of_leads(app, references)
    return [
        AuditEntryView(
            **one.model_dump(exclude={"position"}),
            position=one.position,
            actor_name=names.get(one.actor),
            target_name=names.get(one.target or ""),
        )
        for one in entries
    ]


async def _names_of_people(
    app: web.Application, references: Iterable[str]
) -> dict[str, str | None]:
    known_as = {ref: known for ref in references if (known := named_id_of(ref)) is not None}
    found = await app[DIRECTORY].names(known_as.values())
    return {ref: found.get(known) for ref, known in known_as.items()}


async def _names_of_leads(app: web.Application, references: Iterable[str]) -> dict[str, str]:
    ids = [ref.removeprefix(_LEAD) for ref in references if ref.startswith(_LEAD)]
    if not ids:
        return {}
    async with app[READERS].reading() as engine:
        leads = await queries.names(engine, ids)
    return {f"{_LEAD}{lead_id}": name for lead_id, name in leads.items()}
