"""Owners whose followers were sent away."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from .base import OWNER, TABLE, Base, UTCDateTime


class Revocation(Base):
    """Whoever follows this owner's chats since before ``at`` is to come back and be asked anew."""

    __tablename__ = "chatstream_revocation"
    __table_args__ = (Index("ix_chatstream_revocation_at", "at"), TABLE)

    owner: Mapped[str] = mapped_column(OWNER, primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
