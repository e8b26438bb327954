"""Viewers that follow as clients do, come back with their cursor, and log what they were shown.

Each is a thread with a socket of its own. It has *seen* pieces of text at positions (or words on a
page) and ends; `Checker` compares them with what is stored.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from flask_chatstream.sse import Decoder, ServerSentEvent

from .exchange import BROKEN, Client, Exchange
from .model import WORD
from .page import Page

API = "/chat/api/v1"
BACK_SECONDS = 0.2
POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Piece:
    """Text of a message that a viewer was shown, where it stands."""

    at: float
    message_id: str
    start: int
    text: str


@dataclass(frozen=True)
class Words:
    """The words of a message as a page showed them, in order."""

    at: float
    message_id: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Ending:
    """The end of a message as a viewer was told it."""

    at: float
    message_id: str
    status: str
    error_code: str | None = None


@dataclass
class Sight:
    """What one viewer was shown."""

    pieces: list[Piece] = field(default_factory=list)
    pages: list[Words] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    #: The viewer's own copy of each text, put together as its protocol says.
    texts: dict[str, str] = field(default_factory=dict)
    #: What no well-behaved server does, in words.
    faults: list[str] = field(default_factory=list)


class Viewer(ABC, threading.Thread):
    """A client that follows one conversation until its end, whatever happens to its connection."""

    def __init__(self, port: int, owner: str, conversation_id: str = ""):
        super().__init__(daemon=True, name=type(self).__name__)
        self.client = Client(port, owner)
        self.conversation_id = conversation_id
        self.sight = Sight()
        self.connections = 0
        self._left = threading.Event()
        self.done = threading.Event()
        self.is_gone = False

    @property
    def owner(self) -> str:
        """Whose conversation it looks at."""

        return self.client.owner

    @property
    def pids(self) -> list[int]:
        """The workers that served it, connection by connection."""

        return [exchange.pid for exchange in self.client.exchanges]

    def run(self) -> None:
        """Follow, and come back after every break."""

        while not self._left.is_set():
            try:
                if self.follow():
                    break
            except BROKEN:
                pass

            self._left.wait(BACK_SECONDS)

        self.done.set()

    def leave(self) -> None:
        """Go away like somebody who closes the tab."""

        self._left.set()
        self.client.hang_up()

    @abstractmethod
    def follow(self) -> bool:
        """One connection; True when there is nothing more to follow."""

    def length(self) -> int:
        """How much it has been shown of its longest text, in code points or words."""

        longest = max((len(text) for text in self.sight.texts.values()), default=0)

        return longest or max((len(page.words) for page in self.sight.pages), default=0)

    def _open(self, path: str, headers: dict[str, str] | None = None) -> Iterator[bytes] | None:
        self.connections += 1
        exchange, pieces = self.client.open("GET", path, headers=headers)

        return self._checked(exchange, pieces)

    def _checked(self, exchange: Exchange, pieces: Iterator[bytes]) -> Iterator[bytes] | None:
        if exchange.status < 400:
            return pieces

        for _ in pieces:
            pass

        if exchange.status == 404:
            self.is_gone = True
            self._left.set()
        elif exchange.status != 503:
            self.sight.faults.append(f"{exchange.path}: {exchange.status}")

        return None

    def _end(self, message_id: str, status: str, code: str | None = None) -> None:
        self.sight.endings.append(Ending(time.monotonic(), message_id, status, code))


class StreamViewer(Viewer):
    """Follows the API's event stream with ``Last-Event-ID``."""

    last_id = ""

    def follow(self) -> bool:
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        pieces = self._open(f"{API}/conversations/{self.conversation_id}/stream", headers)

        return pieces is not None and self._take_all(pieces)

    def _take_all(self, pieces: Iterator[bytes]) -> bool:
        decoder = Decoder()
        is_over = False

        for piece in pieces:
            for event in decoder.feed(piece):
                if is_over:
                    self.sight.faults.append(f"after the end: {event}")

                is_over = self._take(event) or is_over

        return is_over

    def _take(self, event: ServerSentEvent) -> bool:
        value = json.loads(event.data)
        kind = value["type"]
        self.last_id = event.id or self.last_id

        if kind == "start":
            self.conversation_id = value["conversation_id"]
        elif kind == "delta":
            self._add(value)
        elif kind == "reset":
            self._show(value["message_id"], 0, value["content"], "")
        elif kind == "end":
            self._over(value, event.id)

        return bool(kind == "end")

    def _add(self, value: dict[str, Any]) -> None:
        id, offset = value["message_id"], value["offset"]
        known = self.sight.texts.get(id, "")

        if offset != len(known):
            self.sight.faults.append(f"text at {offset} behind {len(known)}")

        self._show(id, offset, value["delta"], known)

    def _show(self, id: str, offset: int, text: str, known: str) -> None:
        self.sight.pieces.append(Piece(time.monotonic(), id, offset, text))
        self.sight.texts[id] = known[:offset] + text

    def _over(self, value: dict[str, Any], event_id: str) -> None:
        id = value["message_id"]
        length = int(event_id.partition(":")[2])
        known = self.sight.texts.get(id, "")

        # An end without the text: the answer was over before the first connection came through.
        if not known and length:
            content = self.client.request("GET", f"{API}/messages/{id}/content").json()["content"]
            self._show(id, 0, content, "")
        elif len(known) != length:
            self.sight.faults.append(f"the end at {length} behind {len(known)}")

        self._end(id, value["status"], value.get("error_code"))


class ChatViewer(StreamViewer):
    """Asks with ``POST /chat`` and reads the answer; goes on by the stream after a break."""

    def __init__(self, port: int, owner: str, question: str, conversation_id: str = ""):
        super().__init__(port, owner, conversation_id)
        self.question = question
        self.key = uuid.uuid4().hex
        self.has_started = False

    def follow(self) -> bool:
        if self.has_started:
            return super().follow()

        self.connections += 1
        body = {"message": self.question}

        if self.conversation_id:
            body["conversation_id"] = self.conversation_id

        headers = {"Idempotency-Key": self.key}
        exchange, pieces = self.client.open("POST", f"{API}/chat", body, headers)
        checked = self._checked(exchange, pieces)

        return checked is not None and self._take_all(checked)

    def _take(self, event: ServerSentEvent) -> bool:
        self.has_started = True

        return super()._take(event)


class PollViewer(Viewer):
    """Asks ``poll?since=`` again and again."""

    now = ""

    def follow(self) -> bool:
        path = f"{API}/conversations/{self.conversation_id}/poll"
        pieces = self._open(f"{path}?since={self.now}" if self.now else path)

        if pieces is None:
            return False

        body, head = b"".join(pieces), self.client.exchanges[-1].headers

        # A head that was cut between two lines is a head without a length.
        if not {"content-length", "transfer-encoding"} & head.keys():
            raise HTTPException(f"cut in its head: {head}")

        value = json.loads(body)
        self.now = value["now"]
        ended = {ending.message_id for ending in self.sight.endings}

        for message in value["messages"]:
            if message["role"] == "assistant":
                self._take(message, ended)

        return not value["has_more_generating"] and bool(self.sight.endings)

    def _take(self, message: dict[str, Any], ended: set[str]) -> None:
        id, text = message["id"], message["content"]

        if not text.startswith(self.sight.texts.get(id, "")):
            self.sight.faults.append(f"a poll took back text of {id}")

        self.sight.pieces.append(Piece(time.monotonic(), id, 0, text))
        self.sight.texts[id] = text

        if message["status"] == "generating" and id in ended:
            self.sight.faults.append(f"{id} came back to life")
        elif message["status"] != "generating" and id not in ended:
            self._end(id, message["status"], (message["error"] or {}).get("code"))


class PageViewer(Viewer):
    """Opens the page and follows its event stream, as the script does."""

    def __init__(self, port: int, owner: str, conversation_id: str):
        super().__init__(port, owner, conversation_id)
        self.page = Page()
        self.has_page = False

    def follow(self) -> bool:
        if not self.has_page:
            self._load()

        if not self.has_page:
            return False

        path = f"/chat/c/{self.conversation_id}/events?cursor={self.page.cursor}"
        pieces = self._open(path, {"Accept": "text/event-stream"})

        if pieces is None:
            return False

        headers = self.client.exchanges[-1].headers

        return self._take_poll(headers, pieces) if "x-cursor" in headers else self._take_all(pieces)

    def _take_poll(self, headers: dict[str, str], pieces: Iterator[bytes]) -> bool:
        """No stream was free: what is new, at once."""

        self.page.apply(b"".join(pieces).decode())
        self.page.cursor = headers["x-cursor"]
        self._look()
        self._left.wait(int(headers.get("x-next", 0)) / 1000)

        return "x-next" not in headers

    def _load(self) -> None:
        pieces = self._open(f"/chat/c/{self.conversation_id}", {"Accept": "text/html"})

        if pieces is not None:
            self.page.apply(b"".join(pieces).decode())
            self.has_page = True
            self._look()

    def _take_all(self, pieces: Iterator[bytes]) -> bool:
        decoder = Decoder()

        for piece in pieces:
            for event in decoder.feed(piece):
                self.page.cursor = event.id or self.page.cursor

                if event.event in ("end", "gone"):
                    self.is_gone = event.event == "gone"
                    return True

                if event.event == "message":
                    self.page.apply(event.data)
                    self._look()

        return False

    def _look(self) -> None:
        ended = {ending.message_id for ending in self.sight.endings}

        for id, shown in self.page.messages.items():
            if shown.role != "assistant":
                continue

            words = tuple(WORD.findall(shown.text))
            self.sight.pages.append(Words(time.monotonic(), id, words))

            if shown.status != "generating" and id not in ended:
                self._end(id, shown.status)
            elif shown.status == "generating" and id in ended:
                self.sight.faults.append(f"{id} came back to life")
