"""No beginning of any text makes HTML that runs, fetches or obeys htmx (S01 to S06, S24)."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_chatstream.rendering import IncrementalMarkdown, render_markdown
from flask_chatstream.rendering.safety import clean, find_host, is_safe_link, render_language
from tests.html_oracle import judge

VECTORS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><animate/></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img src=x onerror=alert(1)>",
    "<style>@import 'http://evil.example/x.css'</style>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<hx-get hx-get=/x hx-trigger=load>",
    "<div hx-get=/x hx-trigger=load data-hx-post=/y></div>",
    '[x](<http://a.example/"onmouseover=alert(1)>)',
    "[x](http://a.example '<hx-a onclick=alert(1) hx-get=/x hx-trigger=load x')",
    '[x](http://a.example/"hx-get="/x)',
    "[<hx-a hx-get=/x>](http://a.example)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A&#x61;vascript&colon;alert(1))",
    "[x](\\javascript:alert(1))",
    "[x](javascript://a.example/%0aalert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/x)",
    "[x](/logout)",
    "[x](http:/evil.example)",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "![x](http://evil.example/pixel.png?q=secret)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![](//evil.example/p)",
    "[![x](http://evil.example/p)](http://a.example)",
    "![<script>alert(1)</script>](http://evil.example/p)",
    "[a]\n\n[a]: javascript:alert(1)",
    "[a]\n\n[a]: http://a.example '\"><script>alert(1)</script>'",
    "```<script>alert(1)</script>\nx\n```",
    '```"onclick="alert(1)\nx\n```',
    "```python\"><img src=x onerror=alert(1)>\nprint('<hx-a>')\n```",
    "```html\n<hx-partial hx-get=/x><script>alert(1)</script>\n```",
    "``<hx-a>``",
    "    <hx-a hx-get=/x>",
    "| <img src=x onerror=alert(1)> |\n|---|\n| <hx-a> |",
    "- [x] <input onfocus=alert(1) autofocus>",
    "<!-- --><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;hx-a&#62;",
    "$$\\href{javascript:alert(1)}{x}$$",
    "<a href='x' id=y name=z style=color:red class='cs-final'>",
    "https://a.example/<script>alert(1)</script>",
    'www.a.example/"onclick=alert(1)',
    "http://a.example/`<hx-a>`",
    "\u202ehttp://a.example/\u0000<\ud800script>",
)

TEMPLATES = (
    "{}",
    "**{}",
    "> {}\n",
    "1. {}\n   ",
    "| {} |\n|---|\n",
    "# {}\n",
    "[{}](http://a.example)",
)


def _judge_prefixes(text: str) -> None:
    page = IncrementalMarkdown()
    judged = 0

    for char in text:
        page.feed(char)
        assert judge(page.tail) == [], page.tail

        for html in page.sealed[judged:]:
            assert judge(html) == [], html

        judged = len(page.sealed)

    page.close()

    for html in page.sealed:
        assert judge(html) == [], html


@pytest.mark.parametrize("vector", VECTORS)
def test_every_beginning_of_an_attack_is_harmless(vector: str) -> None:
    for template in TEMPLATES:
        _judge_prefixes(template.format(vector))


def test_whole_attacks_side_by_side_are_harmless() -> None:
    for separator in ("\n\n", "\n", " ", ""):
        assert judge(render_markdown(separator.join(VECTORS))) == []


def test_the_attacks_of_markdown_it_are_harmless(corpora: Callable[[str], Path]) -> None:
    cases = json.loads(corpora("markdown/markdown-it-fixtures.json").read_text())
    attacks = [c["markdown"] for c in cases if c["file"] in ("xss.txt", "proto.txt", "fatal.txt")]
    assert len(attacks) > 10

    for text in attacks:
        _judge_prefixes(text)


def test_naughty_strings_are_harmless(corpora: Callable[[str], Path]) -> None:
    for text in json.loads(corpora("strings/blns.json").read_text()):
        assert judge(render_markdown(text)) == [], text


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            (*VECTORS, *"<>\"'`&;:=/\\[]()!*_|#-\n\t ", "hx-", "on", "![", "](", "\n\n")
        )
        | st.text(max_size=4),
        max_size=12,
    )
)
def test_mixtures_of_attacks_are_harmless(parts: list[str]) -> None:
    page = IncrementalMarkdown()

    for part in parts:
        page.feed(part)
        assert judge(page.tail) == []

    page.close()
    assert judge("".join(page.sealed)) == []


def test_the_allow_list_stands_alone() -> None:
    """The second wall holds without the first: HTML that the parser would never let through."""

    for vector in VECTORS:
        html = clean(vector.encode("utf-8", "replace").decode().replace("\0", ""))
        assert judge(html) == [], vector

    assert clean('<div id=a class="cs-code evil" style="x" name=b title=c hx-get=d>x</div>') == (
        '<div class="cs-code">x</div>'
    )


def test_the_oracle_finds_what_it_is_for() -> None:
    for html in (
        "<script></script>",
        "<p onclick=x>a</p>",
        "<img src=http://a.example>",
        "<a href='http://a.example'>no rel</a>",
        "<a href='javascript:x' rel='noopener noreferrer nofollow'>a</a>",
        '<div class="cs-x" data-language="<hx-a>">a</div>',
        "<p>open",
        "<!-- -->",
        '<p class="btn">a</p>',
        "<svg/>",
    ):
        assert judge(html) != [], html


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("http://a.example", True),
        ("HTTPS://a.example/x?y#z", True),
        ("mailto:a@b.example", True),
        ("javascript:alert(1)", False),
        ("http:/a.example", False),
        ("http://\\a.example", False),
        ("//a.example", False),
        ("/a", False),
        ("#a", False),
        ("", False),
        (" http://a.example", False),
        ("data:text/html,x", False),
    ],
)
def test_links_that_may_be_followed(url: str, safe: bool) -> None:
    assert is_safe_link(url) is safe


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Cdn.Example/x.png", "cdn.example"),
        ("http://cdn.example:8080", "cdn.example"),
        ("https://cdn.example@evil.example/x", None),
        ("https://evil.example%5c@cdn.example/", None),
        ("https://[::1]/x", None),
        ("//cdn.example/x", None),
        ("data:image/png;base64,AA==", None),
    ],
)
def test_a_host_is_read_only_where_it_is_plain(url: str, host: str | None) -> None:
    assert find_host(url) == host


@given(st.text())
def test_a_language_is_a_short_word(info: str) -> None:
    language = render_language(info)

    assert len(language) <= 32
    assert set(language) <= set(string.ascii_letters + string.digits + "_+#.-")
