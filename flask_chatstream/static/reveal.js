// Text that came in one batch is shown at an even pace until the next one, a quarter of a second at
// most. Before anything else changes the page, all of it is there.

const MOST_MS = 250;
const LEAST_MS = 60;
const STEP_MS = 50;

// Batches that come as often as this are even enough: every step costs a drawing of the page.
const EVEN_MS = 150;

// More than this at once is catching up, not writing.
const MOST_CHARACTERS = 800;

// What is not read from left to right.
const WHOLE = "math, svg, button";

const REDUCED = "(prefers-reduced-motion: reduce)";

export class Reveal {
  #queue = [];
  #left = 0;
  #timer = 0;
  #shownAt = 0;
  #endsAt = 0;
  #cameAt = 0;
  #span = MOST_MS;

  constructor(root, signal) {
    const finish = () => this.finish();
    // What a person does now is done to all of the text.
    root.addEventListener("pointerdown", finish, { signal, capture: true });
    root.addEventListener("keydown", finish, { signal, capture: true });
    document.addEventListener("copy", finish, { signal, capture: true });
    document.addEventListener("visibilitychange", finish, { signal });
    signal.addEventListener("abort", finish);
  }

  /** Is there any use in showing text little by little? */
  get isCalm() {
    return document.hidden || matchMedia(REDUCED).matches;
  }

  /** All of a node's text, with what is not shown yet. */
  whole(node) {
    return this.#queue.reduce((text, kept) => (kept.node === node ? text + kept.text : text), node.data);
  }

  /** Text that goes behind what `node` has. */
  append(node, text) {
    if (!text) return;

    this.#queue.push({ node, text });
    this.#left += text.length;
  }

  /** The texts in a node that is about to come into the page. */
  hold(root) {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    let node = root.nodeType === Node.TEXT_NODE ? root : texts.nextNode();

    for (; node; node = texts.nextNode()) {
      if (node.data.trim() === "" || node.parentElement?.closest(WHOLE)) continue;

      this.append(node, node.data);
      node.data = "";
    }
  }

  /** A batch is in: show what was kept of it. */
  start() {
    const now = performance.now();
    const pause = now - this.#cameAt;
    this.#cameAt = now;
    if (pause < 2 * MOST_MS) this.#span += 0.3 * (pause - this.#span);
    if (this.isCalm || this.#span < EVEN_MS || this.#left > MOST_CHARACTERS) return this.finish();
    if (!this.#left) return undefined;

    this.#shownAt = now;
    this.#endsAt = now + Math.min(MOST_MS, Math.max(LEAST_MS, this.#span));
    // Not by frames: a page that asks for each is drawn for each.
    this.#timer = setTimeout(() => this.#step(), STEP_MS);

    return undefined;
  }

  /** Show all at once. */
  finish() {
    clearTimeout(this.#timer);
    this.#show(this.#left);
  }

  #step() {
    const now = performance.now();
    const passed = now - this.#shownAt;
    const left = this.#endsAt - now;
    if (left < STEP_MS / 2) return this.finish();

    this.#show(Math.ceil((this.#left * passed) / (left + passed)));
    this.#shownAt = now;
    if (this.#left) this.#timer = setTimeout(() => this.#step(), STEP_MS);

    return undefined;
  }

  #show(count) {
    let room = count;

    while (room > 0 && this.#queue.length) {
      const first = this.#queue[0];
      const piece = first.text.slice(0, cut(first.text, room));
      first.node.appendData(piece);
      first.text = first.text.slice(piece.length);
      room -= piece.length;
      this.#left -= piece.length;
      if (!first.text) this.#queue.shift();
    }
  }
}

// Not between the two halves of a character.
function cut(text, at) {
  const last = text.charCodeAt(at - 1);

  return at < text.length && last >= 0xd800 && last <= 0xdbff ? at + 1 : at;
}
