"""A message of the tree, and the reactions to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from .base import ID, OWNER, TABLE, Base, Document, Line, UTCDateTime, long_text, new_id


class Message(Base):
    """One question or answer; siblings under one parent are its alternatives."""

    __tablename__ = "chatstream_message"
    __table_args__ = (
        CheckConstraint(
            "status IN ('generating', 'completed', 'error', 'cancelled')",
            name="ck_chatstream_message_status",
        ),
        CheckConstraint(
            "role IN ('user', 'assistant', 'system', 'tool')", name="ck_chatstream_message_role"
        ),
        Index("ix_chatstream_message_conversation", "conversation_id", "id"),
        Index("ix_chatstream_message_version", "conversation_id", "version"),
        Index("ix_chatstream_message_parent", "parent_id"),
        Index("ix_chatstream_message_status", "status", "updated_at"),
        TABLE,
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(
        ID, ForeignKey("chatstream_conversation.id", name="fk_chatstream_message_conversation")
    )
    #: No foreign key: MariaDB checks one row by row and would refuse to delete a tree at once.
    parent_id: Mapped[str | None] = mapped_column(ID)
    #: Number of messages before this one on its path; 0 for a root.
    depth: Mapped[int] = mapped_column(Integer, default=0)
    role: Mapped[str] = mapped_column(Line(16))
    #: Stored text. While the status is ``generating`` the journal holds what comes behind it.
    content: Mapped[str] = mapped_column(long_text(), default="")
    reasoning: Mapped[str | None] = mapped_column(long_text())
    status: Mapped[str] = mapped_column(Line(16), default="completed")
    error_code: Mapped[str | None] = mapped_column(Line(64))
    finish_reason: Mapped[str | None] = mapped_column(Line(32))
    model: Mapped[str | None] = mapped_column(Line(128))
    input_tokens: Mapped[int | None] = mapped_column(Integer)
    output_tokens: Mapped[int | None] = mapped_column(Integer)
    usage: Mapped[dict[str, Any] | None] = mapped_column(Document)
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", Document)
    #: Final HTML and the renderer's version that made it; None until somebody looked.
    html: Mapped[str | None] = mapped_column(long_text())
    html_version: Mapped[int | None] = mapped_column(Integer)
    #: The conversation's version at this message's last change that was not text.
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Reaction(Base):
    """A like or dislike of an answer, with an optional comment; one per owner and message."""

    __tablename__ = "chatstream_reaction"
    __table_args__ = (TABLE,)

    message_id: Mapped[str] = mapped_column(
        ID,
        ForeignKey("chatstream_message.id", name="fk_chatstream_reaction_message"),
        primary_key=True,
    )
    owner: Mapped[str] = mapped_column(OWNER, primary_key=True)
    #: 1 for like, -1 for dislike.
    value: Mapped[int] = mapped_column(Integer)
    comment: Mapped[str | None] = mapped_column(long_text())
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
