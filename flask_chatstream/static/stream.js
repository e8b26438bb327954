// <chat-stream data-events data-cursor data-running data-conversation>: the log of one conversation,
// kept equal to what the server renders. Light DOM; everything it holds goes when it leaves the page.

import { element } from "./build.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { fitPage } from "./fit.js";
import { UnknownPlace, applyFragments } from "./patch.js";
import { clearPending } from "./pending.js";
import { Progress } from "./progress.js";
import { Reveal } from "./reveal.js";
import { StickyScroll } from "./scroll.js";
import { localTimes } from "./times.js";
import { countDown } from "./waiting.js";
import { word } from "./words.js";

const RUNNING = '.cs-message[data-status="generating"]:not(.cs-pending)';
const FRAME_MS = 250;

export class ChatStream extends HTMLElement {
  #life = null;
  #connection = null;
  #channel = null;
  #scroll = null;
  #composer = null;
  #progress = null;
  #reveal = null;
  #queue = [];
  #frame = 0;
  #timer = 0;
  #running = new Set();

  connectedCallback() {
    this.#life = new AbortController();
    const { signal } = this.#life;

    this.querySelector(".cs-poller")?.remove();
    this.section = this.closest(".cs-conversation") ?? this;
    this.section.classList.add("cs-live");
    const page = this.closest(".cs-page");
    if (page) this.#settleIn(page, signal);
    this.#scroll = new StickyScroll(this.log, this.section.querySelector(".cs-jump"), signal);
    this.#composer = new Composer(this, signal);
    this.#progress = new Progress(this, signal);
    this.#reveal = new Reveal(this.section, signal);
    this.#remember();
    this.#say("idle");
    this.#connect();
  }

  // The way to the newest message without a script; with it the address is the conversation's own.
  #settleIn(page, signal) {
    if (location.hash === "#latest") history.replaceState(history.state, "", location.href.split("#")[0]);
    fitPage(page, signal);
  }

  disconnectedCallback() {
    this.#life?.abort();
    this.#connection?.close();
    this.#channel?.close();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#queue = [];
    this.#connection = this.#channel = this.#scroll = this.#composer = this.#progress = null;
  }

  get log() {
    return this.querySelector(".cs-log");
  }

  /** Is an answer being written? */
  get running() {
    return this.#running.size > 0;
  }

  /** Show the end of the log and stay there. */
  toEnd() {
    this.#scroll?.follow();
  }

  /** Something of this conversation changed by an act of ours: follow, and tell the other tabs. */
  sync() {
    this.#connection?.sync();
    this.#channel?.postMessage("changed");
  }

  /** This was a new chat; the server made it a conversation. */
  adopt({ conversation, events }) {
    this.log.id = `cs-c${conversation}-log`;
    this.dataset.conversation = this.section.dataset.conversation = conversation;
    this.dataset.events = events;
    this.#connect();
  }

  #connect() {
    this.#connection?.close();
    this.#channel?.close();
    if (!this.dataset.events) return;

    this.#connection = new Connection({
      url: this.dataset.events,
      cursor: this.dataset.cursor ?? "",
      running: this.dataset.running === "true",
      onFragments: (html, cursor) => this.#enqueue(html, cursor),
      onState: (state, wait) => this.#say(state, wait),
    });
    this.#connection.open();
    this.#listen(`cs:${this.dataset.conversation}`);
  }

  #listen(name) {
    if (!globalThis.BroadcastChannel) return;

    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = () => this.#connection?.sync();
  }

  #say(state, wait = 0) {
    const line = this.section.querySelector(".cs-conn");
    this.dataset.conn = this.section.dataset.conn = state;
    if (!line) return;

    line.textContent = word(wait ? "waiting" : state, this);
    if (wait) this.#count(line, wait);
  }

  // A screen reader hears once that there is a wait, not every second of it.
  #count(line, wait) {
    const left = element("span", { "aria-hidden": "true" });
    line.append(left);
    countDown(left, wait, (text) => {
      left.textContent = text && ` (${text})`;
    });
  }

  #enqueue(html, cursor) {
    this.#queue.push({ html, cursor });
    if (this.#queue.length > 1) return;

    // A hidden tab gets no frames.
    this.#frame = requestAnimationFrame(() => this.#flush());
    this.#timer = setTimeout(() => this.#flush(), FRAME_MS);
  }

  #flush() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    const batches = this.#queue;
    this.#queue = [];

    this.#reveal.finish();

    try {
      for (const { html, cursor } of batches) this.#apply(html, cursor);
    } catch (error) {
      if (!(error instanceof UnknownPlace)) throw error;
      this.#connection?.resync();
    }

    this.#remember();
    if (this.running) this.#reveal.start();
    else this.#reveal.finish();
    this.#scroll?.settle();
  }

  #apply(html, cursor) {
    const added = applyFragments(this, html, this.#reveal).filter((node) => node.matches(".cs-message"));
    if (added.length) clearPending(this.log, added);

    this.dataset.cursor = cursor;
  }

  // Which answers are being written, told to the composer and, at start and end, in words.
  #remember() {
    const before = this.#running;
    const now = [...this.querySelectorAll(RUNNING)].map((node) => node.id);
    this.#running = new Set(now);
    localTimes(this);
    this.dataset.running = this.section.dataset.running = String(this.running);
    this.#composer?.refresh();
    this.#progress?.note(this.running);

    const ended = [...before].filter((id) => !this.#running.has(id));
    if (now.some((id) => !before.has(id))) this.announce(word("generating", this));
    if (ended.length) this.#settled(ended.at(-1));
  }

  #settled(id) {
    const status = this.querySelector(`#${CSS.escape(id)}`)?.dataset.status ?? "cancelled";
    this.announce(word(status, this));
    this.dispatchEvent(new CustomEvent("chatstream:settled", { bubbles: true }));
  }

  /** Say `text` to a screen reader, once. */
  announce(text) {
    const status = this.section.querySelector(".cs-status");
    if (status) status.textContent = text;
  }
}
