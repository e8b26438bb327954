"""TeX into MathML that is safe to show (S01): the converter's result is read, and only what is on a
list here is written again.

The converter knows no macros of the text's own and no links; what it does not know is shown as it
was typed.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from html.entities import html5
from xml.etree import ElementTree

from markupsafe import Markup, escape
from math_core import LatexError, LatexToMathML

#: Longer formulas are shown as typed, in code points.
MAX_TEX = 4_000
#: Openers inside each other. The converter calls itself for each, on a stack that may be small.
MAX_DEPTH = 48

_TAGS = """
math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms
mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover
"""
_ATTRIBUTES = """
accent accentunder columnspan depth display displaystyle form height largeop linethickness lspace
mathcolor mathvariant maxsize minsize movablelimits rowspan rspace scriptlevel stretchy symmetric
voffset width
"""
ALLOWED_TAGS = frozenset(_TAGS.split())
ALLOWED_ATTRIBUTES = frozenset(_ATTRIBUTES.split())
_VALUE = re.compile(r"[A-Za-z0-9#.%+-]{1,24}")
#: A site's policy forbids styles in the page: what the converter uses of them are classes of ours.
_CLASSES = {
    "border-bottom": "cs-math-below",
    "border-left": "cs-math-before",
    "border-right": "cs-math-behind",
    "border-top": "cs-math-above",
    "padding-left:0": "cs-math-joined",
    "padding-left:1em": "cs-math-apart",
    "padding-right:0": "cs-math-joining",
    "text-align:left": "cs-math-left",
    "text-align:right": "cs-math-right",
    "width:100%": "cs-math-wide",
    "width:50%": "cs-math-margin",
}
_ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)(\w+;)")
_NUMBERED = re.compile(r"\\(begin|end)\{(equation|align|gather|multline)\}")
_LABEL = re.compile(r"\\label\s*\{[^{}]*\}")
_TAG = re.compile(r"\\tag(?![A-Za-z])")
_ENVIRONMENT = re.compile(r"\\begin\{(?:equation|align|gather|multline)\*?\}")
_OWN_COMMANDS = re.compile(r"\\(?:(?:re)?new|provide|let|Declare|[a-z]?def(?![A-Za-z]))")
_STEP = re.compile(
    r"\\(?P<open>left|begin)(?![A-Za-z])|\\(?P<close>right|end)(?![A-Za-z])"
    r"|\\(?P<name>[A-Za-z]+)\s*(?P<option>\[)?|\\.|(?P<group>\{)|(?P<end>[}\]])|[^\\{}\]\s^_]+",
    re.DOTALL,
)


@lru_cache(maxsize=512)
def render_formula(tex: str, *, is_display: bool) -> Markup | None:
    """A formula as MathML Core, None where it is not one that can be shown.

    ``is_display`` sets it as a line of its own is set.
    """
    if len(tex) > MAX_TEX or _OWN_COMMANDS.search(tex) or find_depth(tex) > MAX_DEPTH:
        return None

    try:
        found = _converter().convert_with_local_state(_adapt(tex), displaystyle=is_display)
        root = ElementTree.fromstring(_ENTITY.sub(_read_entity, found))
    except (LatexError, ElementTree.ParseError):
        return None

    return Markup(_write(root)) if len(root) else None


@cache
def _converter() -> LatexToMathML:
    return LatexToMathML(fancy_error=False)


def _adapt(tex: str) -> str:
    """The formula in the converter's words; a number that would begin anew in each is left out."""
    source = _LABEL.sub("", _NUMBERED.sub(r"\\\1{\2*}", tex)).replace("{split}", "{aligned}")

    if _TAG.search(source) and not _ENVIRONMENT.search(source):
        return rf"\begin{{equation*}}{source}\end{{equation*}}"

    return source


def find_depth(tex: str) -> int:
    """How many openers stand inside each other at most.

    A command takes the next one as its argument where nothing but spaces is between them, so each
    counts.
    """
    deepest = depth = run = 0

    for step in _STEP.finditer(tex):
        kind = step.lastgroup
        run = run + 1 if kind == "name" else 0

        if kind in ("open", "group", "option"):
            depth += 1
        elif kind in ("close", "end"):
            depth -= depth > 0

        deepest = max(deepest, depth + run)

    return deepest


def _read_entity(match: re.Match[str]) -> str:
    return html5.get(match[1], "")


def _write(node: ElementTree.Element) -> str:
    inner = escape(node.text or "") + Markup("").join(
        Markup(_write(child)) + escape(child.tail or "") for child in node
    )

    if node.tag not in ALLOWED_TAGS:
        return str(inner)

    return f"<{node.tag}{_write_attributes(node)}>{inner}</{node.tag}>"


def _write_attributes(node: ElementTree.Element) -> str:
    kept = {name: node.attrib[name] for name in node.attrib if name in ALLOWED_ATTRIBUTES}
    classes = _read_style(node.get("style", ""), kept)

    if node.tag == "menclose":
        classes += [f"cs-math-{word}" for word in re.findall("[a-z]+", node.get("notation", ""))]

    if classes:
        kept["class"] = " ".join(classes)

    return "".join(
        f' {name}="{value}"'
        for name, value in kept.items()
        if name == "class" or _VALUE.fullmatch(value)
    )


def _read_style(style: str, attributes: dict[str, str]) -> list[str]:
    """The classes for a style; its colour becomes an attribute."""
    classes = []

    for part in style.split(";"):
        name, _, value = (word.strip() for word in part.partition(":"))

        if name == "color":
            attributes["mathcolor"] = value

        found = _CLASSES.get(f"{name}:{value}") or _CLASSES.get(name)
        classes += [found] if found else []

    return classes
