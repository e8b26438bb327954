"""A database that cannot hold our tables is named before any is made."""

from __future__ import annotations

import pytest

from flask_chatstream import SchemaError
from flask_chatstream.migrate.servers import OLDEST, check_server, refuse_server
from tests.engines import KINDS, open_engine


@pytest.fixture(params=KINDS)
def engine(request):
    yield from open_engine(request)


def test_the_databases_of_these_tests_are_taken(engine):
    with engine.connect() as connection:
        refuse_server(connection)


@pytest.mark.parametrize(("name", "oldest"), OLDEST.items())
def test_the_oldest_version_is_taken_and_the_one_before_is_not(name, oldest):
    check_server(name, oldest)
    check_server(name, (*oldest, 3))

    with pytest.raises(SchemaError, match=f"cannot keep its tables in {name}"):
        check_server(name, (*oldest[:-1], oldest[-1] - 1, 99))


@pytest.mark.parametrize("name", ["MySQL", "oracle", "mssql"])
def test_another_database_is_refused_with_what_there_is_instead(name):
    with pytest.raises(SchemaError, match=r"in \w+ 8\.0\. It needs .*MariaDB 10\.6.*DATABASE_URI"):
        check_server(name, (8, 0))
