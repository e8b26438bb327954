"""The declarative base, the column types that survive three databases, and public ids."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeEngine

from flask_chatstream.cleaning import clean
from flask_chatstream.errors import InvalidRequest

_COMPARED = (operators.eq, operators.ne, operators.in_op, operators.not_in_op)


class Unfit(InvalidRequest, DontWrapMixin):
    """A value does not fit its column; it reached no database."""


class Line(TypeDecorator[str]):
    """Text of at most ``length`` characters; more raises `Unfit`, on every database alike.

    SQLite would store it whole, and MariaDB without its strict mode would cut it: two owners that
    begin alike would be one. An ``exact`` line compares character by character, with its case and
    the spaces at its end, where MariaDB's default takes ``"Bob "`` for ``"bob"``.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int, *, exact: bool = False):
        super().__init__(length)
        self.length = length
        self.exact = exact

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if self.exact and dialect.name in ("mysql", "mariadb"):
            charset, collation = "utf8mb4", "utf8mb4_nopad_bin"

            return dialect.type_descriptor(
                mysql.VARCHAR(self.length, charset=charset, collation=collation)
            )

        return dialect.type_descriptor(String(self.length))

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        if value is None:
            return None

        text = str(value)  # MariaDB finds every text equal to the number 0

        if len(text) > self.length:
            raise Unfit(
                f"A value of {len(text)} characters is too long for the chat's database, which "
                f"has room for {self.length} there."
            )

        if clean(text) != text:
            raise Unfit("A value holds a NUL or half a surrogate pair, which no database keeps.")

        return text

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        return self if op in _COMPARED else String()


class Document(TypeDecorator[Any]):
    """JSON whose text every database takes; MariaDB refuses a lone surrogate, escaped or not."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return _cleaned(value)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        return self.impl_instance.coerce_compared_value(op, value)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)

    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}

    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]

    return value


def long_text() -> TypeEngine[str]:
    """Text of any length; MariaDB's TEXT ends at 64 kB."""

    return Text().with_variant(mysql.LONGTEXT(charset="utf8mb4"), "mysql", "mariadb")


class UTCDateTime(TypeDecorator[datetime]):
    """A moment, aware in Python, naive UTC with microseconds in every database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))

        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is None:
            return value

        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


OWNER = Line(255, exact=True)
ID = Line(32, exact=True)
NAME = Line(64, exact=True)
SERIAL = BigInteger().with_variant(Integer, "sqlite")
TABLE: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mariadb_charset": "utf8mb4",
    "mysql_engine": "InnoDB",
}
COUNTED: dict[str, Any] = {**TABLE, "sqlite_autoincrement": True}


def new_id() -> str:
    """A new public id: 32 hex digits that sort by time (UUID version 7, RFC 9562 section 5.7)."""

    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62

    return f"{value:032x}"


class Base(DeclarativeBase):
    """The package's own metadata; every table is named ``chatstream_*``."""

    metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s"})
