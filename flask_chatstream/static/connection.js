// Keeps one conversation up to date: streams, polls where streams do not pass, waits, comes back.
// States, in `onState`: connecting, live, polling, paused, retrying, offline, idle, gone.

import { noteBlocked, notePassed, streamsBlocked } from "./streaming.js";
import { Failure, follow, poll } from "./transport.js";

const BACKOFF_MS = { first: 400, most: 15_000 };
const HIDDEN_MS = 10_000;
const TICK_MS = 5_000;
const SLEEP_MS = 15_000;
const POLL_MS = 1_000;
const LAG_MS = 2_500;

// "connecting" is said once, not between two tries.
const CALM = new Set(["idle", "paused"]);
const BUSY = new Set(["live", "polling", "connecting"]);

export class Connection {
  #options;
  #cursor;
  #wanted;
  #polling = streamsBlocked();
  #failures = 0;
  #silences = 0;
  #misplaced = 0;
  #resumeAt = 0;
  #lag = { least: Infinity, late: 0 };
  #again = false;
  #attempt = null;
  #listeners = null;
  #state = "idle";

  /** `options`: `url`, `cursor`, `running`, `onFragments(html, cursor)`, `onState(state, wait)`,
   *  where `wait` are the seconds for which the server wants to be left alone. */
  constructor(options) {
    this.#options = options;
    this.#cursor = options.cursor;
    this.#wanted = options.running;
  }

  /** Begin: sync once, and go on while something runs. */
  open() {
    this.#listeners = new AbortController();
    this.#listen(this.#listeners.signal);
    this.#start();
  }

  close() {
    this.#listeners?.abort();
    this.#stop();
  }

  /** Something was asked or changed: follow now, by stream again where one may get through. */
  sync() {
    this.#wanted = true;
    this.#again = true;
    this.#polling = streamsBlocked();
    this.#silences = 0;
    if (document.hidden || this.#state === "live") return;

    this.#start();
  }

  /** Ask for everything: what came could not be placed. */
  resync() {
    this.#cursor = "";
    this.#misplaced += 1;
    this.#wanted = true;
    this.#start(delay(this.#misplaced));
  }

  #start(delay = 0) {
    this.#stop();
    this.#attempt = new AbortController();
    this.#run(this.#attempt.signal, Math.max(delay, this.#resumeAt - Date.now()));
  }

  #stop() {
    this.#attempt?.abort();
    this.#attempt = null;
  }

  #set(state, wait = 0) {
    if (state === this.#state && !wait) return;

    this.#state = state;
    this.#options.onState(state, wait);
  }

  async #run(signal, delay) {
    let pause = delay;

    while (pause !== null && !signal.aborted) {
      await sleep(pause, signal);
      if (signal.aborted) return;

      pause = await this.#step(signal).catch((error) => this.#failed(error, signal));
    }
  }

  // One request; the milliseconds to wait before the next, or null when there is none.
  async #step(signal) {
    const request = { url: this.#options.url, cursor: this.#cursor, signal };
    if (!this.#wanted || this.#polling) return this.#poll(request);

    if (CALM.has(this.#state)) this.#set("connecting");
    this.#again = false;
    const end = await follow({
      ...request,
      onOpen: () => this.#opened(),
      onEvent: (event) => signal.aborted || this.#event(event),
    });

    if (signal.aborted) return null;
    if (end === "full") return this.#poll(request);
    if (end === "cut") return this.#cut();
    if (end !== "end") return this.#polled(end);

    return this.#ended();
  }

  #opened() {
    notePassed();
    this.#set("live");
  }

  // Servers end long streams now and then: the first time is no reason for words.
  #cut() {
    this.#failures += 1;
    if (this.#failures > 1) this.#set("retrying");

    return delay(this.#failures);
  }

  #ended() {
    this.#failures = 0;
    // A send may have crossed the server's end: look once more.
    if (this.#again) return 0;

    this.#wanted = false;
    this.#set("idle");

    return null;
  }

  #event({ type, data, id }) {
    if (type === "hb") return this.#measure(data);
    if (type === "gone") throw new Failure("gone");
    if (type !== "message") return undefined;

    this.#failures = 0;
    this.#silences = 0;
    this.#set("live");

    return this.#take(data, id);
  }

  #take(html, cursor) {
    this.#cursor = cursor || this.#cursor;
    if (html) this.#options.onFragments(html, this.#cursor);
  }

  // A proxy that holds the stream back lets the beats arrive late; clocks that differ do not.
  #measure(data) {
    const lag = Date.now() - (Number(/\d{10,}/.exec(data)?.[0]) || Date.now());
    this.#lag.least = Math.min(this.#lag.least, lag);
    this.#lag.late = lag - this.#lag.least > LAG_MS ? this.#lag.late + 1 : 0;
    if (this.#lag.late < 3) return;

    this.#usePolling();
    this.#start();
  }

  #usePolling() {
    noteBlocked();
    this.#polling = true;
    this.#lag = { least: Infinity, late: 0 };
  }

  async #poll(request) {
    if (this.#wanted) this.#set("polling");
    this.#again = false;
    const answer = await poll(request);

    return request.signal.aborted ? null : this.#polled(answer);
  }

  #polled({ html, cursor, next }) {
    if (this.#wanted) this.#set("polling");
    this.#failures = 0;
    this.#take(html, cursor);
    if (!next) return this.#ended();
    if (!this.#wanted) {
      this.#wanted = true;
      return 0;
    }

    return Math.max(next, POLL_MS / 2);
  }

  #failed(error, signal) {
    if (signal.aborted) return null;

    const kind = error instanceof Failure ? error.kind : "broken";
    if (kind === "gone") {
      this.#set("gone");
      return null;
    }

    if (kind === "silent") this.#silences += 1;
    if (kind === "slow" || this.#silences > 1) {
      this.#usePolling();
      return 0;
    }

    this.#failures += 1;
    this.#wanted = true;
    const wait = error.retryAfter ?? 0;
    this.#resumeAt = Date.now() + wait * 1000;
    this.#set(navigator.onLine ? "retrying" : "offline", error.status === 429 ? wait : 0);

    return Math.max(delay(this.#failures), wait * 1000);
  }

  #listen(signal) {
    const wake = () => this.#wake();
    addEventListener("online", wake, { signal });
    addEventListener("offline", () => this.#wanted && this.#set("offline"), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.#wake(true), { signal });
    addEventListener("pagehide", () => this.#stop(), { signal });
    document.addEventListener("visibilitychange", () => this.#visibility(), { signal });

    let last = Date.now();
    const tick = setInterval(() => {
      const slept = Date.now() - last > SLEEP_MS;
      last = Date.now();
      if (slept) this.#wake();
    }, TICK_MS);
    signal.addEventListener("abort", () => {
      clearInterval(tick);
      clearTimeout(this.hiding);
    });
  }

  #wake(even = false) {
    if (this.#state === "gone" || document.hidden || (this.#state === "idle" && !even)) return;

    this.#failures = 0;
    this.#start();
  }

  #visibility() {
    clearTimeout(this.hiding);

    if (document.hidden) {
      this.hiding = setTimeout(() => this.#pause(), HIDDEN_MS);
    } else if (this.#state === "paused" || (this.#wanted && !BUSY.has(this.#state))) {
      this.#wake(true);
    }
  }

  #pause() {
    if (this.#state === "gone") return;

    this.#stop();
    this.#set("paused");
  }
}

function delay(failures) {
  const most = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** Math.max(0, failures - 1));

  return most * (0.5 + Math.random() / 2);
}

function sleep(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
