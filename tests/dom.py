"""A page as a browser without our script has it, and the live page that fragments make of it.

`Dom` is read from HTML. `Dom.apply` does with a stream's fragments what the script does, `Dom.swap`
with a poll's what htmx does. `Dom.messages` is what both must end with.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple

VOID = {"br", "hr", "img", "input", "link", "meta", "path", "rect", "use", "circle"}


class Node:
    """An element; its children are elements and text."""

    def __init__(self, tag: str, attributes: dict[str, str | None]):
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node | str] = []
        self.parent: Node | None = None

    @property
    def id(self) -> str | None:
        """Its id."""

        return self.attributes.get("id")

    def add(self, child: Node | str) -> None:
        """Append a child."""

        if isinstance(child, Node):
            child.remove()
            child.parent = self

        self.children.append(child)

    def remove(self) -> None:
        """Take it out of its parent."""

        if self.parent is not None:
            self.parent.children.remove(self)
            self.parent = None

    def replace(self, other: Node) -> None:
        """Put another in its place."""

        assert self.parent is not None
        other.remove()
        siblings = self.parent.children
        siblings[siblings.index(self)] = other
        other.parent, self.parent = self.parent, None

    def walk(self) -> Iterator[Node]:
        """Itself and all elements below."""

        yield self

        for child in list(self.children):
            if isinstance(child, Node):
                yield from child.walk()

    def elements(self) -> list[Node]:
        """The child elements."""

        return [child for child in self.children if isinstance(child, Node)]

    def text(self) -> str:
        """All of its text."""

        return "".join(c.text() if isinstance(c, Node) else c for c in self.children)

    def html(self) -> str:
        """Its inner HTML in one spelling."""

        return "".join(_spell(child) for child in self.children)


class Shown(NamedTuple):
    """A message on the page: what the reader sees of it."""

    id: str
    role: str
    status: str
    blocks: tuple[tuple[str, bool, str], ...]
    foot: str


class Dom:
    """A page."""

    def __init__(self, html: str):
        self.root = parse(html)

    def find(self, id: str) -> Node | None:
        """The element of an id."""

        return next((node for node in self.root.walk() if node.id == id), None)

    def messages(self) -> list[Shown]:
        """The messages in the order of the page."""

        return [_shown(node) for node in self.root.walk() if node.tag == "article"]

    def apply(self, fragments: str) -> None:
        """Upsert the fragments of a stream or poll of our script."""

        for node in parse(fragments).elements():
            assert node.id and ("data-into" in node.attributes or "data-remove" in node.attributes)
            self._upsert(node, self.find(node.id))

    def _upsert(self, node: Node, known: Node | None) -> None:
        if "data-remove" in node.attributes:
            if known is not None:
                known.remove()
        elif "data-attrs" in node.attributes:
            assert known is not None
            known.attributes = {k: v for k, v in node.attributes.items() if k != "data-attrs"}
        elif known is not None and not (_is_final(known) and _is_open(node)):
            known.replace(node)
        elif known is None:
            into = self.find(node.attributes["data-into"] or "")
            assert into is not None, f"nowhere to put {node.id}"
            into.add(node)

    def swap(self, fragments: str, target: str) -> None:
        """Do with an answer to htmx what htmx does with ``hx-swap="outerHTML"``."""

        (own,) = self.swap_oob(fragments)
        known = self.find(target)
        assert known is not None
        known.replace(own)

    def swap_oob(self, fragments: str) -> list[Node]:
        """Do what the ``hx-swap-oob`` of an answer to htmx say; the rest of it."""

        found = parse(fragments)

        for node in list(found.walk()):
            swap = node.attributes.pop("hx-swap-oob", None)

            if swap == "outerHTML":
                known = self.find(node.id or "")
                assert known is not None, f"nothing to swap {node.id} for"
                known.replace(node)
            elif swap is not None:
                into = self.find(swap.removeprefix("beforeend:#"))
                assert into is not None
                node.remove()

                for child in list(node.elements()):
                    into.add(child)

        return found.elements()


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.at = Node("", {})

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attributes))
        self.at.add(node)

        if tag not in VOID:
            self.at = node

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.at.add(Node(tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return

        assert self.at.tag == tag and self.at.parent is not None, f"</{tag}> in <{self.at.tag}>"
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.add(data)


def parse(html: str) -> Node:
    """The elements of a piece of HTML; every element must be closed."""

    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert parser.at is parser.root, f"<{parser.at.tag}> is not closed"

    return parser.root


def _is_final(node: Node) -> bool:
    return "cs-final" in (node.attributes.get("class") or "").split()


def _is_open(node: Node) -> bool:
    """Whether it is a block of an answer that may still change."""

    return "cs-block" in (node.attributes.get("class") or "").split() and not _is_final(node)


def _shown(article: Node) -> Shown:
    body, foot = (
        next(node for node in article.walk() if (node.id or "").endswith(end))
        for end in ("-body", "-foot")
    )
    blocks = tuple((block.id or "", _is_final(block), block.html()) for block in body.elements())
    attributes = article.attributes

    return Shown(
        attributes["data-message-id"] or "",
        attributes["data-role"] or "",
        attributes["data-status"] or "",
        blocks,
        " ".join(foot.text().split()),
    )


def _spell(child: Node | str) -> str:
    if isinstance(child, str):
        return child.replace("&", "&amp;").replace("<", "&lt;")

    attributes = "".join(f' {name}="{value}"' for name, value in sorted(child.attributes.items()))

    return f"<{child.tag}{attributes}>{child.html()}</{child.tag}>"
