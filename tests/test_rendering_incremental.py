"""A text in pieces becomes what it becomes as a whole, and never twice the work."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flask_chatstream.rendering import (
    RENDERER_VERSION,
    IncrementalMarkdown,
    budget,
    cutting,
    render_markdown,
    sealing,
)
from flask_chatstream.rendering.lines import normalize
from flask_chatstream.rendering.markdown import References, parse_blocks, render_tokens
from flask_chatstream.rendering.units import split_units
from tests.html_oracle import judge, read_text

CORPORA = (
    "commonmark-spec",
    "gfm-spec",
    "gfm-extensions",
    "gfm-regression",
    "markdown-it-fixtures",
    "markdown-it-py-fixtures",
)

SOUP = st.lists(
    st.sampled_from(
        (
            *("\n", "\n\n", " ", "    ", "\t", "\r\n", "\r", "\0", "a", "word ", "Text", "é", "1"),
            *("- ", "* ", "+ ", "-", "1. ", "2) ", "> ", "#", "# ", "```", "```py\n", "~~~", "---"),
            *(
                "===",
                "- - -",
                "|",
                "| a | b |",
                "|---|---|",
                "`",
                "*",
                "**",
                "_",
                "~~",
                "\\",
                "<b>",
            ),
            *(
                "[a]",
                "[a]: http://x\n",
                "[b]: <y> 'ti",
                "'",
                "(",
                "[x](http://y)",
                "![i](http://z/p)",
            ),
            *("$$", "$$x^2$$\n", "\\[", "\\]", "\\(", "\\)", "\\frac{a}", "^{", "}", "$"),
            *("- [ ] ", "- [x] t", "http://q.r", "\u201cq\u201d", "&amp;", "<hx-a>", "   ```\n"),
        )
    ),
    max_size=30,
)


def read_examples(corpora: Callable[[str], Path]) -> list[str]:
    files = [corpora(f"markdown/{name}.json") for name in CORPORA]
    return [case["markdown"] for file in files for case in json.loads(file.read_text())]


def feed(pieces: Iterable[str]) -> IncrementalMarkdown:
    page = IncrementalMarkdown()

    for piece in pieces:
        page.feed(piece)

    return page


def finish(pieces: Iterable[str]) -> list[str]:
    page = feed(pieces)
    page.close()
    assert page.tail == ""
    assert page.tail_index == len(page.sealed)
    return list(page.sealed)


def render_without_cutting(text: str) -> str:
    """The whole text parsed at once: what the cutter must come to, limits apart."""

    source = normalize(text)
    tokens, definitions = parse_blocks(source if source.endswith("\n") else f"{source}\n")
    blocks = [unit for unit in split_units(tokens) if not unit.is_definition]
    return "".join(render_tokens(block.tokens, References(definitions)) for block in blocks)


def check_every_step(pieces: list[str]) -> None:
    """Sealed blocks only grow or are announced as amended; a late reader sees the same."""

    page, seen, log = IncrementalMarkdown(), [], 0

    for n, piece in enumerate(pieces):
        page.feed(piece)
        sealed, amended = list(page.sealed), list(page.amended)
        changed = {k for k, html in enumerate(seen) if html != sealed[k]}
        assert changed <= set(amended[log:])
        assert judge(page.tail) == []

        late = feed(["".join(pieces[: n + 1])])
        assert (list(late.sealed), list(late.amended), late.tail) == (sealed, amended, page.tail)
        seen, log = sealed, len(amended)


def test_examples_char_by_char_end_as_the_whole(corpora: Callable[[str], Path]) -> None:
    for text in read_examples(corpora):
        whole = render_markdown(text)
        assert "".join(finish(text)) == whole
        assert whole == render_without_cutting(text)


def test_examples_at_every_cut(corpora: Callable[[str], Path]) -> None:
    examples = [text for text in read_examples(corpora) if len(text) < 200]

    for text in random.sample(examples, 120):
        check_every_step(list(text))


@settings(max_examples=300, deadline=None)
@given(SOUP, st.integers(1, 9))
@example(["[b]: <y> 'ti", "\n", "word ", "\n", "t'\n\n", "Text"], 1)
@example(["- a\n", "   ```\n", "# ", "Text\n", "   ```\n"], 2)
def test_mixtures_end_as_the_whole(parts: list[str], size: int) -> None:
    text = "".join(parts)
    pieces = [text[n : n + size] for n in range(0, len(text), size)]

    assert "".join(finish(pieces)) == render_markdown(text) == render_without_cutting(text)


@settings(max_examples=60, deadline=None)
@given(SOUP)
def test_mixtures_at_every_step(parts: list[str]) -> None:
    check_every_step(parts)


@settings(max_examples=200, deadline=None)
@given(SOUP, st.integers(1, 9))
def test_mixtures_past_every_limit_end_as_the_whole(parts: list[str], size: int) -> None:
    text = "".join(parts) * 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "BLOCK_LIMIT", 600)
        patch.setattr(budget, "TEXT_LIMIT", 1000)
        patch.setattr(budget, "TEXT_MOST", 2500)
        patch.setattr(cutting, "MAX_WEIGHT", 200)
        patch.setattr(cutting, "PLAIN_BLOCK", 20)
        pieces = [text[n : n + size] for n in range(0, len(text), size)]
        assert "".join(finish(pieces)) == render_markdown(text)


def test_blocks_are_sealed_as_soon_as_they_are_sure() -> None:
    page = IncrementalMarkdown()
    steps = [
        ("# Ti", 0),
        ("tle\n", 1),
        ("\nSome **bo", 1),
        ("ld** text\n", 1),
        ("\n", 1),
        ("N", 2),
        ("ext\n```py\n", 3),
        ("x = 1\n\n# no heading\n", 3),
        ("```\n", 4),
        ("- a\n- b\n\n  c\n\n", 4),
        ("**D", 5),
    ]

    for piece, count in steps:
        page.feed(piece)
        assert len(page.sealed) == count, piece
        assert page.tail_index == count

    assert page.tail == "<p><strong>D</strong></p>"


def test_a_late_definition_amends_and_says_so() -> None:
    page = feed(["See [a].\n\nOther.\n\nAnd [a] [b].\n\n"])
    page.feed("[a]: http://a.example\n\nNext")

    assert list(page.amended) == [0, 2]
    assert 'href="http://a.example"' in page.sealed[0]
    assert "[b]" in page.sealed[2]

    page.feed("\n\n[B]: http://b.example\n\n[a]: http://other.example\n\nEnd")
    assert list(page.amended) == [0, 2, 2]
    assert 'href="http://b.example"' in page.sealed[2]
    assert "other.example" not in "".join(page.sealed)


def test_amending_is_bounded_and_made_good_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [f"l{n}" for n in range(60)]
    uses = " ".join(f"[{label}]" for label in labels)
    definitions = "".join(f"[{label}]: http://{label}.example\n\n" for label in labels)
    text = f"{uses}\n\n{definitions}End"
    rendered = 0
    render_block = sealing.render_block

    def count(*args: object) -> object:
        nonlocal rendered
        rendered += 1
        return render_block(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sealing, "render_block", count)
    page = feed(text)
    page.close()

    assert "".join(page.sealed) == render_markdown(text)
    assert rendered < 10


def test_nothing_is_rendered_before_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "render_block", pytest.fail)
    page = feed(["a\n\n", "b\n\n"] * 300)

    monkeypatch.undo()
    assert len(page.sealed) == 599


@pytest.mark.parametrize(
    "unit",
    [
        "Some **words** in a paragraph.\n\n",
        "- an item of one list\n",
        "1. item\n   more of it\n\n",
        "| a | b |\n",
        "> quoted\n",
        "a paragraph's line\n",
        "```py\nx = 1\n```\n",
        "- a\n   ```\n# heading\n",
        "[a]: http://x\n",
    ],
)
def test_the_work_is_linear(unit: str) -> None:
    """Lines parsed, not seconds: four times the text is about four times the lines."""

    def count(times: int) -> int:
        cutter = cutting.Cutter()

        for _ in range(times):
            cutter.feed(unit)

        cutter.close()
        return cutter.parsed_lines

    assert count(1200) <= 4.8 * count(300)


def test_an_open_fence_is_neither_parsed_nor_lexed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from flask_chatstream.rendering import highlight

    lexed = 0
    lex = highlight._lex

    def count(code: str, lexer: object) -> object:
        nonlocal lexed
        lexed += len(code)
        return lex(code, lexer)  # type: ignore[arg-type]

    monkeypatch.setattr(highlight, "_lex", count)
    page = feed(["```python\n"])

    for n in range(800):
        page.feed(f"value_{n} = compute({n})\n")

        if n % 4 == 0:
            assert f"value_{n}" in page.tail

    assert page._cutter.parsed_lines == 0
    assert lexed < 800 / 4 * (2 * highlight.GROUP + highlight.CONTEXT)


@pytest.mark.parametrize("language", ["python", "html", "nosuch", ""])
def test_an_open_fence_shows_all_of_its_code(language: str) -> None:
    code = "".join(f'  def f{n}(): return "<b>" # {n}\n' for n in range(300)) + "x" * 9000
    page = IncrementalMarkdown()
    page.feed(f"```{language}\n")

    for n in range(0, len(code), 700):
        page.feed(code[n : n + 700])
        assert judge(page.tail) == []

    assert read_text(page.tail.partition("<pre")[2].partition("<code>")[2]) == code
    late = feed([f"```{language}\n{code}"])
    assert late.tail == page.tail


@pytest.mark.parametrize(
    "text, html",
    [
        ("One\n\nSo **I am", "<p>One</p><p>So <strong>I am</strong></p>"),
        ("# Title\n\n- a\n- `b", "<h1>Title</h1><ul>\n<li>a</li>\n<li><code>b</code></li>\n</ul>"),
        ("See [this](http://exa", "<p>See this</p>"),
        ("Done.\n\n##", "<p>Done.</p>"),
        ("Done.", "<p>Done.</p>"),
        ("", ""),
    ],
)
def test_a_text_that_broke_off_ends_as_it_was_shown(text: str, html: str) -> None:
    page = feed(text)
    shown = "".join([*page.sealed, page.tail])
    page.close(is_whole=False)
    assert "".join(page.sealed) == shown == html
    assert page.tail == "" and page.tail_index == len(page.sealed)


@settings(max_examples=100, deadline=None)
@given(SOUP)
def test_mixtures_that_break_off_end_as_they_were_shown(parts: list[str]) -> None:
    page, late = feed(parts), feed(["".join(parts)])
    is_shown, shown = page.tail != "", "".join([*page.sealed, page.tail])
    page.close(is_whole=False)
    late.close(is_whole=False)
    assert list(page.sealed) == list(late.sealed)
    assert page.amended or not is_shown or "".join(page.sealed) == shown


def test_after_the_end_nothing_more_is_taken() -> None:
    page = feed(["a"])
    page.close()
    page.close()

    assert list(page.sealed) == ["<p>a</p>"]

    with pytest.raises(ValueError, match="closed"):
        page.feed("b")


def test_line_ends_may_be_cut_anywhere() -> None:
    text = "a\r\n\r\nb\rc\r\n\r\n```\r\nd\r\n```\r\n"

    assert finish(text) == finish([text]) == finish([text.replace("\r\n", "\n")])


def test_the_version_is_a_number_to_store() -> None:
    assert isinstance(RENDERER_VERSION, int)
