"""Code in colours: right, bounded, and styled by our own style sheet alone."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from pygments.lexer import Lexer

from flask_chatstream import rendering
from flask_chatstream.rendering.highlight import (
    MAX_HIGHLIGHT,
    GrowingCode,
    render_code,
    render_frame,
)
from flask_chatstream.rendering.languages import ALIASES, LANGUAGES, find_lexer
from flask_chatstream.rendering.safety import ALLOWED_CLASSES, TOKEN_CLASSES, clean
from tests.html_oracle import judge, read_text

STYLES = Path(rendering.__file__).parents[1] / "static" / "chatstream-highlight.css"


def test_every_language_has_its_lexer() -> None:
    assert [name for name in LANGUAGES | set(ALIASES) if find_lexer(name) is None] == []
    assert find_lexer("Python") is find_lexer("python")
    assert find_lexer("") is None
    assert find_lexer("nosuch") is None


def test_colouring_keeps_the_code() -> None:
    code = '# a <b> & "c"\n\tdef f(x): return \'{x}\' // 1.5 /* d */\n<a href="#">\n\n  $e = `f`;\n'

    for name in LANGUAGES:
        html = render_code(code, name)
        assert read_text(html) == code, name
        assert judge(html) == [], name
        # The sanitiser takes nothing away, so it knows every class.
        assert clean(html).count("<span class=") == html.count("<span class="), name


@pytest.mark.parametrize(
    "unit", ["\n", "a\n", "a ", "(", "/", '\\"', "\n ", "a b\n", "<", "=", "1"]
)
@pytest.mark.parametrize(
    "name", ["python", "java", "c", "typescript", "yaml", "make", "hcl", "ini"]
)
def test_code_made_to_be_slow_stays_bare(name: str, unit: str) -> None:
    code = unit * (40_000 // len(unit))
    started = time.thread_time()
    html = render_code(code, name)

    assert time.thread_time() - started < 1
    assert read_text(html) == code


def test_very_long_code_stays_bare() -> None:
    assert "<span" not in render_code("x = 1\n" * (MAX_HIGHLIGHT // 6 + 1), "python")


def test_a_lexer_that_fails_or_alters_the_code_costs_only_the_colours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: Lexer, text: str) -> object:
        raise LookupError(text)

    monkeypatch.setattr(type(find_lexer("python")), "get_tokens_unprocessed", fail)
    assert render_code("if x", "python") == "if x"

    monkeypatch.setattr(
        type(find_lexer("python")), "get_tokens_unprocessed", lambda self, text: iter(())
    )
    assert render_code("if x", "python") == "if x"


def test_growing_code_is_coloured_in_its_context() -> None:
    code = GrowingCode("python")
    lines = ['text = """', *["inside for a while"] * 60, '"""', "if x:"]
    html = code.render(lines, "    return")

    assert '<span class="cs-k">if</span>' in html
    assert '<span class="cs-k">return</span>' in html
    assert "<span" not in GrowingCode("python", room=0).render(lines, "return").split("<code>")[1]


def test_growing_code_drops_its_fence_s_indent() -> None:
    assert "<code>a\n b\nc</code>" in GrowingCode("", indent=2).render(["  a", "   b"], "c")


def test_every_class_has_a_colour_and_no_colour_is_for_nothing() -> None:
    styled = set(re.findall(r"\.(cs-\w+)", STYLES.read_text())) - {"cs-root"}

    assert styled == TOKEN_CLASSES


def test_token_classes_are_not_those_of_the_page() -> None:
    own = set().union(*ALLOWED_CLASSES.values()) - TOKEN_CLASSES
    page = set(re.findall(r"\.(cs-[\w-]+)", STYLES.with_name("chatstream.css").read_text()))

    assert not TOKEN_CLASSES & (own | page)


def test_colours_can_be_read_on_light_and_dark() -> None:
    pairs = re.findall(r"light-dark\((#\w{6}), (#\w{6})\)", STYLES.read_text())

    assert len(pairs) == 8
    assert min(_contrast(light, "#f5f5f4") for light, _ in pairs) >= 4.5
    assert min(_contrast(dark, "#242423") for _, dark in pairs) >= 4.5


def test_the_frame_names_the_language() -> None:
    assert 'data-language="js"' in render_frame("", "js")
    assert '<span class="cs-code-lang">JavaScript</span>' in render_frame("", "js")
    assert '<span class="cs-code-lang">brainf</span>' in render_frame("", "brainf")
    assert "data-language" not in render_frame("", "")


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
