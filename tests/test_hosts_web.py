"""At home between a site's logins, protections and prefixes: what those hosts are promised."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import render_template_string
from flask.testing import FlaskClient

from flask_chatstream.models import Conversation
from flask_chatstream.providers.scripted import Pause
from tests.hosts import HTML, HTMX, SSE, events_of, serve
from tests.hosts.matrix import HOSTS, HostKind, rows
from tests.hosts.site import Site, open_site

WEB = [kind.name.removeprefix("web.") for kind in HOSTS if kind.name.startswith("web.")]
ENCODINGS = {"Accept-Encoding": "gzip, deflate, br, zstd"}
Open = Callable[[str], AbstractContextManager[Site]]


def hosts(*names: str) -> pytest.MarkDecorator:
    """The test, for each of these hosts on each of its databases."""

    wanted = {f"web.{name}" for name in names}

    return pytest.mark.parametrize(("kind", "database"), rows(lambda kind: kind.name in wanted))


@pytest.fixture
def site(
    kind: HostKind, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Site]:
    """The host with the chat, its tables and ours in place."""

    with open_site(kind, tmp_path, request.getfixturevalue(f"{database}_url")) as site:
        site.install()

        yield site


def _events_url(site: Site) -> str:
    return site.url("events", conversation_id=site.messages()[-1].conversation_id)


@hosts(*WEB)
def test_a_stream_passes_as_it_is_written(site: Site) -> None:
    """Nothing on the way gathers or compresses it, whatever the browser would take."""

    client, pause = site.client(), Pause()
    site.provider.enqueue("The first half", pause, " and the second.")
    site.ask(client, "Hi")
    pause.wait_reached()
    response = client.get(_events_url(site), headers={**SSE, **ENCODINGS}, buffered=False)
    events = events_of(response)

    assert response.mimetype == "text/event-stream"
    assert "Content-Encoding" not in response.headers
    assert any("The first half" in event.data for event in events)
    pause.release()
    rest = list(events)
    assert any("and the second." in event.data for event in rest)
    assert rest[-1].event == "end"


@hosts("compress")
def test_flask_compress_leaves_the_stream_alone(site: Site) -> None:
    """On a real socket; pages are compressed, and are still fresh or not by their ETag."""

    pause = Pause()
    site.provider.enqueue("The first half", pause, " and the second.")

    with serve(site.app) as address, httpx.Client(base_url=address, headers=ENCODINGS) as browser:
        page = browser.post("/chat/c", data={"content": "Hi"}, follow_redirects=True)
        assert page.headers["Content-Encoding"] in {"gzip", "br", "zstd"}
        pause.wait_reached()

        with browser.stream("GET", _events_url(site), headers=SSE) as response:
            assert "Content-Encoding" not in response.headers
            lines = response.iter_lines()
            assert any("The first half" in line for line in lines)
            pause.release()
            assert any("and the second." in line for line in lines)

        site.wait_end()
        listed = browser.get("/chat/api/v1/conversations")
        again = {"If-None-Match": listed.headers["ETag"]}
        assert listed.headers["Content-Encoding"] in {"gzip", "br", "zstd"}
        assert browser.get("/chat/api/v1/conversations", headers=again).status_code == 304


GUARDED = hosts("login_security", "csrf_wtf", "csrf_seasurf", "caching")


@GUARDED
def test_nothing_is_asked_without_the_sites_token(site: Site) -> None:
    client = site.client()
    client.get(site.url("index"))
    response = client.post(site.url("start"), data={"content": "Hi"}, headers=HTMX)

    assert response.status_code == 200  # htmx alone shows nothing of an error's
    assert 'data-code="csrf"' in response.text
    assert site.messages() == []


@GUARDED
def test_a_form_without_a_script_carries_the_token(site: Site) -> None:
    """SeaSurf's field was called as Flask-WTF's is, and such a form was refused."""

    client = site.client()
    form = client.get(site.url("index"), headers=HTML).text
    fields = dict(re.findall(r'class="cs-csrf" name="(\w+)" value="([^"]+)"', form))
    data = {"content": "Hi", **fields}

    assert client.post(site.url("start"), data=data, headers=HTML).status_code == 303


@GUARDED
def test_an_expired_token_is_renewed_and_the_text_kept(site: Site) -> None:
    client = site.client()
    old = site.headers(client)
    _forget_token(client)
    fields = {"content": "Please keep this", "live": "1"}
    refused = client.post(site.url("start"), data=fields, headers={**HTMX, **old})
    page = client.post(site.url("start"), data=fields, headers={**HTML, **old})

    assert (refused.status_code, page.status_code) == (400, 400)
    assert 'data-code="csrf"' in refused.text
    assert "Please keep this" in page.text
    assert site.post(client, site.url("start"), **fields).status_code == 303


def _forget_token(client: FlaskClient) -> None:
    """What a long night does to a session: the login is remembered, the token is not."""

    with client.session_transaction() as session:
        for name in ("csrf_token", "_csrf_token", "guard"):
            session.pop(name, None)


@hosts("csrf_wtf")
def test_the_sites_own_form_is_guarded_as_before(site: Site) -> None:
    client = site.client()
    page = client.get("/order").text
    (token,) = re.findall(r'value="([^"]+)"', page)
    bad, good = {"item": "chair"}, {"item": "chair", "guard": token}

    assert client.post("/order", data=bad).text == "The shop's own words."
    assert client.post("/order", data=good).text == "One chair."


@hosts("csrf_seasurf")
def test_seasurfs_own_form_is_guarded_as_before(site: Site) -> None:
    client = site.client()
    token = site.headers(client)["X-CSRFToken"]

    assert client.post("/post", data={"text": "Hi"}).status_code == 403
    sent = client.post("/post", data={"text": "Hi", "_csrf_token": token})
    assert sent.text == "Posted: Hi"


@hosts("login_jwt_cookies")
def test_a_double_submitted_cookie_guards_the_chat(site: Site) -> None:
    client = site.client()
    page = client.get(site.url("index"), headers=HTML).text
    (token,) = re.findall(r'data-csrf-token="([^"]+)"', page)
    data = {"content": "Hi"}

    refused = client.post(site.url("start"), data={**data, "live": "1"}, headers=HTMX)
    assert refused.status_code == 400
    assert 'data-code="csrf"' in refused.text
    assert site.messages() == []
    sent = client.post(site.url("start"), data=data, headers={"X-CSRFToken": token})
    assert sent.status_code == 303


@hosts("login_jwt_cookies")
def test_a_token_that_was_exchanged_is_no_log_out(site: Site) -> None:
    """The page that was open got the extension's 401, as if nobody were signed in."""

    client = site.client()
    old = site.headers(client)
    client.post("/exchange", headers=old)
    new = client.get(site.url("token")).get_json()["csrf_token"]
    data = {"content": "Hi", "live": "1"}
    refused = client.post(site.url("start"), data=data, headers={**HTMX, **old})
    api = client.post(site.url("api_chat"), json={"message": "Hi"}, headers=old)
    sent = client.post(site.url("start"), data=data, headers={**HTMX, "X-CSRFToken": new})

    assert new != old["X-CSRFToken"]
    assert (refused.status_code, api.status_code, sent.status_code) == (400, 400, 204)
    assert 'data-code="csrf"' in refused.text
    assert api.get_json()["error"]["code"] == "csrf"
    assert client.post("/order", headers=old).status_code == 401  # the site's own, as ever


@hosts("login_jwt_cookies")
def test_a_token_that_has_expired_leads_to_the_log_in(site: Site) -> None:
    site.app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(seconds=-10)
    client = site.client()
    page = client.get(site.url("index"), headers=HTML)
    api = client.get(site.url("api_conversations"))

    assert (page.status_code, api.status_code) == (401, 401)
    assert "Please sign in to chat." in page.text
    assert api.get_json()["error"]["code"] == "sign_in_required"


OWNERS = {
    "web.login_flask_login": "member:1",
    "web.login_security": "user:1",
    "web.login_session": "ada",
    "web.login_jwt_header": "ada",
    "web.login_jwt_cookies": "ada",
}


@hosts(*[name.removeprefix("web.") for name in OWNERS])
def test_a_login_owns_its_chats_and_nobody_else_does(site: Site) -> None:
    client = site.client()
    site.ask(client, "Hi")
    id = site.messages()[0].conversation_id

    with site.context():
        database = site.state.database

    with database.read() as session:
        assert session.get_one(Conversation, id).owner == OWNERS[site.kind.name]

    stranger = site.app.test_client()
    api = site.url("api_conversation", conversation_id=id)
    assert client.get(api).status_code == 200
    assert stranger.get(api).status_code == 401
    asked = stranger.post(site.url("start"), data={"content": "Hi"}, headers=HTMX)
    assert asked.status_code != 303
    assert len({m.conversation_id for m in site.messages()}) == 1


@hosts("login_flask_login", "login_session", "login_jwt_header", "login_jwt_cookies")
def test_another_member_finds_nothing(site: Site) -> None:
    site.ask(site.client(), "Hi")
    other: Any = site.module.make_client(site.app, "grace2")
    id = site.messages()[0].conversation_id

    assert other.get(site.url("api_conversation", conversation_id=id)).status_code == 404


@hosts("limiter")
def test_an_exempt_chat_uses_up_no_rate_of_the_sites(site: Site) -> None:
    client = site.client()
    codes = [client.get(site.url("index")).status_code for _ in range(10)]

    assert codes == [200] * 10
    assert [client.get("/").status_code for _ in range(6)] == [200] * 5 + [429]


@hosts("limiter_everywhere")
def test_a_rate_of_the_sites_is_refused_in_our_words(site: Site) -> None:
    client = site.client()

    for path in ("start", "api_chat"):
        while client.post(site.url(path), data={"content": " "}).status_code != 429:
            pass

    fields = {"content": "Please keep this"}
    page = client.post(site.url("start"), data=fields, headers=HTML)
    fragment = client.post(site.url("start"), data={**fields, "live": "1"}, headers=HTMX)

    api = client.post(site.url("api_chat"), json={"message": "Hi"})

    assert (page.status_code, fragment.status_code, api.status_code) == (429, 429, 429)
    assert "Please keep this" in page.text
    assert 'data-code="rate_limited"' in fragment.text
    assert "40 per 1 hour" not in page.text + fragment.text
    assert api.get_json()["error"]["code"] == "rate_limited"
    assert all(3500 < int(r.headers["Retry-After"]) <= 3600 for r in (page, fragment, api))
    assert "Please keep this" not in [message.content for message in site.messages()]


@hosts("caching")
def test_a_page_kept_for_all_holds_a_token_that_is_renewed(site: Site) -> None:
    """The widget's token on a cached page is the first visitor's."""

    first, second = site.client(), site.client()
    first.get("/news")
    page = second.get("/news").text
    (token,) = re.findall(r'data-csrf-token="([^"]+)"', page)
    fields = {"content": "Hi", "live": "1"}
    old = {**HTMX, "X-CSRFToken": token}

    refused = second.post(site.url("start"), data=fields, headers=old)
    assert (refused.status_code, 'data-code="csrf"' in refused.text) == (400, True)
    renewed = {**HTMX, **site.headers(second)}
    assert second.post(site.url("start"), data=fields, headers=renewed).status_code == 204


@hosts("request_class")
def test_a_sites_classes_serve_the_chat_and_its_pages(site: Site) -> None:
    client = site.client()

    assert client.get("/", headers={"X-Tenant": "acme"}).get_json() == {"tenantName": "acme"}
    assert client.get("/nowhere").text == "The platform says 404."
    assert client.get(site.url("index"), headers=HTML).mimetype == "text/html"
    missing = client.get(site.url("conversation", conversation_id="0" * 32), headers=HTML)
    assert (missing.status_code, missing.mimetype) == (404, "text/html")
    assert "cs-error" in missing.text


@hosts("request_class")
def test_a_sites_json_names_are_not_the_apis(site: Site) -> None:
    client = site.client()
    listed = client.get(site.url("api_conversations")).json
    made = client.post(site.url("api_create"), json={"title": "Löwe"})
    refused = client.get(site.url("api_conversation", conversation_id="0" * 32)).json

    assert listed == {"conversations": [], "next_cursor": None}
    assert (made.status_code, made.mimetype) == (201, "application/json")
    assert {"active_leaf", "last_message_at"} < made.json.keys()
    assert "request_id" in refused["error"]
    assert client.get(site.url("token")).json == {"csrf_token": ""}


SCRIPT = "</title></textarea><script>alert(1)</script>"


@hosts("brackets", "no_autoescape")
def test_what_is_typed_is_escaped_wherever_it_is_shown(site: Site) -> None:
    """In a site whose own templates are not, a question was run as a script."""

    client = site.client()
    page = site.ask(client, SCRIPT)
    site.wait_end()
    id = site.messages()[0].conversation_id
    events = site.url("events", conversation_id=id)
    ask = site.url("ask", conversation_id=id)
    seen = [
        client.get(page, headers=HTML).text,
        client.get(f"{page}?view=widget", headers=HTMX).text,
        client.get(site.url("list_conversations"), headers=HTMX).text,
        client.get(f"{events}?cursor=0", headers=SSE).text,
        client.get(f"{events}?cursor=0&poll=1", headers=HTMX).text,
        client.post(ask, data={"content": SCRIPT}, headers=HTMX).text,
        client.post(ask, data={"content": SCRIPT, "key": "\x7f"}, headers=HTML).text,
    ]

    for text in seen:
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


@hosts("brackets")
def test_a_site_made_of_curly_brackets_does_not_run_ours(site: Site) -> None:
    """Vue, put around the page, made 49 of a question, and would have run what a model answers."""

    client = site.client()
    page = client.get(site.ask(client, "{{ 7 * 7 }}"), headers=HTML).text
    form = {"content": "{{ 7 * 7 }}", "key": "\x7f"}
    refused = client.post(site.url("start"), data=form, headers=HTML).text

    for text in (page, refused):
        before, root = text.split('<div class="cs-root', 1)
        assert "{{ 7 * 7 }}" in root
        assert "{{ 7 * 7 }}" not in before.partition("<body>")[2]
        assert {"v-pre", "ng-non-bindable"} < set(root.partition(">")[0].split())

    with site.app.test_request_context("/"):
        panel = render_template_string("[[ chatstream_panel() ]][[ chatstream_widget() ]]")

    assert len(re.findall(r'class="cs-root[^>]*\sv-pre ng-non-bindable ', panel)) == 2


@hosts("brackets", "no_autoescape")
def test_a_base_template_in_the_sites_syntax_and_with_its_values_alone(site: Site) -> None:
    """It was read in our syntax, and its ``error`` and ``messages`` were ours."""

    client = site.client()
    page = client.get(site.ask(client, "Hi <there>"), headers=HTML).text
    refused = client.get(site.url("conversation", conversation_id="0" * 32), headers=HTML)

    for text in (page, refused.text):
        assert re.search(r'<p id="notes">(.*)</p>', text)[1] == "Sale! 3 in the cart. {{ total }}"
        assert text.count('<meta name="base">') == text.count('<meta name="layout">') == 1
        assert text.count("chatstream.css") == text.count('<div class="cs-root') == 1
        assert "View(" not in text
        assert not re.search(r"<%|%>|\[\[|\]\]", text)

    assert refused.status_code == 404
    assert "<title>Hi &lt;there&gt;</title>" in page
    assert 'content="Hi &lt;there&gt;"' in page
    assert re.search(r"<textarea[^>]*></textarea>", page)
    assert 'class="cs-notice"' not in page


@hosts("team_prefix")
def test_a_prefix_with_a_value_that_the_site_leaves_in_it(site: Site) -> None:
    """Our views were called with it and failed, and our URLs could not be built."""

    client = site.client()
    site.ask(client, "Hi")
    site.wait_end()
    id = site.messages()[0].conversation_id
    panel = client.get("/blue/desk").text
    page = client.get(f"/blue/help/c/{id}", headers=HTML).text
    stream = client.get(f"/blue/help/c/{id}/events", headers=SSE).text

    assert 'data-index-url="/blue/help/"' in panel
    assert "/red/" not in panel + page + stream
    assert f'action="/blue/help/c/{id}/messages"' in page
    assert 'action="/blue/help/m/' in stream
    script = client.get("/blue/help/chatstream-static/chatstream.js", buffered=True)
    assert script.status_code == 200


@hosts("language_prefix")
def test_a_prefix_with_a_value_that_the_site_takes_out(site: Site) -> None:
    client = site.client()
    page = client.get("/fr/help/", headers=HTML).text

    assert 'data-index-url="/fr/help/"' in page
    assert 'action="/fr/help/c"' in page


@hosts("script_name", "proxy_fix", "subdomain", "nested", "renamed", "catch_all")
def test_every_address_of_the_page_leads_somewhere(site: Site) -> None:
    client = site.client()
    page = client.get(site.url("index"), headers=HTML).text
    found = set(re.findall(r'(?:href|src)="([^"#]+)', page))

    assert len(found) > 5

    for address in found:
        base = site.url("index") if site.kind.name.endswith("subdomain") else ""
        response = client.get(base.removesuffix("/") + address, buffered=True)
        assert response.status_code == 200, address
        assert "<div id=app" not in response.text, address


@hosts("proxy_fix")
def test_behind_a_proxy_the_origin_is_the_sites_own(site: Site) -> None:
    client = site.client()
    inside = {"Origin": "http://localhost"}
    data = {"content": "Hi"}

    assert client.post(site.url("start"), data=data, headers=inside).status_code == 403
    asked = site.post(client, site.url("start"), **data)
    assert asked.headers["Location"].startswith("/portal/chat/c/")
    assert "Secure" in asked.headers["Set-Cookie"]


@hosts("two_mounts")
def test_two_chats_are_two_worlds(site: Site) -> None:
    client = site.client()
    site.module.second.enqueue("From the support.")
    client.post("/support/c", data={"content": "Hi"})
    assert site.wait_end().content == "From the support."
    id = site.messages()[0].conversation_id

    assert client.get(f"/support/c/{id}", headers=HTML).status_code == 200
    assert client.get(f"/chat/c/{id}", headers=HTML).status_code == 404


@hosts("two_mounts")
def test_a_second_chat_needs_nothing_of_the_first(site: Site) -> None:
    """Its page had the first one's files, whose address may want a value that this one has not."""

    page = site.client().get("/support/", headers=HTML).text

    assert 'action="/support/c"' in page
    assert "/chat/" not in page

    with site.app.test_request_context("/"):
        assert "/chat/" not in render_template_string("{{ chatstream_widget('support') }}")
