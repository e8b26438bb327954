"""Who gets what from every URL (S07): a route that is missing in the table fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask, request
from werkzeug.test import TestResponse

from flask_chatstream import ChatStream
from flask_chatstream.models import Conversation, new_id
from tests.hosts import Host, open_host
from tests.urls import FOREIGN, NOBODY, OWN, ROUTES, Made, Route, call, known_rules, make, names

ADA = {"X-User": "ada"}
BOB = {"X-User": "bob"}
CANARY = "canary-5b1d"
OBJECTS = tuple(route for route in ROUTES if route.is_of_object)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A site whose users are named in a header, and that admits nobody else."""

    folder = tmp_path_factory.mktemp("host")

    with open_host(folder, _second_mount, CHATSTREAM_ANONYMOUS="sign_in") as host:
        host.chat.owner_loader(_user)

        yield host


def _second_mount(app: Flask) -> None:
    support = ChatStream("support", url_prefix="/support")
    support.owner_loader(_user)
    app.register_blueprint(support)


def _user() -> str | None:
    return request.headers.get("X-User")


@pytest.fixture
def fresh(host: Host) -> Made:
    """Something of Ada's that a test may change."""

    return _make(host)


@pytest.fixture(scope="module")
def made(host: Host) -> Made:
    """What Ada has, and nobody else may touch."""

    return _make(host)


def _make(host: Host) -> Made:
    client = host.client()
    client.environ_base["HTTP_X_USER"] = "ada"

    return make(host, client, f"My secret is {CANARY}.")


def test_every_route_is_in_the_table(host: Host) -> None:
    assert known_rules(host.app) == set(names(ROUTES))


@pytest.mark.parametrize("route", ROUTES, ids=names(ROUTES))
def test_owner(host: Host, fresh: Made, route: Route) -> None:
    assert call(host.client(), route, fresh, ADA).status_code == route.status[OWN]


@pytest.mark.parametrize("route", ROUTES, ids=names(ROUTES))
def test_somebody_else(host: Host, made: Made, route: Route) -> None:
    response = call(host.client(), route, made, BOB)

    assert response.status_code == route.status[FOREIGN]
    assert CANARY not in response.get_data(as_text=True)
    assert _is_untouched(host, made)


@pytest.mark.parametrize("route", ROUTES, ids=names(ROUTES))
def test_nobody(host: Host, made: Made, route: Route) -> None:
    response = call(host.client(), route, made)

    assert response.status_code == route.status[NOBODY]
    assert CANARY not in response.get_data(as_text=True)
    assert "Set-Cookie" not in response.headers
    assert _is_untouched(host, made)


@pytest.mark.parametrize("route", OBJECTS, ids=names(OBJECTS))
def test_foreign_and_missing_look_alike(host: Host, made: Made, route: Route) -> None:
    missing = Made(new_id(), new_id(), new_id())

    assert _words(call(host.client(), route, made, BOB)) == _words(
        call(host.client(), route, missing, BOB)
    )


@pytest.mark.parametrize("route", OBJECTS, ids=names(OBJECTS))
def test_another_chat_of_the_site_does_not_have_it(host: Host, made: Made, route: Route) -> None:
    response = call(host.client(), route, made, ADA, prefix="/support")

    assert response.status_code == 404
    assert _is_untouched(host, made)


@pytest.mark.parametrize("route", OBJECTS, ids=names(OBJECTS))
@pytest.mark.parametrize("id", ["0", "%00", "x" * 5000, "ü" * 32, "' OR 1=1 --", "01A1" * 8])
def test_an_id_of_another_shape_is_missing(host: Host, route: Route, id: str) -> None:
    response = call(host.client(), route, Made(id, id, id), ADA)

    assert response.status_code == 404


def test_an_owner_is_compared_exactly(host: Host, made: Made) -> None:
    for owner in ("Ada", "ada ", "ADA", "%"):
        url = f"/chat/api/v1/conversations/{made.conversation_id}"

        assert host.client().get(url, headers={"X-User": owner}).status_code == 404


def _words(response: TestResponse) -> object:
    if response.is_json:
        error = response.get_json()["error"]

        return {**error, "request_id": None}

    return response.get_data(as_text=True)


def _is_untouched(host: Host, made: Made) -> bool:
    with host.read() as session:
        found = session.get_one(Conversation, made.conversation_id)

        return (found.message_count, found.version, found.owner) == (2, 3, "ada")
