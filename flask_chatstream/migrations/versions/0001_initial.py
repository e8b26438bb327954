"""Conversations, messages, generations and the journal"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MARIADB = ("mysql", "mariadb")
TABLE: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mariadb_charset": "utf8mb4",
    "mysql_engine": "InnoDB",
}
COUNTED: dict[str, Any] = {**TABLE, "sqlite_autoincrement": True}


def _exact(length: int) -> sa.String:
    binary = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_nopad_bin")

    return sa.String(length).with_variant(binary, *MARIADB)


ID, OWNER, NAME = _exact(32), _exact(255), _exact(64)
TEXT = sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4"), *MARIADB)
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *MARIADB)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _required(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _optional(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _serial() -> sa.Column[int]:
    return sa.Column("id", SERIAL, autoincrement=True, nullable=False)


def upgrade() -> None:
    _create_folder()
    _create_conversation()
    _create_tag()
    _create_message()
    _create_reaction()
    _create_share()
    _create_generation()
    _create_submission()
    _create_visitor()
    _create_revocation()
    _create_journal()


def downgrade() -> None:
    for name in (
        "chunk",
        "revocation",
        "visitor",
        "submission",
        "generation",
        "share",
        "reaction",
        "message",
        "tag",
        "conversation",
        "folder",
    ):
        op.drop_table(f"chatstream_{name}")


def _create_folder() -> None:
    op.create_table(
        "chatstream_folder",
        _required("id", ID),
        _required("owner", OWNER),
        _required("mount", NAME),
        _required("name", sa.String(255)),
        _required("created_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_chatstream_folder"),
        **TABLE,
    )
    op.create_index("ix_chatstream_folder_owner", "chatstream_folder", ["owner", "mount", "name"])


def _create_conversation() -> None:
    op.create_table(
        "chatstream_conversation",
        _required("id", ID),
        _required("owner", OWNER),
        _required("mount", NAME),
        _required("title", sa.String(255)),
        _required("title_source", sa.String(16)),
        _optional("model", sa.String(128)),
        _optional("instructions", TEXT),
        _optional("context_window", sa.Integer()),
        _optional("folder_id", ID),
        _required("pinned", sa.Boolean(create_constraint=False)),
        _required("archived", sa.Boolean(create_constraint=False)),
        _optional("active_leaf", ID),
        _required("version", sa.BigInteger()),
        _required("message_count", sa.Integer()),
        _required("total_tokens", sa.BigInteger()),
        _optional("metadata", sa.JSON()),
        _required("last_message_at", MOMENT),
        _required("created_at", MOMENT),
        _required("updated_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_chatstream_conversation"),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["chatstream_folder.id"], name="fk_chatstream_conversation_folder"
        ),
        **TABLE,
    )
    op.create_index(
        "ix_chatstream_conversation_recent",
        "chatstream_conversation",
        ["owner", "mount", "archived", "last_message_at", "id"],
    )
    op.create_index(
        "ix_chatstream_conversation_changed",
        "chatstream_conversation",
        ["owner", "mount", "updated_at"],
    )
    op.create_index("ix_chatstream_conversation_folder", "chatstream_conversation", ["folder_id"])


def _create_tag() -> None:
    op.create_table(
        "chatstream_tag",
        _required("conversation_id", ID),
        _required("name", NAME),
        _required("owner", OWNER),
        sa.PrimaryKeyConstraint("conversation_id", "name", name="pk_chatstream_tag"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["chatstream_conversation.id"],
            name="fk_chatstream_tag_conversation",
        ),
        **TABLE,
    )
    op.create_index("ix_chatstream_tag_name", "chatstream_tag", ["owner", "name"])


def _create_message() -> None:
    op.create_table(
        "chatstream_message",
        _required("id", ID),
        _required("conversation_id", ID),
        _optional("parent_id", ID),
        _required("depth", sa.Integer()),
        _required("role", sa.String(16)),
        _required("content", TEXT),
        _optional("reasoning", TEXT),
        _required("status", sa.String(16)),
        _optional("error_code", sa.String(64)),
        _optional("finish_reason", sa.String(32)),
        _optional("model", sa.String(128)),
        _optional("input_tokens", sa.Integer()),
        _optional("output_tokens", sa.Integer()),
        _optional("usage", sa.JSON()),
        _optional("metadata", sa.JSON()),
        _optional("html", TEXT),
        _optional("html_version", sa.Integer()),
        _required("version", sa.BigInteger()),
        _required("created_at", MOMENT),
        _required("updated_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_chatstream_message"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["chatstream_conversation.id"],
            name="fk_chatstream_message_conversation",
        ),
        *_message_checks(),
        **TABLE,
    )

    for name, columns in {
        "conversation": ["conversation_id", "id"],
        "version": ["conversation_id", "version"],
        "parent": ["parent_id"],
        "status": ["status", "updated_at"],
    }.items():
        op.create_index(f"ix_chatstream_message_{name}", "chatstream_message", columns)


def _message_checks() -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(
            "status IN ('generating', 'completed', 'error', 'cancelled')",
            name="ck_chatstream_message_status",
        ),
        sa.CheckConstraint(
            "role IN ('user', 'assistant', 'system', 'tool')", name="ck_chatstream_message_role"
        ),
    ]


def _create_reaction() -> None:
    op.create_table(
        "chatstream_reaction",
        _required("message_id", ID),
        _required("owner", OWNER),
        _required("value", sa.Integer()),
        _optional("comment", TEXT),
        _required("created_at", MOMENT),
        _required("updated_at", MOMENT),
        sa.PrimaryKeyConstraint("message_id", "owner", name="pk_chatstream_reaction"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["chatstream_message.id"], name="fk_chatstream_reaction_message"
        ),
        **TABLE,
    )


def _create_share() -> None:
    op.create_table(
        "chatstream_share",
        _required("id", ID),
        _required("conversation_id", ID),
        _required("message_id", ID),
        _required("owner", OWNER),
        _required("token", NAME),
        _optional("expires_at", MOMENT),
        _optional("revoked_at", MOMENT),
        _required("created_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_chatstream_share"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["chatstream_conversation.id"],
            name="fk_chatstream_share_conversation",
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["chatstream_message.id"], name="fk_chatstream_share_message"
        ),
        **TABLE,
    )
    op.create_index("uq_chatstream_share_token", "chatstream_share", ["token"], unique=True)
    op.create_index("ix_chatstream_share_conversation", "chatstream_share", ["conversation_id"])


def _create_generation() -> None:
    op.create_table(
        "chatstream_generation",
        _serial(),
        *_generation_columns(),
        sa.PrimaryKeyConstraint("id", name="pk_chatstream_generation"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["chatstream_conversation.id"],
            name="fk_chatstream_generation_conversation",
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["chatstream_message.id"], name="fk_chatstream_generation_message"
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'completed', 'error', 'cancelled', 'interrupted')",
            name="ck_chatstream_generation_status",
        ),
        **COUNTED,
    )

    for name, columns in {
        "status": ["status", "lease_until"],
        "message": ["message_id"],
        "conversation": ["conversation_id"],
        "owner": ["owner", "created_at"],
    }.items():
        op.create_index(f"ix_chatstream_generation_{name}", "chatstream_generation", columns)


def _generation_columns() -> list[sa.Column[Any]]:
    return [
        _required("conversation_id", ID),
        _required("message_id", ID),
        _required("owner", OWNER),
        _required("mount", NAME),
        _required("status", sa.String(16)),
        _required("epoch", sa.Integer()),
        _optional("worker", sa.String(128)),
        _optional("runner", sa.String(16)),
        _optional("lease_until", MOMENT),
        _optional("watched_at", MOMENT),
        _required("base_offset", sa.Integer()),
        _required("first_chunk", sa.BigInteger()),
        _optional("provider", sa.String(64)),
        _optional("model", sa.String(128)),
        _optional("temperature", sa.Double()),
        _optional("stream_ref", sa.JSON()),
        _optional("request_id", sa.String(64)),
        _required("attempts", sa.Integer()),
        _optional("finish_reason", sa.String(32)),
        _optional("error_code", sa.String(64)),
        _optional("input_tokens", sa.Integer()),
        _optional("output_tokens", sa.Integer()),
        _optional("usage", sa.JSON()),
        _optional("cost", sa.Numeric(18, 9)),
        _required("chunk_count", sa.Integer()),
        _required("char_count", sa.Integer()),
        _required("viewers", sa.Integer()),
        _required("created_at", MOMENT),
        _optional("started_at", MOMENT),
        _optional("first_token_at", MOMENT),
        _optional("ended_at", MOMENT),
    ]


def _create_submission() -> None:
    op.create_table(
        "chatstream_submission",
        _required("owner", OWNER),
        _required("key", NAME),
        _required("conversation_id", ID),
        _optional("user_message_id", ID),
        _optional("message_id", ID),
        _required("created_at", MOMENT),
        sa.PrimaryKeyConstraint("owner", "key", name="pk_chatstream_submission"),
        **TABLE,
    )
    op.create_index("ix_chatstream_submission_created", "chatstream_submission", ["created_at"])
    op.create_index(
        "ix_chatstream_submission_conversation", "chatstream_submission", ["conversation_id"]
    )


def _create_visitor() -> None:
    op.create_table(
        "chatstream_visitor",
        _required("owner", OWNER),
        _optional("claimed_at", MOMENT),
        _required("created_at", MOMENT),
        sa.PrimaryKeyConstraint("owner", name="pk_chatstream_visitor"),
        **TABLE,
    )


def _create_revocation() -> None:
    op.create_table(
        "chatstream_revocation",
        _required("owner", OWNER),
        _required("at", MOMENT),
        sa.PrimaryKeyConstraint("owner", name="pk_chatstream_revocation"),
        **TABLE,
    )
    op.create_index("ix_chatstream_revocation_at", "chatstream_revocation", ["at"])


def _create_journal() -> None:
    columns = [
        sa.Column("generation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        _required("seq", sa.Integer()),
        sa.Column("start", sa.Integer(), autoincrement=False, nullable=False),
        _required("text", TEXT),
        _required("at", sa.BigInteger()),
    ]

    if op.get_context().dialect.name == "sqlite":
        key = sa.PrimaryKeyConstraint("id", name="pk_chatstream_chunk")
        op.create_table("chatstream_chunk", _serial(), *columns, key, **COUNTED)
        return

    key = sa.PrimaryKeyConstraint("generation_id", "start", name="pk_chatstream_chunk")
    op.create_table("chatstream_chunk", *columns, key, **TABLE)
