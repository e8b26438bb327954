"""Links and pictures as they may be shown (S05, S06): only to http, https and mailto, and pictures
of other sites as links that name their host."""

from __future__ import annotations

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from .safety import find_host, is_safe_link


def settle_links(state: StateCore) -> None:
    """Take out the links and pictures that are not allowed, keeping their words.

    A rule for the parser; pictures are shown from ``image_hosts`` in its environment.
    """
    for token in state.tokens:
        if token.children:
            token.children = _safe_links(token.children, state.env["image_hosts"])


def _safe_links(tokens: list[Token], image_hosts: frozenset[str]) -> list[Token]:
    settled: list[Token] = []
    kept: list[bool] = []

    for token in tokens:
        if token.type == "image":
            settled += _settle_image(token, image_hosts, linked=any(kept))
        elif token.type == "link_open":
            kept.append(is_safe_link(href := str(token.attrs.get("href", ""))))
            settled += [_open_link(href)] if kept[-1] else []
        elif token.type == "link_close":
            settled += _close_link(settled) if kept.pop() else []
        else:
            settled.append(token)

    return settled


def _open_link(href: str, **attrs: str) -> Token:
    return Token("link_open", "a", 1, attrs={"href": href, **attrs})


def _close_link(settled: list[Token]) -> list[Token]:
    close = Token("link_close", "a", -1)
    opening = settled[-1]

    # A link without words could be neither seen nor read out.
    if opening.type == "link_open":
        return [Token("text", "", 0, content=str(opening.attrs["href"])), close]

    return [close]


def _settle_image(token: Token, image_hosts: frozenset[str], *, linked: bool) -> list[Token]:
    source = str(token.attrs.get("src", ""))
    host = find_host(source)

    if host in image_hosts:
        return [token]

    alt = read_alt(token.children or [])
    words = f"{alt} ({host})" if alt and host else alt or host or ""
    text = Token("text", "", 0, content=words)

    if host is None or linked:
        return [text] if words else []

    return [_open_link(source, **{"class": "cs-image-link"}), text, Token("link_close", "a", -1)]


def read_alt(tokens: list[Token]) -> str:
    """The words in a picture's description, without its marks."""
    breaks = ("softbreak", "hardbreak")
    words = (
        " " if t.type in breaks else read_alt(t.children) if t.children else t.content
        for t in tokens
    )
    return "".join(words).strip()
