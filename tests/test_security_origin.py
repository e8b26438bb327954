"""No other site can change anything in a person's name (S10)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from flask_chatstream.models import Conversation, Message
from tests.hosts import API, Host, open_host
from tests.urls import CHANGES, OWN, READS, Made, Route, call, make, names

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "http://localhost.elsewhere.example"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "null"},
    {"Origin": ""},
]
OURS = [
    {},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost"},
    {"Origin": "https://partner.example", "Sec-Fetch-Site": "cross-site"},
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A site with one partner."""

    folder = tmp_path_factory.mktemp("host")

    with open_host(folder, CHATSTREAM_CORS_ORIGINS=["https://partner.example"]) as host:
        yield host


@pytest.fixture(scope="module")
def visitor(host: Host) -> FlaskClient:
    """A person's browser."""

    return host.client()


@pytest.fixture(scope="module")
def made(host: Host, visitor: FlaskClient) -> Made:
    """The person's conversation."""

    return make(host, visitor)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("route", CHANGES, ids=names(CHANGES))
def test_another_site_changes_nothing(
    host: Host, visitor: FlaskClient, made: Made, route: Route, headers: dict[str, str]
) -> None:
    before = _count(host, made)
    response = call(visitor, route, made, headers)

    assert response.status_code == 403
    assert _count(host, made) == before

    if response.is_json:
        assert response.get_json()["error"]["code"] == "cross_site"


@pytest.mark.parametrize("headers", OURS, ids=str)
@pytest.mark.parametrize("route", CHANGES, ids=names(CHANGES))
def test_the_site_itself_may(
    host: Host, visitor: FlaskClient, route: Route, headers: dict[str, str]
) -> None:
    assert call(visitor, route, make(host, visitor), headers).status_code == route.status[OWN]


@pytest.mark.parametrize("route", READS, ids=names(READS))
def test_reading_is_left_to_the_browser_and_changes_nothing(
    host: Host, visitor: FlaskClient, made: Made, route: Route
) -> None:
    before = _count(host, made)
    response = call(visitor, route, made, {"Sec-Fetch-Site": "cross-site"})

    assert response.status_code == route.status[OWN]
    assert "Access-Control-Allow-Origin" not in response.headers
    assert _count(host, made) == before


def test_a_refusal_says_why(visitor: FlaskClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    response = visitor.post(f"{API}/chat", json={"message": "Hi"}, headers=headers)

    assert response.get_json()["error"]["message"] == "This request came from another site."


def test_an_origin_is_that_of_the_host_that_was_asked(host: Host) -> None:
    client = host.client()
    url = "https://chat.example/chat/api/v1/conversations"

    for origin, status in (("https://chat.example", 201), ("https://localhost", 403)):
        response = client.post(url, base_url=None, json={}, headers={"Origin": origin})

        assert response.status_code == status


@pytest.mark.parametrize(
    ("base", "host_header", "origin", "status"),
    [
        ("http://chat.example", "chat.example", "http://chat.example", 201),
        ("https://chat.example", "chat.example", "https://chat.example", 201),
        # The plain twin of an encrypted site: whoever is on the way writes its pages.
        ("https://chat.example", "chat.example", "http://chat.example", 403),
        # A proxy ends TLS and does not say so, with and without the port in the name.
        ("http://chat.example", "chat.example", "https://chat.example", 201),
        ("http://chat.example", "chat.example:443", "https://chat.example", 201),
        ("http://chat.example", "CHAT.example", "https://chat.example", 201),
        ("http://chat.example", "chat.example:8443", "https://chat.example:8443", 201),
        ("http://chat.example", "chat.example:8443", "https://chat.example", 403),
        ("https://chat.example", "chat.example", "https://chat.example:8443", 403),
        ("http://chat.example", "chat.example", "http://chat.example:8080", 403),
        ("http://chat.example", "[::1]:8080", "http://[::1]:8080", 201),
        ("http://chat.example", "chat.example", "http://chat.example:x", 403),
        ("http://chat.example", "chat.example", "http://[chat.example", 403),
        ("http://chat.example", "chat.example", "ftp://chat.example", 403),
        ("http://chat.example", "chat.example", "//chat.example", 403),
        ("http://chat.example", "chat.example", "http://chat.example@elsewhere.example", 403),
    ],
)
def test_an_origin_has_a_scheme_and_a_port(
    host: Host, base: str, host_header: str, origin: str, status: int
) -> None:
    """An old browser's, or that of a page without TLS: newer ones say it in one word."""

    headers = {"Host": host_header, "Origin": origin}
    url = f"{API}/conversations"

    assert host.client().post(url, base_url=base, json={}, headers=headers).status_code == status


def _count(host: Host, made: Made) -> tuple[int, int, int]:
    """How much is stored, and the state of one conversation that nothing else touches."""

    with host.read() as session:
        version = session.get_one(Conversation, made.conversation_id).version

        return session.query(Conversation).count(), session.query(Message).count(), version
