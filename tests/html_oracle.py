"""An independent judge of message HTML: shares no code and no list with the package."""

from __future__ import annotations

import re
from html.parser import HTMLParser

ALLOWED = {
    "a": {"href", "rel", "target", "class"},
    "blockquote": set(),
    "br": set(),
    "button": {"type", "class", "data-action"},
    "code": {"class"},
    "div": {"class", "data-language", "tabindex"},
    **{f"h{n}": set() for n in range(1, 7)},
    "em": set(),
    "hr": set(),
    "input": {"type", "class", "disabled", "checked", "aria-label"},
    "li": {"class"},
    "ol": {"start"},
    "p": set(),
    "pre": {"tabindex"},
    "s": set(),
    "span": {"class"},
    "strong": set(),
    "table": set(),
    "tbody": set(),
    "td": {"class"},
    "th": {"class"},
    "thead": set(),
    "tr": set(),
    "ul": set(),
}
# What MathML Core has, links, actions and foreign content apart.
MATH = """
math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms
mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover
"""
MATH_ATTRIBUTES = """
accent accentunder class columnspan depth display displaystyle form height largeop linethickness
lspace mathcolor mathvariant maxsize minsize movablelimits rowspan rspace scriptlevel stretchy
symmetric voffset width
"""
ALLOWED |= {tag: set(MATH_ATTRIBUTES.split()) for tag in MATH.split()}
MATH_VALUE = re.compile(r"[A-Za-z0-9#.%+-]+")
VOID = {"br", "hr", "input"}
FIXED = {"type": {"button", "checkbox"}, "data-action": {"copy-code"}, "target": {"_blank"}}
CLASS = re.compile(r"cs-[a-z0-9-]{1,24}")
HREF = re.compile(r"(https?://|mailto:)[^\s<>\"]+", re.IGNORECASE)
REL = {"noopener", "noreferrer", "nofollow"}


class _Judge(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.findings: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raw = self.get_starttag_text() or ""

        if tag not in ALLOWED:
            self.findings.append(f"element {raw}")

        if "<" in raw[1:] or ">" in raw[:-1]:
            self.findings.append(f"raw angle bracket in an attribute: {raw}")

        for name, value in attrs:
            self._judge_attribute(tag, name, value or "", raw)

        if tag == "a" and set((dict(attrs).get("rel") or "").split()) != REL:
            self.findings.append(f"rel {raw}")

        if tag not in VOID:
            self.open.append(tag)

    def _judge_attribute(self, tag: str, name: str, value: str, raw: str) -> None:
        good = name in ALLOWED.get(tag, set())
        good &= value in FIXED.get(name, {value})
        good &= name != "href" or HREF.fullmatch(value) is not None
        good &= tag not in MATH.split() or name == "class" or bool(MATH_VALUE.fullmatch(value))
        good &= name != "class" or all(map(CLASS.fullmatch, value.split()))
        good &= (
            name != "data-language" or re.fullmatch(r"[A-Za-z0-9_+#.-]{1,32}", value) is not None
        )

        if not good:
            self.findings.append(f"attribute {name}={value!r} in {raw}")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.findings.append(f"stray end of {tag}")

    def handle_comment(self, data: str) -> None:
        self.findings.append(f"comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.findings.append(f"declaration {decl!r}")

    def handle_pi(self, data: str) -> None:
        self.findings.append(f"processing instruction {data!r}")

    def unknown_decl(self, data: str) -> None:
        self.findings.append(f"declaration {data!r}")


def judge(html: str) -> list[str]:
    """Everything in a piece of message HTML that S01 to S06 and S24 do not allow."""

    judge = _Judge()
    judge.feed(html)
    judge.close()
    findings = judge.findings + [f"not closed: {tag}" for tag in judge.open]

    if re.search(r"<\s*/?\s*hx-|\0|[\ud800-\udfff]", html, re.IGNORECASE):
        findings.append("htmx element, NUL or surrogate")

    return findings


def read_text(html: str) -> str:
    """The words of a piece of HTML."""

    words: list[str] = []
    parser = HTMLParser(convert_charrefs=True)
    parser.handle_data = words.append  # type: ignore[method-assign]
    parser.feed(html)
    parser.close()

    return "".join(words)
