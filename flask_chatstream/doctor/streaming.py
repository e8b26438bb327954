"""Whether an event stream comes through as it is sent, and by which HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .finding import Finding, failure, ok, warning

#: Of the time between the first piece and the last, what must be left at the other end. A busy
#: machine holds pieces up for a while; who collects them gives them all at once.
SHARE = 0.5
BUFFERING = (
    "Turn off what collects answers on the way. nginx does by itself for X-Accel-Buffering: no, "
    "unless `proxy_ignore_headers` or a layer before it says else: `proxy_buffering off` there. "
    "The chat works meanwhile: pages poll."
)
COMPRESSION = (
    "Leave text/event-stream out of what is compressed, or have each piece sent on at once, as "
    "nginx does. The chat works meanwhile: pages poll."
)


def is_held(pieces: Sequence[tuple[float, float]]) -> bool:
    """Whether somebody has collected pieces, each (sent, arrived), before giving them on."""

    (sent, arrived), (last_sent, last_arrived) = pieces[0], pieces[-1]

    return last_arrived - arrived < SHARE * (last_sent - sent)


def judge_pieces(
    pieces: Sequence[tuple[float, float]], headers: Mapping[str, str]
) -> Iterator[Finding]:
    """The pieces of a stream that was sent over a while; ``headers`` are those that came."""

    encoding = headers.get("content-encoding", "identity")
    is_plain = encoding == "identity"
    count, took = len(pieces), pieces[-1][1] - pieces[0][1]
    how = "" if is_plain else f", compressed ({encoding}) piece by piece"

    if not is_held(pieces):
        yield ok(f"{count} pieces of an event stream came over {took:.1f} s, as sent{how}.")
    elif is_plain:
        yield failure("Event streams are held back on the way and come at once.", BUFFERING)
    else:
        yield failure(f"Event streams are compressed as a whole ({encoding}).", COMPRESSION)


def judge_headers(headers: Mapping[str, str]) -> Iterator[Finding]:
    """Whether what keeps caches and proxies off has come; nginx takes its own away."""

    kept = {part.strip() for part in headers.get("cache-control", "").split(",")}

    if {"no-store", "no-transform"} <= kept:
        told = "" if "x-accel-buffering" in headers else " (a proxy has taken X-Accel-Buffering)"
        yield ok(f"Cache-Control: no-store, no-transform has come{told}.")
    else:
        yield warning(
            f"Cache-Control has come as {headers.get('cache-control', 'nothing')!r}.",
            "Something on the way, or the site itself, changes it: caches may hold streams back.",
        )


def judge_protocol(protocol: str | None, *, is_encrypted: bool) -> Finding:
    """The HTTP that browsers speak with the address."""

    if protocol == "HTTP/2":
        return ok("Browsers come by HTTP/2: any number of tabs follow.")

    if protocol is None:
        return warning(
            "Which HTTP the address speaks could not be found out.", "HTTP/2 is best for many tabs."
        )

    return warning(
        "Browsers come by HTTP/1.1: six connections each, of which three tabs at most stream and "
        "the rest poll.",
        "Turn HTTP/2 on where TLS ends." if is_encrypted else "HTTP/2 needs TLS.",
    )
