"""A host's own ``flask db`` in a process of its own: it sees none of our tables and all of its own.

``tests/test_hosts.py`` has the hosts that differ in their models.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import alembic.util
import pytest

from tests.services import ROOT

HOST = """
import sys
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_chatstream import chatstream

db = SQLAlchemy()
migrations = Migrate()


class Order(db.Model):
    __tablename__ = "orders"
    id = db.Column(db.Integer, primary_key=True)
    note = db.Column(db.String(20), index=True)


def create_app(uri, instance):
    app = Flask("host", instance_path=instance)
    app.config["SQLALCHEMY_DATABASE_URI"] = uri
    app.register_blueprint(chatstream)
    db.init_app(app)
    migrations.init_app(app, db, directory=instance + "/migrations")

    return app
"""

#: Runs in a process of its own: Flask-Migrate's env.py replaces the process's logging.
STORY = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[2])
from alembic.script import ScriptDirectory
from host import create_app, db

app = create_app(sys.argv[1], sys.argv[2])
folder = pathlib.Path(sys.argv[2], "migrations")
old, new = json.loads(sys.argv[3])
log = []


def flask(*arguments):
    result = app.test_cli_runner().invoke(args=arguments)
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    log.append(result.output)

    return result.output


def execute(statement):
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def proposed():
    before = set(folder.glob("versions/*.py"))
    flask("db", "migrate", "-m", "probe")
    operations = []

    for path in set(folder.glob("versions/*.py")) - before:
        source = path.read_text().partition("def upgrade")[2].partition("def downgrade")[0]
        operations += [line.strip() for line in source.splitlines() if "op." in line]
        path.unlink()

    return operations


flask("db", "init")
env = folder / "env.py"
assert old in env.read_text()
env.write_text(env.read_text().replace(old, new))
report = {"empty": proposed()}
flask("db", "migrate", "-m", "first")
flask("db", "upgrade")
report["before ours"] = proposed()
flask("chatstream", "db", "upgrade")
report["after ours"] = proposed()
report["heads"] = ScriptDirectory(str(folder)).get_heads()
execute("CREATE TABLE stray (id INTEGER)")
execute("ALTER TABLE orders ADD COLUMN extra INTEGER")
report["stray"] = proposed()
flask("db", "downgrade", "base")
report["ours"] = flask("chatstream", "db", "check")
flask("db", "upgrade")
report["log"] = "".join(log)
print(json.dumps(report))
"""


def tell(url: str, folder: Path, change=("", "")) -> dict:
    (folder / "host.py").write_text(HOST)
    command = [sys.executable, "-W", "ignore", "-c", STORY, url, str(folder), json.dumps(change)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr

    return json.loads(done.stdout.splitlines()[-1])


def assert_blind(report: dict) -> None:
    assert "orders" in report["empty"][0]
    assert report["before ours"] == report["after ours"] == []
    assert len(report["heads"]) == 1
    assert [line for line in report["stray"] if "chatstream" in line] == []
    assert "op.drop_table('stray')" in report["stray"]
    assert any("extra" in line for line in report["stray"])
    assert "0001 (newest)" in report["ours"]

    if hasattr(alembic.util, "DispatchPriority"):  # older ones compare first and name them
        assert "table 'chatstream" not in report["log"]


def test_a_host_on_mariadb(mariadb_url, tmp_path):
    assert_blind(tell(mariadb_url, tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(("**conf_args", ""), id="ignores configure_args"),
        pytest.param(
            ("**conf_args", "include_object=lambda *_: True, **conf_args"),
            id="its own include_object",
        ),
        pytest.param(
            ("**conf_args", "include_name=lambda name, *_: name != 'kept', include_schemas=True"),
            id="its own include_name and schemas",
        ),
    ],
)
def test_a_host_with_an_env_of_its_own(change, sqlite_url, tmp_path):
    assert_blind(tell(sqlite_url, tmp_path, change))
