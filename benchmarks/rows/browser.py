"""What a page costs the browser that shows it: a real one, at the place of the reader."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks.bench import Bench
from benchmarks.row import Figure, Load, Lost, Row, Values
from benchmarks.systems import System

PAGE = System(
    "page", "benchmarks.servers.page", "/chat", "flask_chatstream, a model in its process"
)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
#: The longer answer is so many times the shorter one, and comes that many times as fast.
LONGER = 10
ANSWER = '.cs-message[data-role="assistant"]'
ENDED = f'{ANSWER}[data-status="completed"]'
LENGTH = f"() => document.querySelector('{ANSWER} .cs-content')?.textContent.length ?? 0"
#: What is in Markdown's source and not on the page, at most.
SHOWN = 0.6


def run(bench: Bench, load: Load) -> Values:
    """A short answer, then one that is ten times as long, each on a page of its own."""

    if CHROMIUM is None:
        bench.say("  Chromium is not here: left out")
        return {}

    short = load.tokens * 4

    with bench.running(PAGE) as (running,), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        url = f"http://127.0.0.1:{running.port}{PAGE.path}/?new=1"
        looks = {}

        for name, times in (("short", 1), ("long", LONGER)):
            bench.say(f"  {short * times:,} characters")
            page = browser.new_page(viewport={"width": 1000, "height": 800})
            page.goto(url)
            looks[name] = _watch(page, short * times, int(load.rate) * times)
            page.close()

        browser.close()

    return {
        **{f"{name}_seconds": look.seconds for name, look in looks.items()},
        **{f"{name}_kb": look.received / 1000 for name, look in looks.items()},
        "flat": looks["long"].late / max(looks["long"].early, 1e-9),
    }


@dataclass(frozen=True)
class Look:
    """Seconds of the page's main thread, bytes of the stream, and what a character costs in the
    first and the last quarter."""

    seconds: float
    received: int
    early: float
    late: float


def _watch(page: Page, size: int, rate: int) -> Look:
    session = page.context.new_cdp_session(page)
    received = [0]

    def count(event: dict[str, int]) -> None:
        received[0] += event["dataLength"]

    session.on("Network.dataReceived", count)
    session.send("Network.enable")
    session.send("Performance.enable")
    page.locator("textarea").fill(f"{size} {rate}")
    page.keyboard.press("Enter")
    page.locator(f"{ANSWER} .cs-block").first.wait_for()
    looks = [(_busy(session), page.evaluate(LENGTH))]
    while page.locator(ENDED).count() == 0:
        page.wait_for_timeout(500)
        looks.append((_busy(session), page.evaluate(LENGTH)))

    whole = page.evaluate(LENGTH)

    if whole < SHOWN * size:
        raise Lost(f"of {size} characters the page shows {whole}")

    return Look(
        seconds=looks[-1][0] - looks[0][0],
        received=received[0],
        early=_cost(looks, 0, whole / 4),
        late=_cost(looks, whole * 3 / 4, whole),
    )


def _busy(session: CDPSession) -> float:
    """Seconds for which the main thread has worked so far."""

    metrics = session.send("Performance.getMetrics")["metrics"]

    return next(float(found["value"]) for found in metrics if found["name"] == "TaskDuration")


def _cost(looks: list[tuple[float, int]], start: float, end: float) -> float:
    """Seconds for each character between two lengths."""

    among = [look for look in looks if start <= look[1] <= end]

    if len(among) < 2 or among[-1][1] == among[0][1]:
        return 0.0

    return (among[-1][0] - among[0][0]) / (among[-1][1] - among[0][1])


ROW = Row(
    "browser",
    "main thread and bytes of a page in Chromium, answers of 20 and 200 kB of Markdown",
    run,
    (
        Figure("short_seconds", "main thread for an answer of 20 kB", "s", most=2.5),
        Figure("long_seconds", "... of 200 kB, ten times as fast", "s", most=12),
        Figure("short_kb", "bytes for an answer of 20 kB", "kB", most=1_000),
        Figure("long_kb", "... of 200 kB", "kB", most=8_500),
        Figure("flat", "main thread per character, last quarter / first, 200 kB", "x", most=1.2),
    ),
    Load(rounds=2, tokens=5_000, rate=75),
    Load(rounds=1, tokens=50, rate=500),
)
