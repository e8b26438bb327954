"""What may stand in a message's HTML, and nothing else (S01 to S06, S24).

The Markdown parser never passes on HTML that a model wrote, so the allow-list here is the second
wall: each finished block goes through it as a whole, never a piece of one (S02).
"""

from __future__ import annotations

import re
from functools import cache

from markupsafe import Markup, escape
from nh3 import Cleaner

_TOKENS = """
bp c c1 ch cm cp cpf cs dl err esc fm ge gd gh gi go gp gr gs gt gu il k kc kd kn kp kr kt l ld m mb
mf mh mi mo na nb nc nd ne nf ni nl nn no nt nv o ow py s s1 s2 sa sb sc sd se sh si sr ss sx vc vg
vi vm
"""

_TAGS = """
a blockquote br button code del div em h1 h2 h3 h4 h5 h6 hr input li ol p pre s span strong table
tbody td th thead tr ul
"""

#: The classes of Pygments tokens, prefixed so that no style sheet of a host hits them.
TOKEN_CLASSES = frozenset(f"cs-{name}" for name in _TOKENS.split())

ALLOWED_CLASSES = {
    "a": {"cs-image-link"},
    "button": {"cs-copy-code"},
    "div": {"cs-code", "cs-code-head", "cs-table"},
    "img": {"cs-image"},
    "input": {"cs-task-box"},
    "li": {"cs-task"},
    "span": {"cs-code-lang", "cs-formula", *TOKEN_CLASSES},
    "td": {"cs-left", "cs-center", "cs-right"},
    "th": {"cs-left", "cs-center", "cs-right"},
}

ALLOWED_TAGS = frozenset(_TAGS.split())

ALLOWED_ATTRIBUTES: dict[str, set[str]] = {
    # Without this, the sanitiser adds its own: lang and title on everything.
    "*": set(),
    "a": {"href"},
    "div": {"data-language"},
    "img": {"src", "alt"},
    "input": {"checked", "disabled"},
    "ol": {"start"},
}

FIXED_VALUES = {
    "button": {"type": {"button"}, "data-action": {"copy-code"}},
    "div": {"tabindex": {"0"}},
    "img": {"loading": {"lazy"}, "referrerpolicy": {"no-referrer"}},
    "input": {"type": {"checkbox"}, "aria-label": {"Done", "To do"}},
    "pre": {"tabindex": {"0"}},
}

URL_SCHEMES = frozenset({"http", "https", "mailto"})

_LINK = re.compile(r"https?://[^\s/?#\\]|mailto:[^\s/?#\\]", re.IGNORECASE)
_HOST = re.compile(r"https?://([a-z0-9.-]+)(?::\d+)?(?=[/?#]|$)", re.IGNORECASE)
_NOT_IN_LANGUAGE = re.compile(r"[^A-Za-z0-9_+#.-]")


@cache
def _cleaner(images: bool) -> Cleaner:
    return Cleaner(
        tags=ALLOWED_TAGS | {"img"} if images else ALLOWED_TAGS,
        attributes=ALLOWED_ATTRIBUTES,
        tag_attribute_values=FIXED_VALUES,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        allowed_classes=ALLOWED_CLASSES,
        link_rel="noopener noreferrer nofollow",
        url_schemes=URL_SCHEMES,
        url_relative="deny",
    )


def clean(html: str, *, images: bool = False) -> Markup:
    """The HTML of one whole block, with everything that is not allowed taken out.

    ``images`` lets pictures through; their hosts are checked where they are made.
    """
    return Markup(_cleaner(images).clean(html.replace("\r", "\n")))


def plain(text: str) -> Markup:
    """The text as it was typed, in one paragraph: what is shown when Markdown costs too much."""
    lines = escape(text.strip("\n")).replace("\n", Markup("<br>\n"))
    return Markup("<p>{}</p>").format(lines) if lines.strip() else Markup("")


def is_safe_link(url: str) -> bool:
    """True for absolute http, https and mailto addresses (S06)."""
    return _LINK.match(url) is not None


def find_host(url: str) -> str | None:
    """The lower-case host of a plain http address; None when there is none or it is disguised."""
    match = _HOST.match(url)
    return match[1].lower() if match else None


def render_language(info: str) -> str:
    """The language in a fence's info string, cut down to what an attribute may hold."""
    words = info.split(maxsplit=1)
    return _NOT_IN_LANGUAGE.sub("", words[0])[:32] if words else ""
