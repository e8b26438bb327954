"""Formulas: where they begin and end, what they become, and that nothing else gets through."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_chatstream.rendering import IncrementalMarkdown, render_markdown
from flask_chatstream.rendering.mathml import MAX_DEPTH, MAX_TEX, find_depth, render_formula
from flask_chatstream.rendering.tex import find_healed
from tests.html_oracle import judge, read_text

X2 = "<msup><mi>x</mi><mn>2</mn></msup>"
BOX = f'<div class="cs-formula" tabindex="0"><math display="block">{X2}</math></div>'


@pytest.mark.parametrize(
    "text, html",
    [
        ("$$x^2$$", BOX),
        ("$$\nx^2\n$$", BOX),
        (r"\[ x^2 \]", BOX),
        ("\\[\nx^2\n\\]", BOX),
        ("  $$ x^2\n  $$", BOX),
        ("Text\n$$x^2$$\nmore", f"<p>Text</p>{BOX}<p>more</p>"),
        ("> $$x^2$$", f"<blockquote>\n{BOX}</blockquote>"),
        ("- a\n\n  $$\n  x^2\n  $$\n", f"<ul>\n<li>\n<p>a</p>\n{BOX}</li>\n</ul>"),
        (r"So \(x^2\) is", f"<p>So <math>{X2}</math> is</p>"),
        (r"**\(x^2\)**", f"<p><strong><math>{X2}</math></strong></p>"),
        (r"[\(x^2\)](http://a)", None),
    ],
)
def test_formulas(text: str, html: str | None) -> None:
    found = render_markdown(text)
    assert X2 in found and judge(found) == []
    assert html in (None, found)


@pytest.mark.parametrize(
    "text, html",
    [
        ("It costs $5 or $$$.", "<p>It costs $5 or $$$.</p>"),
        ("cheap ($$) and dear ($$$)", "<p>cheap ($$) and dear ($$$)</p>"),
        ("$$x$$ and so on", "<p>$$x$$ and so on</p>"),
        ("$$", "<p>$$</p>"),
        ("$$$$", "<p>$$$$</p>"),
        ("$$ open\nwords\n\nnext", "<p>$$ open<br>\nwords</p><p>next</p>"),
        ("$$\n# Title\n$$", "<p>$$</p><h1>Title</h1><p>$$</p>"),
        (r"\(\)", "<p>()</p>"),
        (r"\(never closed", "<p>(never closed</p>"),
        (r"\\(x\\)", r"<p>\(x\)</p>"),
        (r"`\(x\)`", r"<p><code>\(x\)</code></p>"),
        ("    $$x$$", None),
        ("```\n$$x$$\n```", None),
    ],
)
def test_what_is_no_formula(text: str, html: str | None) -> None:
    found = render_markdown(text)
    assert "<math" not in found
    assert html in (None, found)


@pytest.mark.parametrize(
    "tex",
    [
        r"\begin{aligned} a &= b + c \\ &= d \end{aligned}",
        r"\begin{align} a &= b \\ c &= d \end{align}",
        r"\begin{equation} a = b \label{eq:1} \end{equation}",
        r"\begin{equation} \begin{split} a &= b \end{split} \end{equation}",
        r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}",
        r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}",
        r"\begin{array}{|c|c|} \hline a & b \\ \hline \end{array}",
        r"E = mc^2 \tag{1}",
        r"\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}",
        r"\mathbb{E}_{x \sim p}[f(x)] \iff \operatorname*{arg\,max}_x \hat{y}",
        r"\boxed{42} \cancel{x} \color{red}{y} \textcolor{blue}{z}",
        r"\text{a < b & c}".replace("&", r"\&"),
    ],
)
def test_what_models_write_is_set(tex: str) -> None:
    found = render_formula(tex, is_display=True)
    assert found is not None and judge(found) == []
    assert " style=" not in found


@pytest.mark.parametrize(
    "tex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\unknown{x}",
        r"\frac{a",
        r"\newcommand{\a}{\a\a}\a",
        r"\def\a{x}\a",
        r"\let\a\alpha",
        "",
        " ",
        "x" * (MAX_TEX + 1),
        *(opening * 60 for opening in ("{", r"\sqrt{", "x^{", r"\left(", r"\sqrt[", r"\frac ")),
        r"\sqrt " * 3_000 + "x",
    ],
)
def test_what_cannot_be_set_is_shown_as_it_was_typed(tex: str) -> None:
    assert render_formula(tex, is_display=True) is None
    found = render_markdown(f"$$\n{tex}\n$$")
    assert "<math" not in found and judge(found) == []
    assert tex.strip() in read_text(found)


@pytest.mark.parametrize(
    "opening, closing",
    [
        ("{", "}"),
        (r"\sqrt{", "}"),
        ("x^{", "}"),
        (r"\frac{", "}{}"),
        (r"\left(", r"\right)"),
        (r"\sqrt[", "]{}"),
        (r"\begin{matrix}", r"\end{matrix}"),
        (r"\sqrt ", ""),
    ],
)
def test_a_worker_s_stack_is_deep_enough(opening: str, closing: str) -> None:
    """The converter calls itself for each opener; where the stack ends, so does the process."""

    deep = f"{opening * (MAX_DEPTH - 1)}x{closing * (MAX_DEPTH - 1)}"
    found: list[object] = []
    before = threading.stack_size(256 * 1024)

    try:
        thread = threading.Thread(
            target=lambda: found.append(render_formula(deep, is_display=True))
        )
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)

    assert len(found) == 1 and found != [None]
    assert find_depth(opening * 100 + "x" + closing * 100) >= 100


HOSTILE = st.lists(
    st.sampled_from(
        (
            *(r"\text{", r"\href{", r"\url{", r"\class{", r"\style{", r"\htmlData{", r"\unicode{"),
            *(
                "<script>",
                "</mtext>",
                "<img src=x onerror=y>",
                "]]>",
                "<!--",
                "&lt;",
                "&",
                "'",
                '"',
            ),
            *(
                "javascript:",
                "http://x",
                "}",
                "{",
                "x",
                " ",
                "^",
                "_",
                r"\color{",
                "red",
                "<hx-get",
            ),
            *(r"\begin{array}{", r"\end{array}", r"\\", r"\frac", r"\mathrm{", "\0", "\u202e", "%"),
        )
    ),
    max_size=20,
)


@settings(max_examples=400, deadline=None)
@given(HOSTILE)
def test_nothing_but_mathml_comes_of_a_formula(parts: list[str]) -> None:
    tex = "".join(parts)
    assert judge(render_markdown(f"$$\n{tex}\n$$\n\nand \\({tex}\\)")) == []


@pytest.mark.parametrize(
    "tex, healed",
    [
        (r"\frac{a", r"\frac{a}{}"),
        (r"\frac{a}{b", r"\frac{a}{b}"),
        (r"\sqrt{\frac{a", r"\sqrt{\frac{a}{}}"),
        (r"\text{in [0, 1] an", r"\text{in [0, 1] an}"),
        (r"x^", "x"),
        (r"x = \alp", "x ="),
        (r"\sqrt[3", r"\sqrt[3]{}"),
        (r"\left( a + b", r"\left( a + b\right."),
        (r"\begin{aligned} a &= b \\", r"\begin{aligned} a &= b\end{aligned}"),
        (r"a + \begin{mat", "a +"),
        (r"\begin{cases} 1 & \text{if } x", r"\begin{cases} 1 & \text{if } x\end{cases}"),
    ],
)
def test_half_a_formula_is_set_at_once(tex: str, healed: str) -> None:
    found = find_healed(tex, is_display=True)
    assert found is not None
    assert tex[: found[0]] + found[1] == healed


def test_no_raw_tex_flashes_in_a_common_answer() -> None:
    text = (
        "The roots \\(x_1, x_2\\) are\n\n"
        "\\[\nx_{1,2} = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}\n\\]\n\n"
        "so \\(\\left| x_1 \\right| \\leq \\max\\{1, c\\}\\), and\n\n$$\n\\begin{aligned}\n"
        "\\sum_{i=1}^{n} i &= \\frac{n(n+1)}{2} \\\\\n"
        "&\\approx \\tfrac{1}{2} n^2\n\\end{aligned}\n$$\n"
    )
    page = IncrementalMarkdown()

    for character in text:
        page.feed(character)
        words = re.sub("<math.*?</math>", "", page.tail)
        assert not re.search(r"[\\{}$]|cs-tex", words), words

    page.close()
    assert "".join(page.sealed) == render_markdown(text)
