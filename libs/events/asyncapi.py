"""The AsyncAPI 3 document of the events, made from their models (pure)."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from libs import __version__
from libs.events.envelope import SCHEMA_PREFIX
from libs.events.model import EVENT_TYPES, Event
from libs.events.subjects import Part

_WRITERS: Final = {
    Part.SUBMISSION: "intake",
    Part.HANDLING: "leads",
    Part.MAIL: "notifier",
    Part.RESUME: "leads",
}
_REFS: Final = "#/components/schemas/{model}"


def document() -> dict[str, Any]:
    """The whole document, ready for ``json.dumps``."""
    models = list(EVENT_TYPES.values())
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template=_REFS
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Leadlog events",
            "version": __version__,
            "description": (
                "Every event of every lead, in the JetStream stream LEADS. The envelope is "
                "CloudEvents 1.0 in NATS headers (binary mode), the payload is JSON. Readers "
                "ignore fields they do not know and skip types they do not know."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "nats": {"host": "127.0.0.1:4222", "protocol": "nats", "description": "NATS JetStream"}
        },
        "channels": {part.value: _channel(part, models) for part in Part},
        "operations": {
            f"{_WRITERS[part]}Writes{part.value.capitalize()}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{part.value}"},
                "summary": f"Only {_WRITERS[part]} writes here.",
            }
            for part in Part
        },
        "components": {
            "messages": {model.type: _message(model) for model in models},
            "messageTraits": {"envelope": {"headers": _envelope()}},
            "schemas": schemas["$defs"],
        },
    }


def _channel(part: Part, models: list[type[Event]]) -> dict[str, Any]:
    return {
        "address": f"leads.{{leadId}}.{part.value}",
        "description": f"One lead's events of the part '{part.value}', in order.",
        "parameters": {"leadId": {"description": "The lead's id, a UUIDv7."}},
        "messages": {
            model.type: {"$ref": f"#/components/messages/{model.type}"}
            for model in models
            if model.part is part
        },
    }


def _message(model: type[Event]) -> dict[str, Any]:
    return {
        "name": model.type,
        "title": model.type,
        "summary": (model.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/envelope"}],
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }


def _envelope() -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string"}
    uuid = {"type": "string", "format": "uuid"}
    properties = {
        "Nats-Msg-Id": {**uuid, "description": "The event's id: what JetStream deduplicates by."},
        "ce-specversion": {"const": "1.0"},
        "ce-id": {**uuid, "description": "The event's id."},
        "ce-source": {**text, "description": "The writing service, as in /leadlog/intake."},
        "ce-type": {**text, "enum": sorted(EVENT_TYPES)},
        "ce-subject": {**uuid, "description": "The lead's id."},
        "ce-time": {"type": "string", "format": "date-time", "description": "When, UTC."},
        "ce-datacontenttype": {"const": "application/json"},
        "ce-dataschema": {
            **text,
            "description": f"{SCHEMA_PREFIX}<type>:<version>; older versions are lifted on read.",
        },
        "ce-actor": {
            **text,
            "description": "prospect, account:<id>, api-key:<id> or service:<name>; never a name "
            "or an address.",
        },
        "ce-prevhash": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256 of the event before this one on its subject; of the lead's "
            "submission for the first event of another part; zeros for a submission.",
        },
        "ce-causationid": {**uuid, "description": "The event or command that led to this."},
        "ce-correlationid": {**uuid, "description": "What all events of one story share."},
        "traceparent": {**text, "description": "W3C trace context."},
    }
    optional = {"ce-causationid", "ce-correlationid", "traceparent"}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }
