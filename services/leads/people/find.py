"""Finding a person's leads by an email address, in the log itself."""

from collections.abc import Iterable
from contextlib import aclosing
from uuid import UUID

from nats.js import JetStreamContext

from libs.events import LeadErased, LeadSubmitted, Part
from libs.events.jetstream import JetStreamEventStore
from libs.events.letter_store import Letters
from libs.events.letters import Letter
from services.leads.text import email_key


async def in_log(js: JetStreamContext, email: str) -> list[UUID]:
    """The person's leads, by reading every submission; those in dead letters as well.

    Raises:
        StoreUnavailable: JetStream does not answer.
    """
    store = JetStreamEventStore(js)
    end, wanted, found = await store.last_position(), email_key(email), []
    parts = {Part.SUBMISSION, Part.HANDLING}
    async with aclosing(store.catch_up(after=0, parts=parts)) as batches:
        async for batch in batches:
            for recorded in batch.events:
                match recorded.event:
                    case LeadSubmitted(email=given) if email_key(given) == wanted:
                        found.append(recorded.lead_id)
                    case LeadErased() if recorded.lead_id in found:
                        found.remove(recorded.lead_id)
            if batch.caught_up and batch.position >= end:
                break
    return list(dict.fromkeys([*found, *await in_letters(js, email)]))


async def in_letters(js: JetStreamContext, email: str) -> list[UUID]:
    """Leads of dead letters that hold the address: a submission that no version can read."""
    return about(await Letters(js).find_all(), email)


def about(letters: Iterable[Letter], email: str) -> list[UUID]:
    """The leads whose dead letters hold an address as a JSON value, in any case (pure)."""
    quoted = f'"{email_key(email)}"'
    return [
        letter.lead_id
        for letter in letters
        if letter.lead_id is not None
        and quoted in email_key(letter.data.decode("utf-8", errors="replace"))
    ]
