"""What the doctor makes of what it has seen: the cases that no machine of ours has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from flask_chatstream.doctor import Facts, Finding, worst
from flask_chatstream.doctor.clock import judge_skew
from flask_chatstream.doctor.deployment import judge_workers
from flask_chatstream.doctor.disk import find_file_system, judge_file_system, judge_room
from flask_chatstream.doctor.durability import judge_mariadb, judge_postgres, judge_sqlite
from flask_chatstream.doctor.servers import PROMISES, ROWS, check_server
from flask_chatstream.doctor.streaming import judge_headers, judge_pieces, judge_protocol
from tests.test_servers_table import DATABASES, SERVERS, read_table

MOUNTS = """\
overlay / overlay rw,relatime,lowerdir=/a:/b 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
tmpfs /run tmpfs rw,nosuid,size=65536k 0 0
/dev/sda1 /srv ext4 rw,relatime 0 0
nas:/export/shop /srv/shop\\040data nfs4 rw,vers=4.2,hard 0 0
//nas/old /srv/old cifs rw 0 0
/dev/sdb1 /srv/old ext4 rw,relatime 0 0
"""


def levels(findings: Iterable[Finding]) -> list[str]:
    return [finding.level for finding in findings]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/shop", "overlay"),
        ("/srv", "ext4"),
        ("/srv/shop", "ext4"),
        ("/srv/shop data/instance", "nfs4"),
        ("/srv/shop database", "ext4"),
        ("/srv/old/instance", "ext4"),
        ("/run/shop", "tmpfs"),
    ],
)
def test_the_file_system_of_a_folder(folder: str, kind: str) -> None:
    assert find_file_system(Path(folder), MOUNTS) == kind


def test_without_a_list_of_mounts_nothing_is_known() -> None:
    assert find_file_system(Path("/srv"), "") is None
    assert levels(judge_file_system(None, "power")) == []


@pytest.mark.parametrize(
    ("kind", "durability", "expected"),
    [
        ("ext4", "power", []),
        ("nfs4", "process", ["failure"]),
        ("cifs", "power", ["failure"]),
        ("fuse.sshfs", "power", ["failure"]),
        ("tmpfs", "power", ["warning"]),
        ("tmpfs", "process", []),
    ],
)
def test_file_systems_for_a_file(kind: str, durability: str, expected: list[str]) -> None:
    assert levels(judge_file_system(kind, durability)) == expected


@pytest.mark.parametrize(("free", "level"), [(10, "failure"), (2**29, "warning"), (2**34, "ok")])
def test_room(free: int, level: str) -> None:
    assert judge_room(free).level == level


@pytest.mark.parametrize(("seconds", "level"), [(0.4, "ok"), (-3600, "warning"), (90, "warning")])
def test_clocks(seconds: float, level: str) -> None:
    found = judge_skew("This machine's", seconds)

    assert found.level == level
    assert ("behind" in found.what) == (seconds < -2)


@pytest.mark.parametrize(
    ("mode", "synchronous", "durability", "expected"),
    [
        ("wal", 2, "power", ["ok", "ok"]),
        ("wal", 3, "power", ["ok", "ok"]),
        ("wal", 1, "power", ["ok", "failure"]),
        ("wal", 1, "process", ["ok", "ok"]),
        ("delete", 2, "power", ["warning", "ok"]),
        ("off", 2, "process", ["failure"]),
    ],
)
def test_sqlite(mode: str, synchronous: int, durability: str, expected: list[str]) -> None:
    assert levels(judge_sqlite(mode, synchronous, durability)) == expected


SOUND = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


@pytest.mark.parametrize(
    ("changed", "level", "durability", "expected"),
    [
        ({}, None, "power", "ok"),
        ({"synchronous_commit": "off"}, "on", "power", "ok"),
        ({"synchronous_commit": "remote_apply"}, None, "power", "ok"),
        ({"synchronous_commit": "local"}, None, "power", "failure"),
        ({"fsync": "off"}, None, "power", "failure"),
        ({"full_page_writes": "off"}, None, "power", "failure"),
        ({}, "off", "process", "ok"),
        ({"synchronous_commit": "off"}, None, "process", "ok"),
    ],
)
def test_postgres(
    changed: dict[str, str], level: str | None, durability: str, expected: str
) -> None:
    found = judge_postgres({**SOUND, **changed}, level, durability)

    assert worst(found) == expected


@pytest.mark.parametrize(
    ("flush", "binlog", "durability", "expected"),
    [
        ("1", ("OFF", "0"), "power", ["ok"]),
        ("2", ("OFF", "0"), "power", ["failure"]),
        ("0", ("OFF", "0"), "process", ["ok"]),
        ("1", ("ON", "0"), "power", ["ok", "warning"]),
        ("1", ("ON", "1"), "power", ["ok"]),
    ],
)
def test_mariadb(flush: str, binlog: tuple[str, str], durability: str, expected: list[str]) -> None:
    log_bin, sync_binlog = binlog
    settings = {
        "innodb_flush_log_at_trx_commit": flush,
        "log_bin": log_bin,
        "sync_binlog": sync_binlog,
    }

    assert levels(judge_mariadb(settings, durability)) == expected


SENT = [0.0, 0.3, 0.6, 0.9, 1.2, 1.5]


@pytest.mark.parametrize(
    ("arrived", "encoding", "level"),
    [
        ([5.0, 5.3, 5.6, 5.9, 6.2, 6.5], "identity", "ok"),
        ([5.0, 5.3, 5.6, 5.9, 6.2, 6.5], "gzip", "ok"),
        ([5.0, 5.0, 5.0, 7.0, 7.0, 7.0], "identity", "ok"),
        ([6.5, 6.5, 6.5, 6.5, 6.5, 6.6], "identity", "failure"),
        ([6.5, 6.5, 6.5, 6.5, 6.5, 6.6], "br", "failure"),
    ],
    ids=["as sent", "compressed piece by piece", "held up by load", "collected", "compressed"],
)
def test_pieces(arrived: list[float], encoding: str, level: str) -> None:
    headers = {} if encoding == "identity" else {"content-encoding": encoding}
    pieces = list(zip(SENT, arrived, strict=True))

    assert levels(judge_pieces(pieces, headers)) == [level]


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("no-store, no-transform", "ok"),
        ("no-transform,no-store,private", "ok"),
        ("no-store", "warning"),
        ("max-age=60", "warning"),
    ],
)
def test_headers(value: str, level: str) -> None:
    assert levels(judge_headers({"cache-control": value})) == [level]
    assert levels(judge_headers({})) == ["warning"]


def test_protocols() -> None:
    assert judge_protocol("HTTP/2", is_encrypted=True).level == "ok"
    assert "Turn HTTP/2 on" in str(judge_protocol("HTTP/1.1", is_encrypted=True).help)
    assert "needs TLS" in str(judge_protocol("HTTP/1.1", is_encrypted=False).help)
    assert judge_protocol(None, is_encrypted=True).level == "warning"


GEVENT = Facts(
    version="0.1.0",
    worker="a",
    fingerprint="f",
    server="gunicorn/23.0.0",
    runner="gevent",
    is_patched=True,
    multithread=True,
    multiprocess=True,
    seats=None,
    taken=0,
    has_hooks=True,
    blocking=None,
    is_kept_up=True,
    is_woken=None,
    url="http://localhost/chat/",
    now=0.0,
)


SYNC = {"is_patched": False, "multithread": False}


def changed(**values: object) -> Facts:
    return msgspec.structs.replace(GEVENT, **values)


def test_the_table_is_that_of_the_guide() -> None:
    assert {row.name for row in ROWS} == set(SERVERS.values())
    assert set(PROMISES) == set(DATABASES.values())
    assert read_table() == {
        (row.name, database): (row.runner, row.following, row.restart, promises)
        for row in ROWS
        for database, promises in PROMISES.items()
    }


@pytest.mark.parametrize(
    ("values", "words", "level"),
    [
        ({}, "gunicorn `-k gevent` on PostgreSQL", "ok"),
        ({"has_hooks": False}, "gunicorn's hooks are not there", "warning"),
        ({"blocking": "Use psycopg 3."}, "driver blocks the event loop", "failure"),
        ({"is_patched": False, "seats": 4}, "4 viewers of a worker stream", "ok"),
        (
            {"is_patched": False, "multithread": False, "seats": 0},
            "one request at a time",
            "warning",
        ),
        ({"server": "gevent/24.2 Python/3.12"}, "where the program calls `drain()`", "ok"),
        ({"server": "gevent/24.2", "is_patched": False}, "process is not patched", "failure"),
        ({"server": "Werkzeug/3", "is_patched": False}, "is for development", "warning"),
        ({"server": "waitress", "is_patched": False}, "is not in the table", "warning"),
        ({"server": "", "is_patched": False}, "one without a name", "warning"),
    ],
)
def test_servers(values: dict[str, object], words: str, level: str) -> None:
    found = list(check_server(changed(**values), "PostgreSQL"))

    assert [f.level for f in found if words in f.what] == [level]
    assert worst(found) == level


@pytest.mark.parametrize(
    ("workers", "words", "level"),
    [
        ([GEVENT, changed(worker="b")], "2 workers answered, with release 0.1.0", "ok"),
        ([GEVENT, changed(worker="b", version="0.2.0")], "releases 0.1.0 and 0.2.0", "warning"),
        ([GEVENT, changed(worker="b", fingerprint="g")], "different settings", "failure"),
        ([changed(fingerprint="g")], "than this command", "warning"),
        ([changed(is_woken=False)], "Wake-ups do not arrive at a worker", "warning"),
        ([GEVENT, changed(is_kept_up=False)], "background work runs in 1 of 2", "ok"),
        ([changed(is_kept_up=False)], "None of them has had a chat request", "ok"),
    ],
)
def test_workers(workers: list[Facts], words: str, level: str) -> None:
    found = list(judge_workers(workers, "f", "PostgreSQL"))

    assert [f for f in found if words in f.what]
    assert worst(found) == level


def test_workers_that_each_have_a_memory_of_their_own() -> None:
    found = judge_workers([GEVENT, changed(worker="b")], "f", "in memory")

    assert worst(found) == "failure"
