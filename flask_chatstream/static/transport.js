// One request for what is new, in two dresses: a stream of server-sent events, or one short poll.
// Neither knows the page; `connection.js` decides which to use and what its end means.

import { EventParser } from "./sse.js";
import { secondsIn } from "./waiting.js";

const STREAMS_PER_BROWSER = 3;
const GONE = new Set([401, 403, 404, 410]);

export const FIRST_BYTE_MS = 4_000;
export const SILENCE_MS = 25_000;
// A proxy that holds streams back passes on what came with the headers. The server sends a beat after
// two seconds: only what comes later than the first piece shows that the way is free.
const PROOF_MS = 1_000;
const PROOF_TIMEOUT_MS = 6_000;
const POLL_TIMEOUT_MS = 15_000;

/** Why a request gave nothing; `kind` is gone, busy, broken, slow or silent, `retryAfter` in seconds. */
export class Failure extends Error {
  constructor(kind, { status = 0, retryAfter = 0 } = {}) {
    super(kind);
    Object.assign(this, { kind, status, retryAfter });
  }
}

function refusal(response) {
  if (GONE.has(response.status)) return new Failure("gone", { status: response.status });
  if (response.ok) return null;

  const retryAfter = secondsIn(response.headers.get("Retry-After"));

  return new Failure("busy", { status: response.status, retryAfter });
}

function address(url, parameters) {
  const full = new URL(url, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) full.searchParams.set(name, value);

  return full;
}

function ask(url, accept, signal) {
  return fetch(url, {
    headers: { Accept: accept },
    cache: "no-store",
    credentials: "same-origin",
    signal,
  });
}

// The browser's own limit is six connections per host on HTTP/1.1: with a stream in each, the
// seventh tab hangs. Without Web Locks (plain http) nothing can be counted.
async function takeSlot() {
  if (!navigator.locks) return () => {};

  for (let number = 0; number < STREAMS_PER_BROWSER; number += 1) {
    const release = await lock(`cs-slot-${number}`);
    if (release) return release;
  }

  return null;
}

function lock(name) {
  return new Promise((resolve) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (held) => {
        if (!held) return resolve(null);

        // Held until the caller calls what it gets: the resolver of this promise.
        return new Promise((free) => resolve(free));
      })
      .catch(() => resolve(null));
  });
}

/** An alarm that aborts a request: `set(ms, kind)` again before it rings. */
class Watch {
  constructor(signal) {
    this.abort = new AbortController();
    this.signal = AbortSignal.any([signal, this.abort.signal]);
    this.kind = null;
  }

  set(ms, kind) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.kind = kind;
      this.abort.abort();
    }, ms);
  }

  close() {
    clearTimeout(this.timer);
    this.abort.abort();
  }
}

/**
 * Follow the stream until it ends. Resolves to "end" (the server has nothing more to say), "cut"
 * (the connection went), "full" (other tabs hold all streams), or what `poll` gives, when the
 * server has no stream free and answers at once. Throws `Failure`.
 */
export async function follow({ url, cursor, signal, onOpen, onEvent }) {
  const release = await takeSlot();
  if (!release) return "full";

  const watch = new Watch(signal);
  try {
    watch.set(FIRST_BYTE_MS, "slow");
    const response = await ask(address(url, { cursor }), "text/event-stream", watch.signal);

    return await read(response, watch, onOpen, onEvent);
  } catch (error) {
    throw watch.kind ? new Failure(watch.kind) : error;
  } finally {
    watch.close();
    release();
  }
}

async function read(response, watch, onOpen, onEvent) {
  const refused = refusal(response);
  if (refused) throw refused;
  if (response.headers.has("X-Cursor")) return batch(response);
  if (response.status === 204) return "end";
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    throw new Failure(response.redirected ? "gone" : "broken", { status: response.status });
  }

  const parser = new EventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();

  let opened = 0;

  for (;;) {
    const { done, value } = await reader.read();
    if (done) return "cut";

    if (!opened) {
      opened = performance.now();
      watch.set(PROOF_TIMEOUT_MS, "slow");
      onOpen();
    } else if (performance.now() - opened > PROOF_MS) {
      watch.set(SILENCE_MS, "silent");
    }

    for (const event of parser.feed(value)) {
      if (event.type === "end") return "end";
      onEvent(event);
    }
  }
}

/** Ask once. Resolves to `{ html, cursor, next }`; `next` in ms while something runs, else 0. */
export async function poll({ url, cursor, signal }) {
  const watch = new Watch(signal);
  try {
    watch.set(POLL_TIMEOUT_MS, "slow");
    const response = await ask(address(url, { cursor, wait: 0 }), "text/html", watch.signal);
    const refused = refusal(response);
    if (refused) throw refused;

    return await batch(response);
  } catch (error) {
    throw watch.kind ? new Failure("broken") : error;
  } finally {
    watch.close();
  }
}

async function batch(response) {
  const next = Number(response.headers.get("X-Next")) || 0;
  const cursor = response.headers.get("X-Cursor");

  if (response.status === 204) return { html: "", cursor, next };
  // A log-in page or a proxy's own page: nothing without our cursor is ever shown.
  if (cursor === null) throw new Failure(response.redirected ? "gone" : "broken");

  return { html: await response.text(), cursor, next };
}
