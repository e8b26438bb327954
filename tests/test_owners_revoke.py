"""A log-out ends what its owner follows, in every process, and stops no answer (F46)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from flask.testing import FlaskClient

from flask_chatstream.testing import Pause
from tests.hosts import API, SSE, Host, begin, serve, together
from tests.logins import open_site

#: Within which a revocation has to be seen everywhere.
SOON = 5.0
LOGINS = pytest.mark.parametrize("login", ["session", "flask_login"])


class Following:
    """Somebody who follows a stream over a real connection until it ends."""

    def __init__(self, url: str, cookies: dict[str, str]):
        self.began = threading.Event()
        self.text = ""
        self._url = url
        self._cookies = cookies
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self.began.wait(10)

    def _read(self) -> None:
        with (
            httpx.Client(cookies=self._cookies, timeout=30) as client,
            client.stream("GET", self._url, headers=SSE) as response,
        ):
            assert response.status_code == 200

            for piece in response.iter_text():
                self.text += piece
                if "Half" in self.text:
                    self.began.set()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def wait_over(self) -> float:
        """How long it took to end."""

        began = time.monotonic()
        self._thread.join(30)
        assert self.is_over

        return time.monotonic() - began


def cookies_of(client: FlaskClient) -> dict[str, str]:
    return {cookie.key: cookie.value for cookie in client._cookies.values()}


@pytest.fixture
def gate() -> Iterator[Pause]:
    gate = Pause()
    yield gate
    gate.release()


def start(host: Host, gate: Pause, name: str = "ada") -> tuple[FlaskClient, dict[str, str]]:
    """Somebody signed in, whose answer stands half written."""

    host.provider.enqueue("Half ", gate, "and half.")
    client = host.client()
    client.get(f"/in/{name}")
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half ")

    return client, asked


def page_url(asked: dict[str, str]) -> str:
    return f"/chat/c/{asked['conversation_id']}/events"


def api_url(asked: dict[str, str]) -> str:
    return f"{API}/conversations/{asked['conversation_id']}/stream"


@LOGINS
def test_a_log_out_ends_the_streams_of_every_process(
    login: str, database_url: str, tmp_path: Path, gate: Pause
) -> None:
    config = {"login": login, "CHATSTREAM_ANONYMOUS": "sign_in"}

    with (
        open_site(tmp_path / "a", database_url, **config) as here,
        open_site(tmp_path / "b", database_url, **config) as there,
        serve(here.app) as near,
        serve(there.app) as far,
    ):
        client, asked = start(here, gate)
        other, theirs = start(here, gate, "bob")
        mine = [
            Following(f"{address}{url(asked)}", cookies_of(client))
            for address in (near, far)
            for url in (page_url, api_url)
        ]
        bobs = Following(f"{far}{page_url(theirs)}", cookies_of(other))
        client.get("/out")

        assert max(following.wait_over() for following in mine) < SOON
        assert not bobs.is_over
        assert client.get(page_url(asked), headers=SSE).status_code == 401
        gate.release()
        assert here.wait_end(asked["message_id"]).content == "Half and half."
        bobs.wait_over()
        assert "event: end" in bobs.text
        assert not any("event: end" in f.text or "gone" in f.text for f in mine)


@LOGINS
def test_who_is_still_signed_in_comes_back(
    login: str, database_url: str, tmp_path: Path, gate: Pause
) -> None:
    with open_site(tmp_path, database_url, login) as host, serve(host.app) as address:
        client, asked = start(host, gate)
        first = Following(f"{address}{page_url(asked)}", cookies_of(client))
        with host.app.app_context():
            host.chat.revoke("ada")
            host.chat.revoke("ada")
        assert first.wait_over() < SOON
        second = Following(f"{address}{page_url(asked)}", cookies_of(client))
        gate.release()
        second.wait_over()

        assert "event: end" in second.text


@pytest.mark.every_database
def test_many_revocations_at_once_are_one(database_url: str, tmp_path: Path) -> None:
    with open_site(tmp_path, database_url) as host:

        def revoke() -> None:
            with host.app.app_context():
                host.chat.revoke("ada")

        host.client().get(f"{API}/conversations")
        together(revoke, 6)
