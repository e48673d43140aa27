"""Events, their envelope, and the store that keeps them."""

from libs.chassis.errors import StoreUnavailable
from libs.events.envelope import NewEvent, RecordedEvent, Undecodable
from libs.events.ids import event_id, new_id
from libs.events.model import (
    EVENT_TYPES,
    Channel,
    ErasedEvent,
    Event,
    LeadAssigned,
    LeadErased,
    LeadReachedOut,
    LeadSubmitted,
    NotificationFailed,
    NotificationSent,
    RecipientRole,
    ResumeRef,
    ResumeReleased,
    ResumeScanned,
    Verdict,
)
from libs.events.store import (
    Appended,
    Batch,
    Conflict,
    ConsumeOptions,
    EventStore,
    Handler,
    History,
    RetryLater,
)
from libs.events.subjects import STREAM, Part
from libs.events.upcast import UnknownEvent

__all__ = [
    "EVENT_TYPES",
    "STREAM",
    "Appended",
    "Batch",
    "Channel",
    "Conflict",
    "ConsumeOptions",
    "ErasedEvent",
    "Event",
    "EventStore",
    "Handler",
    "History",
    "LeadAssigned",
    "LeadErased",
    "LeadReachedOut",
    "LeadSubmitted",
    "NewEvent",
    "NotificationFailed",
    "NotificationSent",
    "Part",
    "RecipientRole",
    "RecordedEvent",
    "ResumeRef",
    "ResumeReleased",
    "ResumeScanned",
    "RetryLater",
    "StoreUnavailable",
    "Undecodable",
    "UnknownEvent",
    "Verdict",
    "event_id",
    "new_id",
]
