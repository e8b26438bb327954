"""Answers for the stub server: the HTML that the renderer makes, as a whole and piece by piece."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

if TYPE_CHECKING:
    from .state import Conversation, Message

CODE = '''from flask import Flask
from flask_chatstream import chatstream

app = Flask(__name__)
app.register_blueprint(chatstream)   # one line


@app.get("/")
def home() -> str:
    """The shop's front page."""
    return render_template("home.html", orders=42)
'''


def code_block(code: str = CODE, language: str = "python") -> str:
    inner = highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))

    return (
        f'<div class="cs-code" data-language="{language}"><div class="cs-code-head">'
        f'<span class="cs-code-lang">{language}</span>'
        '<button type="button" class="cs-copy-code" data-action="copy-code">Copy</button></div>'
        f"<pre><code>{inner}</code></pre></div>"
    )


TABLE = (
    '<div class="cs-table"><table><thead><tr><th>Plan</th><th>Answers kept</th>'
    '<th class="cs-right">Price</th></tr></thead><tbody>'
    '<tr><td>Starter</td><td>30 days</td><td class="cs-right">€0</td></tr>'
    '<tr><td>Team</td><td>For ever, on your own database</td><td class="cs-right">€24</td></tr>'
    '<tr><td>Company</td><td>For ever, with export</td><td class="cs-right">€180</td></tr>'
    "</tbody></table></div>"
)

BLOCKS = [
    "<p>Yes. Every part of an answer is <strong>saved before you see it</strong>, so you can close "
    "this tab and come back later. Here is the short version:</p>",
    "<h2>What happens to an answer</h2>",
    "<ol><li>Your question is stored together with an empty answer.</li><li>The model writes, and "
    "each piece is committed to the database.</li><li>The page only <em>follows</em>: after a "
    "refresh it shows all of the text so far.</li></ol>",
    "<p>In your own app it takes two lines; <code>register_blueprint</code> is the first:</p>",
    code_block(),
    TABLE,
    "<blockquote><p>Stopping keeps what was written. Nothing is paid for twice.</p></blockquote>",
    '<ul><li><input type="checkbox" disabled checked> works without JavaScript</li><li>'
    '<input type="checkbox" disabled> see the <a href="https://example.org/">documentation</a> for '
    "the rest</li></ul>",
]


def pieces(block: str, size: int = 24) -> Iterator[str]:
    """The block as it grows: a paragraph by its text, anything else whole."""

    if not block.startswith("<p>"):
        yield block
        return

    text = block.removeprefix("<p>").removesuffix("</p>")
    text = html.unescape(text.replace("<strong>", "").replace("</strong>", ""))

    for end in range(size, len(text), size):
        yield f"<p>{html.escape(text[:end])}</p>"

    yield block


def write_slowly(conversation: Conversation, answer: Message, pause: float = 0.03) -> None:
    """An answer as a model writes it."""

    time.sleep(0.4)
    done: list[str] = []

    for block in BLOCKS:
        for piece in pieces(block):
            if answer.status != "generating":
                return

            answer.show(*done)
            answer.blocks.append({"n": len(done), "html": Markup(piece), "final": False})
            conversation.version += 1
            time.sleep(pause)

        done.append(block)

    answer.show(*done)
    answer.status = "completed"
    conversation.version += 1
