"""The chat with a model in the process that writes Markdown: ``<characters> <tokens a second>`` is
a question, and so many at that pace are its answer."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

from collections.abc import Iterator

from flask import Flask
from gevent.pywsgi import WSGIServer

from flask_chatstream import ChatStream
from flask_chatstream.events import Event, Finished, TextDelta
from flask_chatstream.providers import Cancellation, ChatRequest
from flask_chatstream.pywsgi import WSGIHandler

from .site import parse

TOKEN = 4
#: What models write: a heading, a list, code, a table, and text with marks in it.
PART = """## Part {number}

A model writes **what it thinks** in paragraphs of *some length*, with `names` and
[addresses](https://example.org/{number}) in them, so that each new line is set in a form of its
own; then it goes on.

1. **First**, look at what is there, and write down what is missing.
2. **Then** make a place for it:

   ```bash
   python -m venv .venv && .venv/bin/pip install flask
   ```

```python
def part_{number}(values: list[int]) -> int:
    return sum(value * {number} for value in values if value % 2)  # a comment
```

| what | how much | where |
|---|---:|---|
| first | {number} | here |
| second | 12 | there |

"""


class Author:
    """Writes Markdown at the pace that it is asked for."""

    name = "author"

    def stream(self, request: ChatRequest, cancellation: Cancellation) -> Iterator[Event]:
        """So many characters, in tokens."""

        size, rate = map(int, request.messages[-1].content.split())
        parts = range(size // len(PART) + 2)
        text = "".join(PART.replace("{number}", str(n)) for n in parts)[:size]

        for start in range(0, size, TOKEN):
            yield TextDelta(text[start : start + TOKEN])
            cancellation.wait(1 / rate)
            cancellation.raise_if_cancelled()

        yield Finished("stop")


def main() -> None:
    """Serve until the process is ended."""

    arguments = parse(__doc__).parse_args()
    app = Flask(__name__, instance_path=arguments.folder)
    limits = {"CHATSTREAM_MAX_ANSWER_CHARS": 10_000_000, "CHATSTREAM_AUTO_UPGRADE": True}
    app.config.update(SECRET_KEY="bench", **limits)
    chatstream = ChatStream(provider=Author())
    chatstream.owner_loader(lambda: "bench")
    app.register_blueprint(chatstream)
    address = ("127.0.0.1", arguments.port)
    WSGIServer(address, app, log=None, handler_class=WSGIHandler).serve_forever()


if __name__ == "__main__":
    main()
