"""A conversation and what a person hangs on it: folder, tags, shares."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from .base import ID, NAME, OWNER, TABLE, Base, Document, Line, UTCDateTime, long_text, new_id


class Folder(Base):
    """A person's folder of conversations."""

    __tablename__ = "chatstream_folder"
    __table_args__ = (Index("ix_chatstream_folder_owner", "owner", "mount", "name"), TABLE)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    owner: Mapped[str] = mapped_column(OWNER)
    mount: Mapped[str] = mapped_column(NAME)
    name: Mapped[str] = mapped_column(Line(255))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Conversation(Base):
    """A conversation of one owner: a tree of messages with a leaf that is shown."""

    __tablename__ = "chatstream_conversation"
    __table_args__ = (
        Index(
            "ix_chatstream_conversation_recent",
            "owner",
            "mount",
            "archived",
            "last_message_at",
            "id",
        ),
        Index("ix_chatstream_conversation_changed", "owner", "mount", "updated_at"),
        Index("ix_chatstream_conversation_folder", "folder_id"),
        TABLE,
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    owner: Mapped[str] = mapped_column(OWNER)
    #: Name of the blueprint instance that the conversation belongs to.
    mount: Mapped[str] = mapped_column(NAME, default="chatstream")
    title: Mapped[str] = mapped_column(Line(255), default="")
    #: Who gave the title: ``words`` (first words of the question), ``model`` or ``person``.
    title_source: Mapped[str] = mapped_column(Line(16), default="words")
    model: Mapped[str | None] = mapped_column(Line(128))
    instructions: Mapped[str | None] = mapped_column(long_text())
    #: Largest prompt in tokens; None leaves it to ``CHATSTREAM_CONTEXT_TOKENS``.
    context_window: Mapped[int | None] = mapped_column(Integer)
    folder_id: Mapped[str | None] = mapped_column(
        ID, ForeignKey("chatstream_folder.id", name="fk_chatstream_conversation_folder")
    )
    pinned: Mapped[bool] = mapped_column(Boolean(create_constraint=False), default=False)
    archived: Mapped[bool] = mapped_column(Boolean(create_constraint=False), default=False)
    #: Message at the end of the branch that is shown when no other is asked for.
    active_leaf: Mapped[str | None] = mapped_column(ID)
    #: Moves by one with every committed change that is not text.
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    message_count: Mapped[int] = mapped_column(Integer, default=0)
    total_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", Document)
    last_message_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Tag(Base):
    """A tag on a conversation; many to many by name."""

    __tablename__ = "chatstream_tag"
    __table_args__ = (Index("ix_chatstream_tag_name", "owner", "name"), TABLE)

    conversation_id: Mapped[str] = mapped_column(
        ID,
        ForeignKey("chatstream_conversation.id", name="fk_chatstream_tag_conversation"),
        primary_key=True,
    )
    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    owner: Mapped[str] = mapped_column(OWNER)


class Share(Base):
    """A read-only link to a conversation up to one message."""

    __tablename__ = "chatstream_share"
    __table_args__ = (
        Index("uq_chatstream_share_token", "token", unique=True),
        Index("ix_chatstream_share_conversation", "conversation_id"),
        TABLE,
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(
        ID, ForeignKey("chatstream_conversation.id", name="fk_chatstream_share_conversation")
    )
    message_id: Mapped[str] = mapped_column(
        ID, ForeignKey("chatstream_message.id", name="fk_chatstream_share_message")
    )
    owner: Mapped[str] = mapped_column(OWNER)
    token: Mapped[str] = mapped_column(NAME)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
