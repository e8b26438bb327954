"""A long article about anything, for trying what happens to an answer that takes its time."""

from __future__ import annotations

import random
import re
import zlib

_WORDS_BEFORE_TOPIC = re.compile(
    r"\b(?:about|on|of|over|describing|explaining)\s+(.+)", re.IGNORECASE
)
_LENGTHS = (("very long", 19), ("long", 12), ("", 8))

_TITLES = (
    "How it began",
    "What everybody gets wrong",
    "The parts and the whole",
    "A day in practice",
    "What it costs",
    "The people behind it",
    "A small experiment",
    "Numbers worth knowing",
    "When it fails",
    "Tools of the trade",
    "What the sceptics say",
    "A view from outside",
    "The quiet details",
    "Lessons from a bad year",
    "What changed, and what did not",
    "How to start",
    "A word on patience",
    "Where it leads",
    "Open questions",
)
_OPENINGS = (
    "Nobody planned {topic} the way it turned out.",
    "There is a simple way to look at {topic}, and it is almost right.",
    "Ask ten people about {topic} and you get eleven answers.",
    "The first thing to know about {topic} is how much of it is ordinary work.",
    "It pays to look at {topic} slowly.",
    "Most of what is said about {topic} was true once.",
)
_SENTENCES = (
    "What looks like one decision is usually **a dozen small ones**, taken on different days.",
    "The old hands have a saying for this: *measure twice, and then ask somebody else*.",
    "That sounds like a detail, and for a long time it was treated as one.",
    "In practice the order matters more than the speed.",
    "The difference is small on any single day and large over a year.",
    "Nothing here is secret; it is only that few people write it down.",
    "There are exceptions, and they are worth knowing by name.",
    "A good rule is one that still holds when you are tired.",
    "Whoever has done it once does the second one in half the time.",
    "Seen from a distance the pattern is clear; from close by it is mostly noise.",
    "It is tempting to skip this part, and that is exactly why it is mentioned here.",
    "The careful version takes an hour longer and saves a week.",
    "This is where a notebook helps more than a clever tool.",
    "And yet the simplest explanation keeps coming out ahead.",
    "Some of it is luck, and it would be dishonest to leave that out.",
    "The rest follows almost by itself.",
)
_POINTS = (
    "**Start small.** The first version only has to be *true*.",
    "**Write it down** while you still remember why.",
    "**Ask early.** A question costs a minute.",
    "**Look at the edges:** empty, full, twice, never.",
    "**Leave room.** Something always comes last.",
    "**Finish.** The last tenth is the part that others see.",
)
_QUOTES = (
    "The best time to look was yesterday; the second best is before lunch.",
    "If you can explain it to a guest, you have understood it.",
    "Everything is harder on a Friday.",
)


def write_essay(question: str) -> str:
    """An article of 6 to 20 kB on the question's topic; the same one every time."""

    chance = random.Random(zlib.crc32(question.encode("utf-8", "replace")))
    topic = _topic(question)
    count = next(n for words, n in _LENGTHS if words in question.lower())
    titles = sorted(chance.sample(range(len(_TITLES)), count))
    sections = [_section(n, topic, chance) for n in titles]

    return f"# {topic[:1].upper()}{topic[1:]}\n\n{_paragraph(topic, chance)}\n" + "".join(sections)


def _topic(question: str) -> str:
    found = _WORDS_BEFORE_TOPIC.search(question)
    words = re.findall(r"[^\W_]+(?:['-][^\W_]+)*", found[1] if found else "")[:6]

    return " ".join(words) or "a thing worth knowing"


def _section(number: int, topic: str, chance: random.Random) -> str:
    paragraphs = "\n".join(_paragraph(topic, chance) for _ in range(2))
    extra = (_list, _table, _code, _quote)[number % 4](chance)

    return f"\n## {_TITLES[number]}\n\n{paragraphs}\n{extra}"


def _paragraph(topic: str, chance: random.Random) -> str:
    opening = chance.choice(_OPENINGS).replace("{topic}", topic)
    sentences = chance.sample(_SENTENCES, chance.randint(4, 6))

    return " ".join([opening, *sentences]) + "\n"


def _list(chance: random.Random) -> str:
    points = chance.sample(_POINTS, 4)

    return "".join(f"{n}. {point}\n" for n, point in enumerate(points, 1))


def _table(chance: random.Random) -> str:
    rows = "".join(
        f"| {year} | {chance.randint(20, 90)} | {chance.randint(3, 19)} % |\n"
        for year in range(2021, 2026)
    )

    return f"| Year | Attempts | Failed |\n|---|---:|---:|\n{rows}"


def _code(chance: random.Random) -> str:
    start, rate = chance.randint(100, 900), chance.randint(2, 9)

    return (
        "```python\n"
        f"value = {start}\n"
        "for year in range(1, 6):\n"
        f"    value *= 1 + {rate} / 100\n"
        '    print(f"after {year} years: {value:.2f}")\n'
        "```\n"
    )


def _quote(chance: random.Random) -> str:
    return f"> {chance.choice(_QUOTES)}\n"
