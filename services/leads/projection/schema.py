"""The tables of the queryable copy, and a fingerprint that tells when they have changed."""

import hashlib
from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from libs.events import EVENT_TYPES
from services.leads.projection.search import CREATE_SEARCH

PROJECTION_VERSION: Final = 2
"""Raise it when the meaning of a column changes while the tables stay as they are."""

metadata = MetaData()

leads = Table(
    "leads",
    metadata,
    Column(
        "position",
        # SQLite's rowid: free of cost, and the same at every replica.
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="of the submission in the log; breaks ties in every order",
    ),
    Column("id", String(36), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("first_name", Text, nullable=False),
    Column("last_name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("phone", Text),
    Column("message", Text),
    Column("resume_object", Text, nullable=False),
    Column("resume_file_name", Text, nullable=False),
    Column("resume_media_type", Text, nullable=False),
    Column("resume_size", Integer, nullable=False),
    Column("resume_sha256", String(64), nullable=False),
    Column("submitted_at", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("reached_out_at", BigInteger, comment="microseconds since 1970, UTC"),
    Column("reached_out_by", Text, comment="the actor, for example account:<id>"),
    Column("channel", String(16)),
    Column("note", Text),
    Column("assigned_to", String(36), comment="the account's id; null: nobody's"),
    Column("assigned_position", Integer, comment="of the last assignment in the log"),
    Column("scan_verdict", String(16), comment="of the last virus scan; null: none yet"),
    Column("scan_signature", Text, comment="what it found"),
    Column("resume_released", Boolean, comment="by an administrator, since that scan"),
    Column("resume_position", Integer, comment="of the resume's last fact in the log"),
    Column("email_key", Text, nullable=False, comment="NFC, without case"),
    Column("last_name_key", Text, nullable=False, comment="without case and accents"),
    Column("search_text", Text, nullable=False, comment="names and email, folded"),
)

INDEXES: Final = (
    Index("leads_by_time", leads.c.submitted_at, leads.c.position),
    Index("leads_by_status_and_time", leads.c.status, leads.c.submitted_at, leads.c.position),
    # The time stands in them so that a walk along the index can pass over leads of other times.
    Index("leads_by_last_name", leads.c.last_name_key, leads.c.position, leads.c.submitted_at),
    Index("leads_by_email", leads.c.email_key, leads.c.position, leads.c.submitted_at),
    Index(
        "leads_by_status_and_last_name",
        *(leads.c.status, leads.c.last_name_key, leads.c.position, leads.c.submitted_at),
    ),
    Index(
        "leads_by_status_and_email",
        *(leads.c.status, leads.c.email_key, leads.c.position, leads.c.submitted_at),
    ),
    # The status stands in them for the same reason as the time does: it costs next to nothing to
    # pass over other statuses there, and one index for each order is enough. The one that begins
    # with the status finds those few of many that still stand there.
    Index(
        "leads_by_assignee_and_time",
        *(leads.c.assigned_to, leads.c.submitted_at, leads.c.position, leads.c.status),
    ),
    Index(
        "leads_by_assignee_and_status",
        *(leads.c.assigned_to, leads.c.status, leads.c.submitted_at, leads.c.position),
    ),
    Index(
        "leads_by_assignee_and_last_name",
        *(leads.c.assigned_to, leads.c.last_name_key, leads.c.position),
        *(leads.c.submitted_at, leads.c.status),
    ),
    Index(
        "leads_by_assignee_and_email",
        *(leads.c.assigned_to, leads.c.email_key, leads.c.position),
        *(leads.c.submitted_at, leads.c.status),
    ),
)
"""One for each order, alone, within a status and within an assignee's; made once the table has
been filled."""

projection_meta = Table(
    "projection_meta",
    metadata,
    Column("id", Integer, primary_key=True, comment="always 1"),
    Column("fingerprint", String(64), nullable=False),
    Column("position", BigInteger, nullable=False, comment="of the last event taken in"),
    Column("stream_created", Text, nullable=False, comment="which stream the position is of"),
)


def schema_fingerprint(version: int = PROJECTION_VERSION) -> str:
    """Name this schema: another DDL, version or set of known events gives another name.

    An older program passes over events that it does not know. One that knows them must read
    them, so it may not go on with what the older one has left.
    """
    dialect = sqlite.dialect()
    ddl = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    ddl += [str(CreateIndex(index).compile(dialect=dialect)) for index in INDEXES]
    known = sorted((name, model.version) for name, model in EVENT_TYPES.items())
    text = f"{version}\n{''.join(ddl)}{CREATE_SEARCH}{known}"
    return hashlib.sha256(text.encode()).hexdigest()
