"""What the demo model says: prepared Markdown, chosen by the words of the question."""

from __future__ import annotations

import re

from .demo_essay import write_essay

_NOTE = (
    "\n*I am the demo model of this site: my answers are prepared, and nothing is sent to anybody. "
    "With a provider's key set, a real model answers here.*\n"
)

_GREETING = """\
Hello! Nice to meet you. I am a **demo model**: I live inside this site and need neither a key nor \
a network.

You could ask me, for example:

- *Show me some Python code*
- *Compare SQLite and PostgreSQL*
- *How do I set up a project, step by step?*
- *Where is my order?*
- *Write a long article about lighthouses*

While I write, refresh the page: you will find all of the text so far, and the rest arriving.
"""

_THANKS = """\
You are welcome! Is there anything else that I can *pretend to know*? I am only the \
**demo model**, so my answers are prepared, but I give them gladly.
"""

_CODE = """\
Here is a small function that counts the words of a text and returns the most frequent ones:

```python
import re
from collections import Counter


def most_common_words(text: str, limit: int = 3) -> list[tuple[str, int]]:
    \"\"\"The most frequent words with their counts, the most frequent first.\"\"\"
    words = re.findall(r"[a-z']+", text.lower())

    return Counter(words).most_common(limit)


print(most_common_words("the cat and the hat and the bat"))
# [('the', 3), ('and', 2), ('cat', 1)]
```

What happens in it:

1. `re.findall` cuts the text into words and leaves the punctuation out.
2. `Counter` counts them in one pass, so the cost grows with the **length of the text** only.
3. `most_common(limit)` sorts no more than it must.

To run it, save it as `words.py` and type:

```sh
python words.py
```
"""

_COMPARISON = """\
Both are good; the question is what you need. Side by side:

| | SQLite | PostgreSQL |
|---|---|---|
| Runs as | a file in your app | a server of its own |
| Set-up | none | a user, a database, a backup plan |
| Writers at a time | one | many |
| Best for | one machine, simple sites | several machines, heavy writing |
| Full-text search | built in | built in |

**In short**

- Start with *SQLite* when one machine serves the site. It is faster than its reputation.
- Choose *PostgreSQL* when several machines write, or when others need to query the data.

> A change later is less work than it sounds, as long as the queries stay plain SQL.
"""

_STEPS = """\
Certainly. This is how it is usually done:

1. **Look at what is there.** Write down what you have and what is missing.
2. **Make a place for it.** A clean directory of its own saves trouble later:

   ```sh
   python -m venv .venv
   .venv/bin/pip install flask
   ```

3. **Take the smallest step that shows something.** One page, one button, one result.
4. **Check it.** Does it do what you wrote down in step 1?
   - If it does, go on.
   - If it does not, undo the last step; it is still small.
5. **Repeat from step 3**, and stop when it is good enough.

That is all. Tell me at which step you are, and I will say more about it.
"""

_ORDERS = """\
### Your order

I cannot look into the shop, because I am a demo model. A real answer would look like this:

| Order | Placed | Status | Expected |
|---|---|---|---:|
| 1042 | Monday | handed to the carrier | Thursday |
| 1038 | last week | delivered | - |

**Returns and refunds**

- You can send anything back within **30 days**; the label is in your account.
- A refund takes *3 to 5 working days* after the parcel has arrived with us.
- Something arrived broken? Send a photo, and a replacement leaves on the same day.

Is it about order `1042`, or about another one?
"""

_DEFAULT = """\
## A look at what I can do

Thank you for the question{about}. I cannot know the answer, but I can show how an answer looks \
here.

**Text** can be *emphasised*, ~~taken back~~, `quoted as code` or [linked](https://example.com/).

### A list

- Every word that you see was **saved first**, and shown after that.
- Refresh the page in the middle of this answer: nothing is lost, and it goes on.
- Press *Stop*, and what is written stays.

### A table

| Try this | What happens |
|---|---|
| Refresh now | the text so far, then the rest |
| Open a second tab | the same answer, live |
| Close the tab and come back | the finished answer |

### A piece of code

```python
from flask import Flask
from flask_chatstream import chatstream

app = Flask(__name__)
app.secret_key = "change me"
app.register_blueprint(chatstream)
```

> Ask me for *a long article* if you want more time to try these.
"""

_LONG = re.compile(
    r"\b(long|detailed|essay|article|story|novel|report|\d{3,} words|in depth)\b", re.IGNORECASE
)
_TOPICS = (
    (r"^\W*(hi|hello|hey|good (morning|day|afternoon|evening)|greetings)\b", _GREETING),
    (r"^\W*(thanks?|thank you|great|perfect|cool)\b", _THANKS),
    (r"\b(orders?|parcel|refund|return|deliver\w*|ship\w*|invoice|track\w*)\b", _ORDERS),
    (r"\b(compare|comparison|versus|vs|differences?|better|pros and cons|table)\b", _COMPARISON),
    (r"\b(code|python|function|script|program|regex|sql|javascript|bug)\b", _CODE),
    (r"\b(how (do|can|to|should)|steps?|guide|instructions|set up|install|plan)\b", _STEPS),
)


def write_answer(question: str) -> str:
    """The whole answer to a question; the same one every time."""

    if re.search(r"\bwrite\b|\btell\b|\bgive\b", question, re.IGNORECASE) and _LONG.search(
        question
    ):
        return write_essay(question) + _NOTE

    for pattern, answer in _TOPICS:
        if re.search(pattern, question, re.IGNORECASE):
            return answer if "demo model" in answer else answer + _NOTE

    return _DEFAULT.replace("{about}", _about(question)) + _NOTE


def _about(question: str) -> str:
    """The question's own words, as text that means nothing in Markdown."""

    words = re.findall(r"[^\W_]+", question)[:8]

    return f' about "{" ".join(words)}"' if words else ""
