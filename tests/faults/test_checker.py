"""Every check finds what it is for: a clean case is spoilt in one way at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from .checker import find_faults
from .evidence import Case, Chunk, Fresh, Stored, StoredGeneration, StoredMessage
from .exchange import Exchange
from .model import KEY, WORD, answer, question
from .page import Page
from .viewers import Ending, Piece, Sight, Words

CANARY = "adaqwertz"
TEXT = answer(CANARY, 90)
WORDS = tuple(WORD.findall(TEXT))
HELD = {"files": 9, "threads": 1, "greenlets": 3, "running": 0, "watched": 0, "pooled": 0}


def clean() -> Case:
    """An answer that one viewer of each kind has followed to its end."""

    asked = StoredMessage("q", "c", None, "user", question(CANARY, 90, 50), "completed", None)
    answered = StoredMessage("a", "c", "q", "assistant", TEXT, "completed", None)
    generation = StoredGeneration(1, "c", "a", "completed", None, "boot:1:77:5", 0)
    stored = Stored({"q": asked, "a": answered}, [generation], [], {"a"})
    running = replace(
        stored,
        generations=[replace(generation, status="running")],
        chunks=[Chunk(1, 1, 0, TEXT[:10]), Chunk(1, 2, 10, TEXT[10:30])],
    )
    stream, page = Sight(), Sight()
    stream.pieces = [Piece(0.1, "a", 0, TEXT[:10]), Piece(0.2, "a", 10, TEXT[10:])]
    stream.texts = {"a": TEXT}
    stream.endings = [Ending(0.3, "a", "completed")]
    page.pages = [Words(0.1, "a", WORDS[:4]), Words(0.2, "a", WORDS)]
    page.endings = [Ending(0.3, "a", "completed")]
    seen = Exchange("ada", "GET", "/stream", 0.0, 200, {"x-pid": "77"}, [(0.1, TEXT.encode())])
    streamed = TEXT.replace("\n", "\\n")

    return Case(
        stored,
        sights={"stream": ("ada", stream), "page": ("ada", page)},
        exchanges=[seen],
        snapshots=[running],
        prompts=[asked.text],
        canaries={"ada": CANARY, "grace": "graceasdfg"},
        secrets=[KEY],
        dump=TEXT,
        fresh=[Fresh("a", TEXT, TEXT, TEXT, streamed, WORDS)],
        before={77: HELD},
        after={77: HELD},
    )


def test_nothing_to_find() -> None:
    assert find_faults(clean()) == []


def _stored(case: Case, **values: object) -> None:
    case.stored = replace(case.stored, **values)  # type: ignore[arg-type]


def _message(case: Case, **values: object) -> None:
    changed = replace(case.stored.messages["a"], **values)  # type: ignore[arg-type]
    _stored(case, messages={**case.stored.messages, "a": changed})


def _sight(case: Case, name: str) -> Sight:
    return case.sights[name][1]


def _fresh(case: Case, **values: object) -> None:
    case.fresh = [replace(case.fresh[0], **values)]  # type: ignore[arg-type]


SPOILT: dict[str, tuple[str, Callable[[Case], object]]] = {
    "text that is not stored": ("I1", lambda c: _message(c, text=TEXT[:-1], status="error")),
    "one other letter": ("I1", lambda c: _sight(c, "stream").pieces.append(Piece(1, "a", 0, "x"))),
    "text of no message": (
        "I1",
        lambda c: _sight(c, "stream").pieces.append(Piece(1, "b", 0, "x")),
    ),
    "a page with a hole": (
        "I1",
        lambda c: _sight(c, "page").pages.insert(1, Words(0.15, "a", WORDS[:2] + WORDS[3:5])),
    ),
    "a chunk too few": (
        "I2",
        lambda c: c.snapshots.append(replace(c.snapshots[0], chunks=[Chunk(1, 2, 10, "x")])),
    ),
    "a chunk twice": (
        "I2",
        lambda c: c.snapshots.append(replace(c.stored, chunks=[Chunk(1, 1, 0, "x")] * 2)),
    ),
    "a stream with a hole": (
        "I2",
        lambda c: _sight(c, "stream").faults.append("text at 4 behind 3"),
    ),
    "no end": (
        "I3",
        lambda c: _stored(c, generations=[replace(c.stored.generations[0], status="running")]),
    ),
    "two ends for a viewer": (
        "I3",
        lambda c: _sight(c, "page").endings.append(Ending(0.4, "a", "completed")),
    ),
    "another end for a viewer": (
        "I3",
        lambda c: _sight(c, "page").endings.__setitem__(0, Ending(0.4, "a", "error")),
    ),
    "a message that knows another end": ("I3", lambda c: _message(c, status="cancelled")),
    "a stream that ended early": ("I4", lambda c: _sight(c, "stream").texts.update(a=TEXT[:9])),
    "a page that ended early": ("I4", lambda c: _sight(c, "page").pages.pop()),
    "another content": ("I4", lambda c: _fresh(c, content="")),
    "another poll": ("I4", lambda c: _fresh(c, polled=TEXT + "x")),
    "another list": ("I4", lambda c: _fresh(c, listed=TEXT[1:])),
    "another stream": ("I4", lambda c: _fresh(c, streamed="")),
    "another page": ("I4", lambda c: _fresh(c, words=WORDS[:-1])),
    "text that the model did not say": ("I4", lambda c: _message(c, text=TEXT + TEXT)),
    "still generating": ("I5", lambda c: _message(c, status="generating")),
    "a journal that is not folded": ("I5", lambda c: _stored(c, chunks=[Chunk(1, 1, 0, "x")])),
    "two calls": ("I6", lambda c: c.prompts.append(c.prompts[0])),
    "somebody else's text": (
        "I7",
        lambda c: c.exchanges.append(replace(c.exchanges[0], owner="grace")),
    ),
    "a leaked connection": ("I8", lambda c: c.after.update({77: {**HELD, "pooled": 1}})),
    "leaked files": ("I8", lambda c: c.after.update({77: {**HELD, "files": 99}})),
    "an open transaction": ("I8", lambda c: setattr(c, "idle_in_transaction", 1)),
    "the key in the database": ("I9", lambda c: setattr(c, "dump", f"x {KEY} y")),
    "a traceback in an answer": (
        "I9",
        lambda c: c.exchanges[0].pieces.append((1.0, b"Traceback (most recent call last):")),
    ),
    "the key in a header": ("I9", lambda c: c.exchanges[0].headers.update({"x-key": KEY})),
    "a viewer left behind": ("I10", lambda c: c.late.append("stream")),
}


@pytest.mark.parametrize("name", SPOILT)
def test_found(name: str) -> None:
    invariant, spoil = SPOILT[name]
    case = clean()
    spoil(case)

    assert invariant in {fault.partition(":")[0] for fault in find_faults(case)}


def test_page_is_patched_by_id() -> None:
    """What counts as shown: blocks in their order, the last version of each, without buttons."""

    page, id = Page(), "0" * 32
    article = f'<article id="cs-m{id}" data-role="assistant" data-status="{{}}" {{}}></article>'
    block = f'<div id="cs-m{id}-b{{}}"><p>{{}}</p></div>'
    page.apply(f'<main data-cursor="7">{article.format("generating", "")}</main>')
    page.apply(block.format(0, "one <b>tw") + block.format(1, "three<button>Copy</button>"))
    page.apply(block.format(0, "one <b>two</b><br>") + article.format("completed", "data-attrs"))

    assert (page.cursor, page.messages[id].text) == ("7", "one two\nthree")
    assert page.messages[id].status == "completed"
    page.apply(f'<i id="cs-m{id}" data-remove></i>')
    assert page.messages == {}
