// A quiet line at an answer that lets one wait: for what, and for how long already. It is for the
// eyes; a screen reader is told of the start and the end.

import { clock } from "./waiting.js";
import { word } from "./words.js";

// Seconds without news before it is worth a word.
const WAITING = 3;
const SLOW = 20;
const STILL = 6;

const RUNNING = '.cs-message[data-status="generating"]:not(.cs-pending) .cs-content';

export class Progress {
  #stream;
  #timer = 0;
  #since = Date.now();

  constructor(stream, signal) {
    this.#stream = stream;
    signal.addEventListener("abort", () => clearInterval(this.#timer));
  }

  /** Something has come; `runs` while an answer is being written. */
  note(runs) {
    this.#since = Date.now();
    this.#show();
    clearInterval(this.#timer);
    if (runs) this.#timer = setInterval(() => this.#show(), 1000);
  }

  #show() {
    for (const content of this.#stream.querySelectorAll(`${RUNNING}, .cs-content[data-progress]`)) {
      const words = content.matches(RUNNING) ? this.#words(content) : "";
      if (words) content.dataset.progress = words;
      else delete content.dataset.progress;
    }
  }

  // While the connection is away, the line below the log says so.
  #words(content) {
    const seconds = Math.floor((Date.now() - this.#since) / 1000);
    if (!["live", "polling"].includes(this.#stream.dataset.conn)) return "";

    const name = content.querySelector(".cs-block") ? still(seconds) : waiting(seconds);

    return name && `${word(name, content)} · ${timeIn(content, seconds)}`;
  }
}

// `7s` as the page's language writes it, `1:05` from a minute on.
function timeIn(content, seconds) {
  if (seconds >= 60) return clock(seconds);

  const locale = content.closest("[lang]")?.lang || undefined;
  const style = { style: "unit", unit: "second", unitDisplay: "narrow" };

  return new Intl.NumberFormat(locale, style).format(seconds);
}

function still(seconds) {
  return seconds >= STILL ? "stillWriting" : "";
}

function waiting(seconds) {
  if (seconds >= SLOW) return "slow";

  return seconds >= WAITING ? "waitingForModel" : "";
}
