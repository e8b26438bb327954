"""The ten invariants that hold after every fault, as functions of the evidence.

Each gives what is wrong, in words; nothing wrong is an empty list.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from .evidence import Case, Chunk, Fresh, Stored
from .model import WORD, said

ENDS = {"completed", "error", "cancelled", "interrupted"}
#: What a worker may hold more than before: pooled connections, a pool's thread, a log.
SLACK = {"files": 24, "threads": 12, "greenlets": 12, "running": 0, "watched": 0, "pooled": 0}


def check_text(case: Case) -> Iterator[str]:
    """I1: every byte that any viewer was shown is in the database, identical."""

    for name, (_, sight) in case.sights.items():
        for piece in sight.pieces:
            text = case.text(piece.message_id)
            stored = None if text is None else text[piece.start : piece.start + len(piece.text)]

            if stored != piece.text:
                yield f"{name} was shown {piece.text!r} at {piece.start}; stored is {stored!r}"

        for seen in sight.pages:
            words = tuple(WORD.findall(case.text(seen.message_id) or ""))

            if words[: len(seen.words)] != seen.words:
                yield f"{name} was shown words that are not stored: {_differ(seen.words, words)}"


def check_order(case: Case) -> Iterator[str]:
    """I2: the journal of a running generation is 1..n without a gap, and so was every stream."""

    for stored in [*case.snapshots, case.stored]:
        yield from _check_journal(stored)

    for name, (_, sight) in case.sights.items():
        yield from (f"{name}: {fault}" for fault in sight.faults)


def _check_journal(stored: Stored) -> Iterator[str]:
    rows: dict[int, list[Chunk]] = defaultdict(list)
    running = {g.id: g for g in stored.generations if g.status == "running"}

    for chunk in stored.chunks:
        rows[chunk.generation_id].append(chunk)

    for id, chunks in rows.items():
        # The first rows of one that has ended may have been cleared.
        number = 1 if id in running else chunks[0].seq
        position = running[id].base_offset if id in running else chunks[0].start

        for n, chunk in enumerate(chunks, number):
            if (chunk.seq, chunk.start) != (n, position):
                yield f"generation {id}: chunk {chunk.seq} at {chunk.start}, not {n} at {position}"

            position += len(chunk.text)


def check_ends(case: Case) -> Iterator[str]:
    """I3: exactly one terminal state, the same one for everybody."""

    for generation in case.stored.generations:
        message = case.stored.messages[generation.message_id]
        public = "error" if generation.status == "interrupted" else generation.status

        if generation.status not in ENDS:
            yield f"generation {generation.id} is {generation.status}"
        elif (message.status, message.error_code) != (public, generation.error_code):
            yield f"generation {generation.id} is {generation.status}, its message {message.status}"

    for name, (_, sight) in case.sights.items():
        counts = Counter(ending.message_id for ending in sight.endings)
        yield from (f"{name} was told {n} ends of {id}" for id, n in counts.items() if n > 1)

        for ending in sight.endings:
            found = case.stored.messages.get(ending.message_id)

            if found is not None and ending.status != found.status:
                yield f"{name} was told {ending.status}; stored is {found.status}"


def check_sameness(case: Case) -> Iterator[str]:
    """I4: stored = streamed = polled = rendered, and the model's own words in its order."""

    for name, (_, sight) in case.sights.items():
        for ending in sight.endings:
            text = case.text(ending.message_id)
            seen = sight.texts.get(ending.message_id)

            if ending.message_id in case.stored.messages and seen is not None and seen != text:
                yield f"{name} has {len(seen)} of {len(text or '')} characters at the end"

        yield from _check_last_pages(case, name)

    for fresh in case.fresh:
        yield from _check_fresh(case, fresh)

    for id, message in case.stored.messages.items():
        if message.role == "assistant":
            yield from _check_said(case, id)


def _check_last_pages(case: Case, name: str) -> Iterator[str]:
    sight = case.sights[name][1]
    last = {seen.message_id: seen.words for seen in sight.pages}

    for ending in sight.endings:
        message = case.stored.messages.get(ending.message_id)
        words = tuple(WORD.findall(message.text)) if message else ()

        if message is not None and last.get(message.id, words) != words:
            yield f"{name}'s page ended with {_differ(last[message.id], words)}"


def _check_fresh(case: Case, fresh: Fresh) -> Iterator[str]:
    text = case.text(fresh.message_id) or ""
    others = {"content": fresh.content, "list": fresh.listed, "poll": fresh.polled}
    yield from (f"the {door} has another text" for door, seen in others.items() if seen != text)

    is_leaf = fresh.message_id in case.stored.leaves

    if is_leaf and json.dumps(text, ensure_ascii=False)[1:-1] not in fresh.streamed:
        yield "the stream has another text"

    if fresh.words != tuple(WORD.findall(text)):
        yield f"the page has {_differ(fresh.words, tuple(WORD.findall(text)))}"


def _check_said(case: Case, message_id: str) -> Iterator[str]:
    message = case.stored.messages[message_id]
    wanted = said(case.question(message_id))
    is_whole = message.status == "completed"

    if message.text != wanted if is_whole else not wanted.startswith(message.text):
        yield f"{message_id} ({message.status}) is not what the model said"


def check_settled(case: Case) -> Iterator[str]:
    """I5: nothing is generating any more, and what is left of the journal is folded."""

    for message in case.stored.messages.values():
        if message.status == "generating":
            yield f"message {message.id} is still generating"

    message_of = {generation.id: generation.message_id for generation in case.stored.generations}

    for chunk in case.stored.chunks:
        folded = case.stored.messages[message_of[chunk.generation_id]].text

        if not folded.startswith(chunk.text, chunk.start):
            yield f"chunk {chunk.seq} of generation {chunk.generation_id} is not folded"


def check_calls(case: Case) -> Iterator[str]:
    """I6: at most one call that began to answer; questions are different from each other."""

    allowed: Counter[str] = Counter()

    for generation in case.stored.generations:
        allowed[case.question(generation.message_id)] += 1

    for prompt, count in Counter(case.prompts).items():
        is_deleted = bool(case.deleted) and not allowed[prompt]

        if count > max(allowed[prompt], 1) and not is_deleted:
            yield f"{count} calls of the provider for {allowed[prompt]} generations of {prompt!r}"


def check_owners(case: Case) -> Iterator[str]:
    """I7: no byte of one owner in another's log."""

    for exchange in case.exchanges:
        for owner, canary in case.canaries.items():
            if owner != exchange.owner and canary.encode() in exchange.body:
                yield f"{exchange.owner} saw {owner}'s {canary} in {exchange.path}"


def check_resources(case: Case) -> Iterator[str]:
    """I8: workers hold what they held before, and no transaction is left open."""

    for pid, after in case.after.items():
        before = case.before.get(pid)

        for name, slack in SLACK.items():
            if before is not None and after[name] > before[name] + slack:
                yield f"worker {pid} has {after[name]} {name}, before {before[name]}"

    if case.idle_in_transaction:
        yield f"{case.idle_in_transaction} connections are idle in a transaction"


def check_secrets(case: Case) -> Iterator[str]:
    """I9: no key, DSN, path or traceback in the database or in an answer."""

    places = {"the database": case.dump}

    for exchange in case.exchanges:
        heads = "\n".join(exchange.headers.values())
        places[exchange.path] = f"{heads}\n{exchange.body.decode('utf-8', 'replace')}"

    for place, text in places.items():
        for secret in [*case.secrets, "Traceback (most recent call last)"]:
            if secret in text:
                yield f"{secret} in {place}"


def check_arrival(case: Case) -> Iterator[str]:
    """I10: every viewer that stayed has reached the end by itself."""

    yield from (f"{name} has not reached the end" for name in case.late)


CHECKS: dict[str, Callable[[Case], Iterator[str]]] = {
    "I1": check_text,
    "I2": check_order,
    "I3": check_ends,
    "I4": check_sameness,
    "I5": check_settled,
    "I6": check_calls,
    "I7": check_owners,
    "I8": check_resources,
    "I9": check_secrets,
    "I10": check_arrival,
}


def find_faults(case: Case) -> list[str]:
    """What is wrong, each with the invariant that it breaks."""

    return [f"{name}: {fault}" for name, check in CHECKS.items() for fault in check(case)]


def _differ(seen: tuple[str, ...], stored: tuple[str, ...]) -> str:
    pairs = zip(seen, stored, strict=False)
    at = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(seen), len(stored)))

    return f"{len(seen)} words of {len(stored)}, different at {at}: {seen[at : at + 3]}"
