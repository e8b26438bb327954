"""What is half written is shown as what it is about to be."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_chatstream.rendering import IncrementalMarkdown
from flask_chatstream.rendering.healing import hold_back
from flask_chatstream.rendering.marks import heal_inline
from tests.html_oracle import read_text


def show(text: str) -> str:
    page = IncrementalMarkdown()
    page.feed(text)
    return str(page.tail)


@pytest.mark.parametrize(
    ("text", "healed"),
    [
        ("plain", "plain"),
        ("**bo", "**bo**"),
        ("**bo*", "**bo**"),
        ("**bold**", "**bold**"),
        ("**bold** and *it", "**bold** and *it*"),
        ("**bold *both", "**bold *both***"),
        ("***both", "***both***"),
        ("***both*", "***both***"),
        ("a **", "a"),
        ("a *", "a"),
        ("a ~~gone", "a ~~gone~~"),
        ("a ~", "a"),
        ("**bold ", "**bold**"),
        ("__b", "__b__"),
        ("snake_case_na", "snake_case_na"),
        ("5 * 3 and 5*3", "5 * 3 and 5*3"),
        ("`co", "`co`"),
        ("``co`d", "``co`d``"),
        ("``co`", "``co``"),
        ("a `", "a"),
        ("**b `co", "**b `co`**"),
        ("`**` and **b", "`**` and **b**"),
        ("[text", "text"),
        ("[text]", "text"),
        ("[text](", "text"),
        ("[text](http://a.b/c", "text"),
        ('[text](http://a.b "ti', "text"),
        ("[text](http://a.b)", "[text](http://a.b)"),
        ("[text][lab", "text"),
        ("[text] more", "[text] more"),
        ("[text] (more", "[text] (more"),
        ("[**te", "**te**"),
        ("**[te", "**te**"),
        ("**[", ""),
        ("a ![pic", "a"),
        ("a ![pic](http", "a"),
        ("a ![pic](http://a.b/c) d", "a ![pic](http://a.b/c) d"),
        ("a <htt", "a"),
        ("a <b c", "a <b c"),
        ("a < b", "a < b"),
        ("a &am", "a"),
        ("a & b", "a & b"),
        ("a \\", "a"),
        ("a \\* b", "a \\* b"),
        ("\\**b", "\\**b*"),
        ("**bold] te", "**bold] te**"),
    ],
)
def test_open_marks_are_closed(text: str, healed: str) -> None:
    assert heal_inline(text) == healed


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a\n-", "a\n"),
        ("a\n- ", "a\n"),
        ("a\n12", "a\n"),
        ("a\n12. ", "a\n"),
        ("a\n##", "a\n"),
        ("a\n> ", "a\n"),
        ("a\n``", "a\n"),
        ("a\n```pyth", "a\n"),
        ("a\n==", "a\n"),
        ("| a |\n|--", "| a |\n"),
        ("- [", ""),
        ("- [x", ""),
        ("- [x] ", ""),
        ("a\n- b", "a\n- b"),
        ("a\n-\n", "a\n-\n"),
        ("a ", "a "),
    ],
)
def test_a_line_of_markers_is_held_back(text: str, rest: str) -> None:
    assert hold_back(text) == rest


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Some **bo", "<p>Some <strong>bo</strong></p>"),
        ("- a\n- **b", "<ul>\n<li>a</li>\n<li><strong>b</strong></li>\n</ul>"),
        ("# T *i", "<h1>T <em>i</em></h1>"),
        ("> q `c", "<blockquote>\n<p>q <code>c</code></p>\n</blockquote>"),
        ("**a\n\n", "<p>**a</p>"),
        ("a\n---", "<p>a</p>"),
        ("```", ""),
        ("-", ""),
        ("", ""),
    ],
)
def test_tail(text: str, html: str) -> None:
    assert show(text) == html


def test_a_table_is_one_from_its_first_cell_on() -> None:
    text = "| a | b |\n|---|:-:|\n| `c` | **d** |\n"
    shown = [show(text[:n]) for n in range(len("| a"), len(text))]

    assert all("<table>" in html and "|" not in read_text(html) for html in shown)
    assert "<table>" in show("- x\n\n  | a | b")
    assert "<table>" not in show("    | a | b")
    assert "---" not in show("- x\n\n      | grep b")


def test_a_closing_fence_is_never_seen() -> None:
    for n in range(1, 4):
        assert "`" not in read_text(show("```py\nx = 1\n" + "`" * n))

    assert "``x" in read_text(show("```\n``x"))


ANSWER = """\
## A **head**

Words in **bold with *nested* marks**, `co*de`, ~~struck~~, a [link](https://a.example/b_c "t") and
<https://b.example/x>, &amp; an ![image](https://c.example/d.png) at 3 < 4.

1. One **two**
2. Three
   - [x] done `x`
   - [ ] *open*

| Name | Value |
|------|:-----:|
| `a`  | **b** |

> Quoted **words**
"""

RAW = re.compile(r"\*|`|~~|\]\(|\[|\]|\||^#|^>|---|&\\w+;|<http|\\", re.MULTILINE)


def test_no_raw_mark_flashes_in_a_common_answer() -> None:
    page, seen = IncrementalMarkdown(), []

    for n, char in enumerate(ANSWER):
        page.feed(char)
        shown = re.sub(r"<code>.*?</code>", "", page.tail, flags=re.DOTALL)

        if RAW.search(html.unescape(re.sub(r"<[^>]*>", "", shown))):
            seen.append(ANSWER[max(0, n - 20) : n + 1])

    assert seen == []


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(("a", " ", "\n", *"*_~`[]()!<>&\\#|-1.", "**", "``", "](")), max_size=40
    )
)
def test_healing_takes_any_text_and_touches_no_sealed_block(parts: list[str]) -> None:
    watched, blind = IncrementalMarkdown(), IncrementalMarkdown()

    for part in parts:
        watched.feed(part)
        blind.feed(part)
        _ = watched.tail

    watched.close()
    blind.close()
    assert list(watched.sealed) == list(blind.sealed)
