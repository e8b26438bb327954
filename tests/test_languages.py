"""Which language the chat speaks: by its setting, by Flask-Babel, by the browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g, render_template_string, request
from flask.testing import FlaskClient
from flask_babel import Babel, lazy_gettext

from flask_chatstream import ChatStream, ConfigurationError
from flask_chatstream.errors import Refused
from flask_chatstream.providers.scripted import Pause
from tests.hosts import API, HTML, HTMX, SSE, begin, chat, events_of, open_host

from .test_catalogues import make_catalogue

GREETINGS = {
    "ar": "كيف يمكنني المساعدة؟",
    "de": "Womit kann ich helfen?",
    "en": "How can I help?",
    "es": "¿En qué puedo ayudar?",
    "fr": "Comment puis-je vous aider\N{NO-BREAK SPACE}?",
    "ja": "どのようなご用件でしょうか？",
}
CODE = "Look:\n\n```python\nx\n```\n\n- [x] done\n\n"


def languages_of(client: FlaskClient, accept: str = "", url: str = "/chat/") -> tuple[str, str]:
    """The language that a page names, and the one it greets in."""

    headers = {**HTML, **({"Accept-Language": accept} if accept else {})}
    page = client.get(url, headers=headers).get_data(as_text=True)
    (named,) = set(re.findall(r'lang="([^"]+)"', page))
    (greeting,) = re.findall(r'class="cs-greeting">([^<]+)<', page)

    return named, next(tag for tag, words in GREETINGS.items() if words == greeting)


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr-CA", "fr"),
        ("it, es;q=0.7, en;q=0.5", "es"),
        ("it", "en"),
        ("en-GB, de;q=0.9", "en"),
        ("de;q=0, ja;q=0.1", "ja"),
        ("*", "en"),
        ("AR", "ar"),
        ("de-" + "-".join("x" * 20_000), "de"),
        ("de_DE.UTF-8, \x01", "en"),
    ],
)
def test_the_browsers_best_language_is_spoken(tmp_path: Path, accept: str, language: str) -> None:
    with open_host(tmp_path) as host:
        assert languages_of(host.client(), accept) == (language, language)


@pytest.mark.parametrize("language", GREETINGS)
def test_the_setting_goes_before_the_browser(tmp_path: Path, language: str) -> None:
    with open_host(tmp_path, CHATSTREAM_LANGUAGE=language) as host:
        assert languages_of(host.client(), "fr") == (language, language)


def test_a_setting_that_is_no_language_is_refused() -> None:
    app = Flask("host")
    app.config["CHATSTREAM_LANGUAGE"] = "German"

    with pytest.raises(ConfigurationError, match=r"CHATSTREAM_LANGUAGE .*'auto'"):
        app.register_blueprint(ChatStream())


def test_a_language_without_words_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with open_host(tmp_path, CHATSTREAM_LANGUAGE="xx") as host:
        refused = host.client().get("/chat/", headers=HTMX)

    assert refused.status_code == 503
    assert "&#39;xx&#39;; there are en, ar, de, es, fr, ja." in refused.text


def _with_babel(**config: Any) -> Any:
    def prepare(app: Flask) -> None:
        app.config.update(config)
        Babel(app, locale_selector=lambda: request.args.get("lang") or "es")

    return prepare


def test_flask_babel_goes_before_the_browser(tmp_path: Path) -> None:
    with open_host(tmp_path, _with_babel()) as host:
        client = host.client()

        assert languages_of(client, "fr") == ("es", "es")
        assert languages_of(client, "fr", "/chat/?lang=de_CH") == ("de", "de")
        assert languages_of(client, "fr", "/chat/?lang=it") == ("en", "en")


def test_the_setting_goes_before_flask_babel(tmp_path: Path) -> None:
    with open_host(tmp_path, _with_babel(), CHATSTREAM_LANGUAGE="ja") as host:
        assert languages_of(host.client()) == ("ja", "ja")


def test_another_extension_of_that_name_is_none_of_ours(tmp_path: Path) -> None:
    def prepare(app: Flask) -> None:
        app.extensions["babel"] = object()

    with open_host(tmp_path, prepare, CHATSTREAM_LANGUAGE="de") as host:
        assert languages_of(host.client()) == ("de", "de")


def test_moments_and_numbers_are_those_of_flask_babel(tmp_path: Path) -> None:
    prepare = _with_babel(BABEL_DEFAULT_TIMEZONE="Europe/Berlin")

    with open_host(tmp_path, prepare) as host:
        client = host.client()
        url = f"/chat/c/{chat(client)['conversation_id']}"
        page = client.get(f"{url}?lang=de", headers=HTML).text
        refused = client.post(f"{url}/messages?lang=de", data={"content": "x" * 40_000})

        assert re.search(r"<time [^>]+>\d\d\.\d\d\.\d\d, \d\d:\d\d (MEZ|MESZ)</time>", page)
        assert "40.000 von 32.000 Zeichen" in refused.text


def test_moments_and_numbers_are_plain_without(tmp_path: Path) -> None:
    with open_host(tmp_path, CHATSTREAM_LANGUAGE="de") as host:
        client = host.client()
        url = f"/chat/c/{chat(client)['conversation_id']}"

        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC</time>", client.get(url).text)
        assert "40000 von 32000 Zeichen" in client.post(
            f"{url}/messages", data={"content": "x" * 40_000}
        ).get_data(as_text=True)


def test_caches_are_told_what_the_language_depends_on(tmp_path: Path) -> None:
    def prepare(app: Flask) -> None:
        app.add_url_rule("/", "home", lambda: render_template_string("{{ chatstream_widget() }}"))
        app.add_url_rule("/plain", "plain", lambda: "Nothing of the chat's")

    with open_host(tmp_path / "auto", prepare) as host:
        client = host.client()

        for url in ("/", "/chat/", "/chat/list", f"/chat/c/{'0' * 32}"):
            assert "Accept-Language" in client.get(url).vary, url

        for url in ("/plain", f"{API}/conversations", "/chat/chatstream-static/chatstream.css"):
            with client.get(url) as response:
                assert "Accept-Language" not in response.vary, url

    with open_host(tmp_path / "fixed", prepare, CHATSTREAM_LANGUAGE="de") as host:
        for url in ("/", "/chat/"):
            assert "Accept-Language" not in host.client().get(url).vary, url


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path) -> None:
    for name in ("auto", "fixed"):
        (tmp_path / name).mkdir()


def test_the_api_speaks_english(tmp_path: Path) -> None:
    with open_host(tmp_path, CHATSTREAM_LANGUAGE="de") as host:
        client = host.client()
        error = client.get(f"{API}/conversations/{'0' * 32}").get_json()["error"]
        page = client.get(f"/chat/c/{'0' * 32}", headers=HTML).get_data(as_text=True)

        assert error["message"] == "There is no such conversation or message."
        assert "Diese Unterhaltung oder Nachricht gibt es nicht." in page
        assert "Nicht gefunden" in page


def test_a_sites_own_refusal_stays_as_it_is(tmp_path: Path) -> None:
    with open_host(tmp_path, CHATSTREAM_LANGUAGE="de") as host:

        @host.chat.authorize
        def authorize(act: str, owner: str, object: str | None) -> bool:
            raise Refused("100% of your budget is used (%s).")

        page = host.client().get("/chat/", headers=HTML).get_data(as_text=True)

        assert "100% of your budget is used (%s)." in page


def test_a_stream_goes_on_in_the_language_in_which_it_began(tmp_path: Path) -> None:
    """The site's selector may need what only a request's beginning sets."""

    def prepare(app: Flask) -> None:
        @app.before_request
        def know() -> None:
            g.language = request.headers.get("Accept-Language", "en")

        Babel(app, locale_selector=lambda: g.language)

    with open_host(tmp_path, prepare) as host:
        client, gate = host.client(), Pause()
        host.provider.enqueue(CODE, gate, "The end.")
        asked = begin(client)
        gate.wait_reached()
        url = f"/chat/c/{asked['conversation_id']}/events?cursor=0"
        german = client.get(url, headers={**SSE, "Accept-Language": "de"})
        french = client.get(url, headers={**SSE, "Accept-Language": "fr"})
        firsts = [
            next(e.data for e in events_of(r) if "cs-code" in e.data) for r in (german, french)
        ]
        gate.release()
        rests = ["".join(e.data for e in events_of(r)) for r in (german, french)]

        assert ">Kopieren</button>" in firsts[0] and 'aria-label="Erledigt"' in firsts[0]
        assert ">Copier</button>" in firsts[1] and 'aria-label="Fait"' in firsts[1]
        assert 'aria-label="Noch einmal versuchen"' in rests[0]
        assert 'aria-label="Réessayer"' in rests[1]

        stored = client.get(f"/chat/c/{asked['conversation_id']}", headers=HTML).text
        assert ">Copy</button>" in stored and 'aria-label="Done"' in stored


def test_answers_cannot_look_like_words_of_ours(tmp_path: Path) -> None:
    text = 'aria-label="Done" and data-action="copy-code">Copy</button>'

    with open_host(tmp_path, CHATSTREAM_LANGUAGE="de") as host:
        client = host.client()
        host.provider.enqueue(text)
        url = f"/chat/c/{chat(client)['conversation_id']}"

        assert "Kopieren</button>" not in client.get(url, headers=HTML).text
        assert 'aria-label="Done"' in client.get(url, headers=HTML).text


def test_a_sites_versions_of_templates_have_its_words_too(tmp_path: Path) -> None:
    own = tmp_path / "templates" / "chatstream" / "_empty.html"
    own.parent.mkdir(parents=True)
    own.write_text("{{ _('Close') }} {{ _('Bicycles for %(who)s', who='<all>') }} {{ _('50%%') }}")
    make_catalogue(tmp_path, "de", {})
    make_catalogue(tmp_path, "de", {"Bicycles for %(who)s": "Räder für %(who)s"}, "messages")

    def prepare(app: Flask) -> None:
        app.root_path, app.template_folder = str(tmp_path), str(tmp_path / "templates")
        Babel(app, locale_selector=lambda: "de")

    with open_host(tmp_path, prepare) as host:
        page = host.client().get("/chat/", headers=HTML).get_data(as_text=True)

    assert "Schließen Räder für &lt;all&gt; 50%" in page


def test_a_site_brings_a_language_of_its_own(tmp_path: Path) -> None:
    make_catalogue(
        tmp_path, "it", {"How can I help?": "Come posso aiutare?", "Chat": "Chiacchierata"}
    )

    def prepare(app: Flask) -> None:
        app.root_path = str(tmp_path)

    with open_host(tmp_path, prepare) as host:
        page = host.client().get("/chat/", headers={**HTML, "Accept-Language": "it-CH"}).text

    assert "Come posso aiutare?" in page and 'lang="it"' in page
    assert "Chiacchierata" in page and "New chat" in page


def test_titles_may_be_lazy(tmp_path: Path) -> None:
    app = Flask("host", instance_path=str(tmp_path / "instance"))
    app.config.update(TESTING=True, SECRET_KEY="for tests only")
    app.register_blueprint(ChatStream(title=lazy_gettext("Help"), provider="demo"))  # type: ignore[arg-type]
    Babel(app, locale_selector=lambda: "de")

    assert "Help" in app.test_client().get("/chat/", headers=HTML).text
    app.extensions["chatstream"].close()


def test_htmx_is_refused_in_the_language_of_the_page(tmp_path: Path) -> None:
    with open_host(tmp_path, CHATSTREAM_LANGUAGE="fr") as host:
        refused = host.client().post("/chat/c", data={"content": "", "live": "1"}, headers=HTMX)

        assert "Veuillez d’abord écrire quelque chose." in refused.text
