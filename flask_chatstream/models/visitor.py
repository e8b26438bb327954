"""Anonymous visitors who have stored something, and whether somebody has claimed their chats."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from .base import OWNER, TABLE, Base, UTCDateTime


class Visitor(Base):
    """An anonymous id. Once it is claimed, nothing is stored under it ever again."""

    __tablename__ = "chatstream_visitor"
    __table_args__ = (TABLE,)

    owner: Mapped[str] = mapped_column(OWNER, primary_key=True)
    #: When an account took its chats along.
    claimed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
