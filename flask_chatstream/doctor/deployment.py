"""The running site, asked over its public address."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from .address import PATH, Address, Broken, Sight
from .clock import judge_skew
from .facts import Facts
from .finding import Finding, failure, ok, skipped, warning
from .permit import SECONDS
from .servers import check_server
from .streaming import is_held, judge_headers, judge_pieces, judge_protocol

#: Of the stream that is timed.
PIECES = 6
#: How often, and how many at once, it is asked for other workers.
ASKS, AT_ONCE = 16, 4
#: What may be wrong, by the status of an answer that is none.
STATUSES = {
    401: "Something asks for a login before the chat is reached: let the path through.",
    403: "Something refuses the request before the chat is reached: let the path through.",
    404: "Is {url} where the chat is registered (its url_prefix)? Do the workers have this "
    f"release, the same SECRET_KEY, and a clock within {SECONDS} s of this machine's?",
    429: "A rate limit stands before the chat: wait, or let the path through.",
    502: "The proxy does not reach the workers.",
    503: "The workers take no requests: see the site's log.",
    504: "The proxy does not reach the workers.",
}


class Deployment:
    """A deployment; ``fingerprint`` is what its workers should have."""

    def __init__(self, address: Address, fingerprint: str):
        self._address = address
        self._fingerprint = fingerprint
        self.sight: Sight | None = None

    def check_address(self) -> Iterator[Finding]:
        """Whether the chat answers there, under the name by which browsers know it."""

        url = self._address.url

        if not _is_address(url):
            yield failure(f"{url!r} is no address.", "Give one like https://site.example/chat.")
            return

        try:
            sight = self._timed()
        except Broken as error:
            yield failure(
                f"{url} does not answer: {error}.",
                "Is the site running, and does this machine reach it by this address?",
            )
            return

        if sight.facts is None:
            yield _explain(sight, url)
            return

        self.sight = sight
        yield ok(f"The chat answers at {url}.")
        yield from compare(url, sight.facts.url)

    def _timed(self) -> Sight:
        """A stream; a second one where the first looks held, as a busy machine may do that."""

        sight = self._address.ask(PIECES)

        if len(sight.pieces) > 1 and is_held(sight.pieces):
            sight = self._address.ask(PIECES)

        return sight

    def check_stream(self) -> Iterator[Finding]:
        """Whether a stream comes through, and by which HTTP."""

        assert self.sight is not None and self.sight.facts is not None

        if len(self.sight.pieces) > 1:
            yield from judge_pieces(self.sight.pieces, self.sight.headers)
        elif self.sight.facts.seats == 0:
            yield skipped("The server streams to nobody.")
        else:
            yield warning("All streams of the worker were taken.", "Ask again in a quiet moment.")

        yield from judge_headers(self.sight.headers)
        protocol = self._address.find_protocol()
        yield judge_protocol(protocol, is_encrypted=self._address.is_encrypted)

    def check_server(self, database: str) -> Iterator[Finding]:
        """Which row of the table it is; ``database`` is the column."""

        assert self.sight is not None and self.sight.facts is not None
        yield from check_server(self.sight.facts, database)

    def check_workers(self, database: str) -> Iterator[Finding]:
        """Whether the workers that can be found agree with each other and with this command."""

        assert self.sight is not None and self.sight.facts is not None
        found = {self.sight.facts.worker: self.sight.facts}
        skews = []

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for seen in pool.map(self._find, range(ASKS)):
                if seen is not None:
                    found[seen[0].worker] = seen[0]
                    skews.append(seen[1])

        yield from judge_workers(list(found.values()), self._fingerprint, database)

        if skews:
            yield judge_skew("The workers'", max(skews, key=abs), "this machine's")

    def _find(self, number: int) -> tuple[Facts, float] | None:
        """A worker, and how far its clock is ahead of ours."""

        before = time.time()

        try:
            facts = self._address.ask(0).facts
        except Broken:
            return None

        return None if facts is None else (facts, facts.now - (before + time.time()) / 2)


def judge_workers(workers: list[Facts], fingerprint: str, database: str) -> Iterator[Finding]:
    """Workers of one site; ``fingerprint`` is what they should have."""

    releases = sorted({facts.version for facts in workers})
    count = "One worker" if len(workers) == 1 else f"{len(workers)} workers"

    if len(releases) > 1:
        yield warning(f"{count} run releases {' and '.join(releases)}.", "Restart all of them.")
    else:
        yield ok(f"{count} answered, with release {releases[0]}.")

    if database == "in memory" and len(workers) > 1:
        yield failure(
            "Each worker has chats of its own, which the others do not find.",
            "Give the chat a database that stays: CHATSTREAM_DATABASE_URI.",
        )

    yield from _compare_settings({facts.fingerprint for facts in workers}, fingerprint)
    yield from _judge_background(workers)


def _compare_settings(known: set[str], fingerprint: str) -> Iterator[Finding]:
    if len(known) > 1:
        yield failure(
            "Workers have different settings or databases.",
            "Give all of them the same environment, and restart them.",
        )
    elif known != {fingerprint}:
        yield warning(
            "The workers have other settings, or another database, than this command, which has "
            "looked at its own.",
            "Run it with the workers' environment and instance folder.",
        )


def _judge_background(workers: list[Facts]) -> Iterator[Finding]:
    """What the workers do beside their requests; one without a chat request does nothing yet."""

    busy = [facts for facts in workers if facts.is_kept_up]

    if not busy:
        yield skipped("None of them has had a chat request yet, which begins its background work.")
        return

    yield ok(f"The background work runs in {len(busy)} of {len(workers)}.")

    if any(facts.is_woken is False for facts in busy):
        yield warning(
            "Wake-ups do not arrive at a worker.", "See the check of wake-ups, and the site's log."
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False

    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _explain(sight: Sight, url: str) -> Finding:
    if 300 <= sight.status < 400:
        return failure(
            f"{url} leads elsewhere: {sight.headers.get('location')}.",
            "Give the address that it leads to, unless that is a login: then let the path through.",
        )

    if sight.status == 200:
        return failure(
            f"What answers at {url}{PATH} is not this release of the chat.",
            "Is it the chat's address, and do the workers have the release of this command?",
        )

    help = STATUSES.get(sight.status, "See the site's log.").format(url=url)

    return failure(f"{url}{PATH} answers {sight.status}.", help)


def compare(given: str, seen: str) -> Iterator[Finding]:
    """The address that browsers use against the one that the app takes to be its own."""

    given_parts, seen_parts = urlsplit(given), urlsplit(seen)

    if _host(given_parts.netloc, given_parts.scheme) != _host(seen_parts.netloc, seen_parts.scheme):
        yield failure(
            f"The app takes its host for {seen_parts.netloc}: questions of older browsers are "
            "refused as another site's.",
            "Have the proxy pass Host on as it came: `proxy_set_header Host $http_host`.",
        )

    if given_parts.scheme != seen_parts.scheme:
        yield warning(
            f"The app takes itself for {seen_parts.scheme}: the anonymous cookie is not `Secure`.",
            "Pass X-Forwarded-Proto on, and put ProxyFix(x_proto=1) around the app.",
        )

    if given_parts.path.rstrip("/") != seen_parts.path.rstrip("/"):
        yield failure(
            f"The app takes the chat to be at {seen_parts.path}: its links lead there.",
            "Pass X-Forwarded-Prefix on, and put ProxyFix(x_prefix=1) around the app.",
        )


def _host(netloc: str, scheme: str) -> str:
    """Without the port that goes without saying."""

    return netloc.removesuffix(":443" if scheme == "https" else ":80").lower()
