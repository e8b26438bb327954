"""Greenlets in a patched process, threads elsewhere: with `alarm` all that knows gevent.

Everything above is written with `threading`'s primitives, which gevent replaces when the host
patches its process. What differs is here: how a task is started, and how C code that blocks is
kept off the event loop. Nothing is started at import, and a fork forgets what its parent had.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any, Generic, ParamSpec, Protocol, TypeVar
from weakref import WeakSet, ref

from gevent import monkey
from greenlet import GreenletExit

from .failures import report

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
#: By which somebody ends a greenlet, a thread or the process from outside.
KILLS = (GreenletExit, KeyboardInterrupt, SystemExit)


def is_patched() -> bool:
    """Whether the host patched its threads and sockets with gevent."""

    return bool(monkey.is_module_patched("threading") and monkey.is_module_patched("socket"))


def pool_size() -> int | None:
    """How many threads the pool has to which the calling thread belongs.

    None when that cannot be told. `concurrent.futures` has no public way to ask; its threads are
    started with a weak reference to their pool.
    """

    found = next(iter(getattr(threading.current_thread(), "_args", ())), None)
    size = getattr(found() if isinstance(found, ref) else None, "_max_workers", None)

    return size if isinstance(size, int) else None


class Task(Protocol):
    """A started task."""

    def join(self, timeout: float | None = None) -> object:
        """Wait until it is over, or for ``timeout`` seconds."""


def spawn(task: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Task:
    """Start a task that outlives the request: a greenlet or a daemon thread.

    It takes along nothing that belongs to the request: neither Flask's contexts, which would keep
    the request alive, nor an error tracker's, which would send its body with what fails later. An
    error that it does not catch is reported.
    """

    work = partial(_run, task, *args, **kwargs)

    # In an empty context: gevent copies the current one, and trackers read it at the start.
    if is_patched():
        from gevent import spawn as spawn_greenlet

        started: Task = Context().run(spawn_greenlet, work)

        return started

    thread = threading.Thread(target=work, name=_name(task), daemon=True)
    Context().run(thread.start)

    return thread


def _run(task: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    try:
        task(*args, **kwargs)
    except Exception as error:
        report(logger, error, "The chat's task %s failed.", _name(task))


def _name(task: Callable[..., object]) -> str:
    return getattr(task, "__qualname__", "chatstream")


class Tasks:
    """The background tasks of one owner, who may wait for their end."""

    def __init__(self) -> None:
        self._started: WeakSet[Task] = WeakSet()
        self._lock = threading.Lock()

    def spawn(self, task: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Start a task."""

        with self._lock:
            self._started.add(spawn(task, *args, **kwargs))

    def join(self, timeout: float) -> None:
        """Wait until all that were started are over, for ``timeout`` seconds at most."""

        deadline = time.monotonic() + timeout

        with self._lock:
            started = list(self._started)

        for task in started:
            task.join(max(0.0, deadline - time.monotonic()))


class NativeThread:
    """One native thread that runs what would block the event loop, in order.

    In a process without an event loop there is nothing to keep free, and the caller's own thread
    does the work.
    """

    def __init__(self) -> None:
        self._thread = _HubThread() if is_patched() else None

    def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result; the event loop goes on meanwhile."""

        if self._thread is None:
            return function(*args, **kwargs)

        return self._thread.run(partial(function, *args, **kwargs))

    def close(self, last: Callable[[], object] | None = None) -> None:
        """Let the thread go, behind what it is doing and a ``last`` call that nobody waits for."""

        if self._thread is not None:
            self._thread.close(last)
        elif last is not None:
            last()


class _HubThread:
    """A native thread for one hub: half of what a call of gevent's pool costs, which counts when
    it is called for every group.
    """

    def __init__(self) -> None:
        from gevent import get_hub
        from gevent.lock import BoundedSemaphore

        self._hub: Any = get_hub()
        self._turn = BoundedSemaphore()
        self._done: Any = self._hub.loop.async_()
        self._tasks: Any = monkey.get_original("queue", "SimpleQueue")()
        monkey.get_original("_thread", "start_new_thread")(_work, (self._tasks, self._done.send))

    def run(self, function: Callable[[], R]) -> R:
        from gevent.hub import Waiter

        with self._turn:
            waiter: Any = Waiter(self._hub)
            call = _Call(function, waiter)
            self._done.start(call.wake)

            try:
                self._tasks.put(call)
                waiter.get()
            finally:
                self._done.stop()

        return call.result()

    def close(self, last: Callable[[], object] | None) -> None:
        if last is not None:
            self._tasks.put(last)

        self._tasks.put(None)


class _Call(Generic[R]):
    """A function, and what became of it in another thread."""

    def __init__(self, function: Callable[[], R], waiter: Any):
        self._function = function
        self._waiter = waiter
        self._is_done = False
        self._result: R
        self._error: BaseException | None = None

    def __call__(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error

        self._is_done = True

    def wake(self) -> None:
        """Go on in the hub; a caller that was killed has left its end to be heard by the next."""

        if self._is_done:
            self._waiter.switch(None)

    def result(self) -> R:
        if self._error is not None:
            raise self._error

        return self._result


def _work(tasks: Any, done: Callable[[], object]) -> None:
    while (call := tasks.get()) is not None:
        call()
        done()


def run_native(function: Callable[[], R]) -> R:
    """The result of something that blocks for long, with the event loop going on meanwhile."""

    if not is_patched():
        return function()

    from gevent import get_hub

    result: R = get_hub().threadpool.apply(function)

    return result


class Pulse:
    """Wakes everybody who waits for a change, and keeps nobody who has come for the next one.

    Read ``mark`` first, then look at the state, then wait for that mark: a change between the
    look and the wait ends the wait at once.
    """

    __slots__ = ("_event", "_lock")

    def __init__(self) -> None:
        self._event: threading.Event | None = None
        self._lock = threading.Lock()

    def mark(self) -> threading.Event:
        """The change to wait for."""

        with self._lock:
            if self._event is None:
                self._event = threading.Event()

            return self._event

    def beat(self) -> None:
        """Wake all who wait."""

        if self._event is None:
            return

        with self._lock:
            event, self._event = self._event, None

        if event is not None:
            event.set()
