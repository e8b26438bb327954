"""The pages, without a script: what a person sees, sends and gets back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from flask_chatstream.models import new_id
from flask_chatstream.providers.scripted import Pause
from tests.dom import Dom, Node
from tests.hosts import API, HTML, HTMX, Host, begin, chat, open_host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with open_host(tmp_path) as host:
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.client()


def page(client: FlaskClient, url: str = "/chat/") -> Dom:
    response = client.get(url, headers=HTML)
    assert response.status_code == 200, response.get_data(as_text=True)

    return Dom(response.get_data(as_text=True))


def send(client: FlaskClient, dom: Dom, text: str) -> str:
    """Fill in the page's form and send it; where it leads."""

    (form,) = (n for n in dom.root.walk() if n.attributes.get("class") == "cs-composer")
    fields = {
        n.attributes["name"] or "": n.attributes.get("value") or ""
        for n in form.walk()
        if n.attributes.get("name")
    }
    response = client.post(
        form.attributes["action"] or "", data={**fields, "content": text}, headers=HTML
    )
    assert response.status_code == 303, response.get_data(as_text=True)

    return response.headers["Location"]


def is_refreshing(dom: Dom) -> bool:
    return any(n.attributes.get("http-equiv") == "refresh" for n in dom.root.walk())


def button(dom: Dom, action: str) -> Node:
    """The form around the button of an action."""

    found = next(n for n in dom.root.walk() if n.attributes.get("data-action") == action)

    while found.tag != "form":
        assert found.parent is not None
        found = found.parent

    return found


def test_a_person_without_a_script_chats(host: Host, client: FlaskClient) -> None:
    gate = Pause()
    host.provider.enqueue("Half **an", gate, " answer**.")
    empty = page(client)
    assert empty.messages() == []
    assert not is_refreshing(empty)

    where = send(client, empty, "Is <b>this</b> & that\r\nsafe?")
    gate.wait_reached()
    conversation = where.rpartition("/")[2].partition("#")[0]
    assert where == f"/chat/c/{conversation}#latest"

    running = page(client, where)
    assert is_refreshing(running)
    assert [(m.role, m.status) for m in running.messages()] == [
        ("user", "completed"),
        ("assistant", "generating"),
    ]
    question = running.messages()[0].blocks[0]
    assert question[2] == "Is &lt;b>this&lt;/b> &amp; that\nsafe?"

    gate.release()
    host.wait_end(running.messages()[1].id)
    ended = page(client, where)
    assert not is_refreshing(ended)
    assert ended.messages()[1].blocks[0][2] == "<p>Half <strong>an answer</strong>.</p>"
    assert page(client).messages() == ended.messages()

    second = send(client, ended, "And?")
    assert second == where
    host.wait_end(page(client, where).messages()[3].id)
    assert [m.role for m in page(client, where).messages()] == ["user", "assistant"] * 2


def test_stop_and_try_again_are_forms(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("Half", Pause())
    asked = begin(client)
    host.wait_text(client, asked["message_id"], "Half")
    url = f"/chat/c/{asked['conversation_id']}"
    stop = button(page(client, url), "stop").attributes["action"] or ""
    response = client.post(stop, headers=HTML)

    assert (response.status_code, response.headers["Location"]) == (303, f"{url}#latest")
    stopped = page(client, url)
    assert stopped.messages()[1].status == "cancelled"
    assert "You stopped this answer." in stopped.messages()[1].foot

    again = button(stopped, "regenerate").attributes["action"] or ""
    assert client.post(again, headers=HTML).status_code == 303
    (newest,) = (m for m in page(client, url).messages() if m.role == "assistant")
    host.wait_end(newest.id)
    assert page(client, url).messages()[1].blocks[0][2] == "<p>A scripted answer.</p>"


def test_a_deleted_conversation_leaves_the_list(client: FlaskClient) -> None:
    keep, drop = chat(client, "Keep me"), chat(client, "Drop me")
    dom = page(client)
    titles = [n.text() for n in dom.root.walk() if "data-conversation-id" in n.attributes]
    assert titles == ["Drop me", "Keep me"]

    response = client.post(f"/chat/c/{drop['conversation_id']}/delete", headers=HTML)
    assert (response.status_code, response.headers["Location"]) == (303, "/chat/")
    left = [n for n in page(client).root.walk() if "data-conversation-id" in n.attributes]
    assert [n.attributes["data-conversation-id"] for n in left] == [keep["conversation_id"]]
    assert client.get(f"/chat/c/{drop['conversation_id']}").status_code == 404


def test_the_first_page_is_the_newest_chat_or_a_new_one(client: FlaskClient) -> None:
    chat(client, "First")
    chat(client, "Second")

    assert page(client).messages()[0].blocks[0][2] == "Second"
    assert page(client, "/chat/?new=1").messages() == []


def test_the_list_goes_on_page_by_page(client: FlaskClient) -> None:
    for n in range(51):
        client.post(f"{API}/conversations", json={"title": f"Chat {n}"})

    first = page(client, "/chat/list")
    (more,) = (n for n in first.root.walk() if n.attributes.get("class") == "cs-quiet")
    second = page(client, more.attributes["hx-get"] or "")

    def titles(dom: Dom) -> list[str]:
        return [n.text() for n in dom.root.walk() if "data-conversation-id" in n.attributes]

    assert titles(first) + titles(second) == [f"Chat {n}" for n in range(50, -1, -1)]


def test_earlier_messages_are_fetched_on_demand(client: FlaskClient) -> None:
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"t{n}"} for n in range(121)]
    asked = client.post(f"{API}/chat", json={"messages": turns, "stream": False}).get_json()
    dom = page(client, f"/chat/c/{asked['conversation_id']}")
    (link,) = (n for n in dom.root.walk() if n.attributes.get("class") == "cs-quiet")
    earlier = client.get(link.attributes["hx-get"] or "", headers=HTMX).get_data(as_text=True)
    whole_page = client.get(link.attributes["href"] or "", headers=HTML).get_data(as_text=True)
    shown = Dom(earlier).messages() + dom.messages()

    assert len(dom.messages()) == 100
    assert [m.blocks[0][2] for m in shown if m.role == "user"] == [
        f"t{n}" for n in range(0, 121, 2)
    ]
    assert "cs-older" not in earlier
    assert Dom(whole_page).messages() == Dom(earlier).messages()


@pytest.mark.parametrize("view", ["widget", "panel"])
def test_a_part_is_the_conversation_alone(client: FlaskClient, view: str) -> None:
    asked = chat(client)
    url = f"/chat/c/{asked['conversation_id']}?view={view}"
    text = client.get(url).get_data(as_text=True)

    assert "<html" not in text and "cs-sidebar" not in text
    assert len(Dom(text).messages()) == 2
    assert page(client, url.replace(view, "nonsense")).find("cs-sidebar") is not None


def test_another_branch_by_its_leaf(host: Host, client: FlaskClient) -> None:
    host.provider.enqueue("One.")
    host.provider.enqueue("Two.")
    first = chat(client)
    second = client.post(f"{API}/messages/{first['message_id']}/regenerate").get_json()
    host.wait_end(second["message_id"])
    url = f"/chat/c/{first['conversation_id']}"

    assert page(client, url).messages()[1].id == second["message_id"]
    assert (
        page(client, f"{url}?leaf={first['message_id']}").messages()[1].id == (first["message_id"])
    )
    assert client.get(f"{url}?leaf={new_id()}").status_code == 404


def test_an_answer_is_rendered_once_and_stored(host: Host, client: FlaskClient) -> None:
    asked = chat(client)
    assert host.message(asked["message_id"]).html is None
    before = page(client).messages()
    stored = host.message(asked["message_id"]).html

    assert stored is not None and "A scripted answer." in stored
    assert page(client).messages() == before


def test_no_text_becomes_markup(host: Host, client: FlaskClient) -> None:
    evil = '<img src=x onerror=alert(1)><script>alert(1)</script> hx-get="/x" <hx-get>'
    host.provider.enqueue(evil)
    asked = chat(client, evil)
    client.patch(f"{API}/conversations/{asked['conversation_id']}", json={"title": evil})
    dom = page(client)
    (article, answer) = (n for n in dom.root.walk() if n.tag == "article")

    for node in (*article.walk(), *answer.walk()):
        assert node.tag not in {"img", "script", "hx-get"}

    assert not any("onerror" in n.attributes for n in dom.root.walk())
    assert evil.strip() in article.text()


def test_a_page_below_a_script_name_stays_there(host: Host, client: FlaskClient) -> None:
    """An app behind a proxy at ``/app``."""

    below = {"SCRIPT_NAME": "/app"}
    boosted = client.get(
        "/chat/?new=1", headers={**HTMX, "HX-Boosted": "true"}, environ_overrides=below
    )
    refused = client.post("/chat/c", data={"content": " "}, headers=HTML, environ_overrides=below)
    sent = client.post("/chat/c", data={"content": "Hi"}, environ_overrides=below)
    links = [n.attributes.get("href") for n in Dom(refused.get_data(True)).root.walk()]

    assert boosted.headers["HX-Redirect"].endswith("/app/chat/?new=1")
    assert "/app/chat/#latest" in links
    assert sent.headers["Location"].startswith("/app/chat/c/")
