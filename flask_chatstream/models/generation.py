"""One run of a provider, and the idempotency key of the submit that asked for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    Numeric,
)
from sqlalchemy.orm import Mapped, mapped_column

from .base import COUNTED, ID, NAME, OWNER, SERIAL, TABLE, Base, Document, Line, UTCDateTime

#: States in which a generation may still write.
ACTIVE = ("queued", "running")


class Generation(Base):
    """One run of a provider for one answer: who writes it, until when, and how it went."""

    __tablename__ = "chatstream_generation"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'running', 'completed', 'error', 'cancelled', 'interrupted')",
            name="ck_chatstream_generation_status",
        ),
        Index("ix_chatstream_generation_status", "status", "lease_until"),
        Index("ix_chatstream_generation_message", "message_id"),
        Index("ix_chatstream_generation_conversation", "conversation_id"),
        Index("ix_chatstream_generation_owner", "owner", "created_at"),
        COUNTED,
    )

    id: Mapped[int] = mapped_column(SERIAL, primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(
        ID, ForeignKey("chatstream_conversation.id", name="fk_chatstream_generation_conversation")
    )
    message_id: Mapped[str] = mapped_column(
        ID, ForeignKey("chatstream_message.id", name="fk_chatstream_generation_message")
    )
    owner: Mapped[str] = mapped_column(OWNER)
    mount: Mapped[str] = mapped_column(NAME, default="chatstream")
    status: Mapped[str] = mapped_column(Line(16), default="queued")
    #: Counts the claims; a write with another epoch changes nothing.
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    #: Identity of the process that runs it, or is to claim it.
    worker: Mapped[str | None] = mapped_column(Line(128))
    runner: Mapped[str | None] = mapped_column(Line(16))
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    #: When somebody last watched it, as far as that is stored; None: it is written all the same.
    watched_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    #: Length of the message's text, in code points, when the generation was made.
    base_offset: Mapped[int] = mapped_column(Integer, default=0)
    #: SQLite: the journal's highest row id at the claim; this generation's rows lie behind it.
    first_chunk: Mapped[int] = mapped_column(BigInteger, default=0)
    provider: Mapped[str | None] = mapped_column(Line(64))
    model: Mapped[str | None] = mapped_column(Line(128))
    temperature: Mapped[float | None] = mapped_column(Double)
    #: What a stream can be resumed by: the provider's id, and a sequence number with its position.
    stream_ref: Mapped[dict[str, Any] | None] = mapped_column(Document)
    request_id: Mapped[str | None] = mapped_column(Line(64))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    finish_reason: Mapped[str | None] = mapped_column(Line(32))
    error_code: Mapped[str | None] = mapped_column(Line(64))
    input_tokens: Mapped[int | None] = mapped_column(Integer)
    output_tokens: Mapped[int | None] = mapped_column(Integer)
    usage: Mapped[dict[str, Any] | None] = mapped_column(Document)
    cost: Mapped[Any | None] = mapped_column(Numeric(18, 9))
    chunk_count: Mapped[int] = mapped_column(Integer, default=0)
    char_count: Mapped[int] = mapped_column(Integer, default=0)
    #: Most viewers that followed at once in the process that ran it.
    viewers: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    first_token_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Submission(Base):
    """An idempotency key: which messages one submit of one owner made."""

    __tablename__ = "chatstream_submission"
    __table_args__ = (
        Index("ix_chatstream_submission_created", "created_at"),
        Index("ix_chatstream_submission_conversation", "conversation_id"),
        TABLE,
    )

    owner: Mapped[str] = mapped_column(OWNER, primary_key=True)
    key: Mapped[str] = mapped_column(NAME, primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ID)
    user_message_id: Mapped[str | None] = mapped_column(ID)
    message_id: Mapped[str | None] = mapped_column(ID)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
