"""The doctor asks real servers, directly and through a real nginx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.consulting import Report, consult_site
from tests.faults.exchange import Client
from tests.faults.model import question
from tests.faults.rig import Cell, Server, Setup, free_port, rigged
from tests.nginx import place, running, snippets
from tests.services import need
from tests.test_nginx import BARE, GZIP, IGNORED, PREFIX, TLS
from tests.test_servers_table import DATABASES, SERVERS
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SITE = "tests.faults.host:app"
HOOKED = Setup(hooks=True, threads=8)
#: What a site of the tests lacks: TLS, and a long key.
LACKING = ("Browsers come by HTTP/1.1", "SECRET_KEY is short")
FOLLOWING = {
    "own": "Any number of viewers stream.",
    "gevent": "Any number of viewers stream.",
    "gthread": "4 viewers of a worker stream",
    "sync": "Viewers poll.",
    "flask": "Any number of viewers stream.",
}


def ask(server: Server, url: str, **environment: str) -> Report:
    """The report of who runs the site."""

    return consult_site(SITE, {**server.environment, **environment}, "--url", url)


def _cell(server: str, database: str) -> object:
    marks = [pytest.mark.db] if database in ("postgres", "mariadb") else []

    return pytest.param(server, database, marks=marks, id=f"{server}-{database}")


@pytest.mark.parametrize(
    ("server", "database"),
    [
        _cell("own", "wal"),
        _cell("gevent", "postgres"),
        _cell("gthread", "mariadb"),
        _cell("sync", "rollback"),
        _cell("flask", "embedded"),
    ],
)
def test_every_server_is_told_in_words(server: str, database: str, tmp_path: Path) -> None:
    setup = Setup(hooks=True, threads=8, config={"CHATSTREAM_DURABILITY": "process"})

    with rigged(Cell(database, server), tmp_path) as rig:
        (started,) = rig.serve(1, setup=setup)
        report = ask(started, f"http://127.0.0.1:{started.port}/chat")

    where = f"{SERVERS[server]} on {DATABASES[database]}"
    assert report.code == 0, report.output
    assert FOLLOWING[server] in report.find(where).what
    assert report.levels("address") == {"ok"}
    assert report.find("The background work runs in 1 of 1")
    assert ("The server streams to nobody." in report.output) == (server == "sync")
    assert ("hooks are there" in report.output) == (server in ("gevent", "gthread", "sync"))
    assert ("driver waits with the event loop" in report.output) == (server in ("own", "gevent"))
    assert not [words for words in report.bad() if "settings" in words]
    assert rig.password not in report.output


@pytest.mark.db
def test_several_workers_are_found(tmp_path: Path) -> None:
    with rigged(Cell("postgres", "gevent"), tmp_path) as rig:
        (server,) = rig.serve(2, setup=HOOKED)
        server.inside()  # both have begun
        url = f"http://127.0.0.1:{server.port}/chat"
        reports: list[Report] = []

        def finds_both() -> bool:
            reports.append(ask(server, url))

            return "2 workers answered" in reports[-1].output

        wait_for(finds_both, timeout=60)

    assert [report.code for report in reports] == [0] * len(reports), reports[-1].output
    assert reports[-1].find("A wake-up by postgres comes back").level == "ok"


def test_gunicorn_without_our_hooks(tmp_path: Path) -> None:
    with rigged(Cell("embedded", "gthread"), tmp_path) as rig:
        (server,) = rig.serve(1)
        report = ask(server, f"http://127.0.0.1:{server.port}/chat")

    assert "flask_chatstream.gunicorn" in str(report.find("hooks are not there").help)
    assert report.code == 0


def test_an_orphan_is_told_of_until_a_worker_has_settled_it(tmp_path: Path) -> None:
    short = {"CHATSTREAM_LEASE_SECONDS": 1, "CHATSTREAM_SWEEP_SECONDS": 0.2}

    with rigged(Cell("wal", "gthread"), tmp_path) as rig:
        (server,) = rig.serve(1, setup=Setup(config=short))
        body = {"message": question("abcdefgh", 4000, 50)}
        _, pieces = Client(server.port, "ada").open("POST", "/chat/api/v1/chat", body)
        next(pieces)
        server.kill()
        pieces.close()
        orphaned = wait_for(lambda: _if_code(server, 1), timeout=60)
        server.start()
        server.wait_ready()
        settled = wait_for(lambda: _if_code(server, 0), timeout=60)

    assert orphaned.find("nobody has settled: 1,").level == "failure"
    assert settled.find("No answer waits").level == "ok"


def _if_code(server: Server, code: int) -> Report | None:
    report = consult_site(SITE, server.environment)

    return report if report.code == code else None


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for an nginx to stand before."""

    need("nginx")
    proxied = {"CHATSTREAM_TITLE": "Behind a proxy"}

    with rigged(Cell("embedded", "gevent"), tmp_path_factory.mktemp("behind")) as rig:
        (server,) = rig.serve(1, setup=Setup(hooks=True, config=proxied))

        yield server


Serve = Callable[..., int]


@pytest.fixture
def nginx(behind: Server, tmp_path: Path) -> Iterator[Serve]:
    """Starts nginx with a configuration of the guide, changed or not; its port."""

    opened = []

    def serve(
        which: int = BARE, change: Callable[[str], str] = str, certificate: Path | None = None
    ) -> int:
        port = free_port()
        text = change(place(snippets()[which], port, behind.port, certificate))
        server = running(tmp_path / "nginx", port, text)
        server.__enter__()
        opened.append(server)

        return port

    yield serve

    for server in opened:
        server.__exit__(None, None, None)


def test_behind_nginx_as_the_guide_has_it(behind: Server, nginx: Serve) -> None:
    report = ask(behind, f"http://localhost:{nginx()}/chat")

    assert report.code == 0, report.output
    assert report.find("a proxy has taken X-Accel-Buffering").level == "ok"
    assert report.find("6 pieces of an event stream").level == "ok"
    assert [words for words in report.bad() if not words.startswith(LACKING)] == []


def test_an_nginx_that_holds_streams_back(behind: Server, nginx: Serve) -> None:
    """F39"""

    port = nginx(change=lambda text: IGNORED + text)
    report = ask(behind, f"http://localhost:{port}/chat")

    assert report.find("Event streams are held back").level == "failure"
    assert report.code == 1
    assert Client(port, "ada").request("GET", "/chat/api/v1/healthz").status == 200


def test_an_nginx_that_compresses_piece_by_piece(behind: Server, nginx: Serve) -> None:
    report = ask(behind, f"http://localhost:{nginx(change=lambda text: GZIP + text)}/chat")

    assert report.find("compressed (gzip) piece by piece").level == "ok"
    assert report.code == 0


def test_an_nginx_that_drops_the_port_of_the_host(behind: Server, nginx: Serve) -> None:
    port = nginx(change=lambda text: text.replace("$http_host", "$host"))
    report = ask(behind, f"http://localhost:{port}/chat")

    assert report.find("The app takes its host for localhost:").level == "failure"


def test_a_prefix_that_the_app_has_not_heard_of(behind: Server, nginx: Serve) -> None:
    report = ask(behind, f"http://localhost:{nginx(PREFIX)}/shop/chat")

    assert "x_prefix=1" in str(report.find("takes the chat to be at /chat/").help)


def test_an_nginx_whose_site_is_away(behind: Server, nginx: Serve) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    there = f"127.0.0.1:{behind.port}"
    port = nginx(change=lambda text: text.replace(there, nobody))
    report = ask(behind, f"http://localhost:{port}/chat")

    assert "does not reach the workers" in str(report.find("answers 502").help)


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine with its key, and whose signature it has."""

    certificate, root = tmp_path / "site.pem", tmp_path / "root.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(root)
    issued = authority.issue_cert("localhost", common_name="localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)

    return certificate, root


def test_tls_with_http2(behind: Server, nginx: Serve, trusted: tuple[Path, Path]) -> None:
    certificate, root = trusted
    port = nginx(TLS, lambda text: text.replace(" ssl;", " ssl http2;"), certificate)
    url = f"https://localhost:{port}/chat"
    report = ask(behind, url, SSL_CERT_FILE=str(root))
    stranger = ask(behind, url)

    assert report.code == 0, report.output
    assert report.find("Browsers come by HTTP/2").level == "ok"
    assert report.levels("address") == {"ok"}
    assert "CERTIFICATE_VERIFY_FAILED" in stranger.find("does not answer").what
    assert stranger.code == 1


def test_tls_that_the_app_does_not_hear_of(
    behind: Server, nginx: Serve, trusted: tuple[Path, Path]
) -> None:
    certificate, root = trusted
    told = "proxy_set_header X-Forwarded-Proto $scheme;"
    port = nginx(TLS, lambda text: text.replace(told, ""), certificate)
    report = ask(behind, f"https://localhost:{port}/chat", SSL_CERT_FILE=str(root))

    assert "Turn HTTP/2 on" in str(report.find("Browsers come by HTTP/1.1").help)
    assert "ProxyFix" in str(report.find("The app takes itself for http").help)
    assert report.code == 0
