from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text

from flask_chatstream.migrate import upgrade
from tests.workers import Worker

pytest_plugins = ["tests.engine_fixtures"]

RECORDING = """
CREATE TABLE seen (level text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
CREATE TRIGGER see AFTER INSERT ON chatstream_chunk EXECUTE FUNCTION see();
"""


@pytest.mark.db
@pytest.mark.parametrize(
    ("servers", "durability", "expected"),
    [
        ("off", "power", "on"),
        ("on", "power", "on"),
        ("remote_apply", "power", "remote_apply"),
        ("on", "process", "off"),
    ],
)
def test_groups_commit_at_their_own_level_and_leave_the_session_alone(
    make_worker: Callable[..., Worker],
    postgres_url: str,
    servers: str,
    durability: str,
    expected: str,
) -> None:
    """A session's setting would be the next client's behind a transaction pooler."""

    engine = create_engine(postgres_url)
    upgrade(engine)

    with engine.begin() as connection:
        connection.exec_driver_sql(RECORDING)
        name = connection.scalar(text("SELECT current_database()"))
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = {servers}')

    engine.dispose()
    worker = make_worker(postgres_url, durability=durability)
    asked = worker.answer()
    show = "SELECT current_setting('synchronous_commit')"

    with worker.database.read() as session:
        levels = set(session.scalars(text("SELECT level FROM seen")))

    assert worker.message(asked).content == "A scripted answer."
    assert levels == {expected}
    assert worker.database.write_apart(lambda c: c.exec_driver_sql(show).scalar()) == servers
