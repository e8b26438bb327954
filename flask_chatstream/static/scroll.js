// Keeps the end of the log in view while the reader is at the end, and leaves them alone when not.

const NEAR_PX = 24;

export class StickyScroll {
  #log;
  #jump;
  #sticky = true;
  #last = 0;
  #height = 0;
  #watched = null;

  constructor(log, jump, signal) {
    this.#log = log;
    this.#jump = jump;
    log.addEventListener("scroll", () => this.#scrolled(), { signal, passive: true });
    jump?.addEventListener("click", () => this.#jumped(), { signal });

    const insertions = new MutationObserver((records) => this.#inserted(records));
    insertions.observe(log, { childList: true });
    signal.addEventListener("abort", () => insertions.disconnect());

    this.sizes = new ResizeObserver(() => this.settle());
    this.sizes.observe(log);
    signal.addEventListener("abort", () => this.sizes.disconnect());
    this.follow();
  }

  get #gap() {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight;
  }

  /** Go to the end and stay there. */
  follow() {
    this.#sticky = true;
    this.settle();
  }

  /** After a change: back to the end, or tell that there is something new below. */
  settle() {
    this.#watch(this.#log.lastElementChild);
    if (this.#sticky && this.#gap > 0) this.#log.scrollTop = this.#log.scrollHeight;

    this.#note();
  }

  // Sealed blocks get their true height only when they come into view, after the change.
  #watch(last) {
    if (last === this.#watched) return;

    if (this.#watched) this.sizes.unobserve(this.#watched);
    if (last) this.sizes.observe(last);
    this.#watched = last;
  }

  #note() {
    this.#last = this.#log.scrollTop;
    this.#height = this.#log.scrollHeight;
    this.#show();
  }

  // Earlier messages came in above: the reader stays with what they were reading. Browsers do
  // that themselves, but not at the very top, and not all.
  #inserted(records) {
    const last = this.#log.lastChild;
    const above = records.some(({ addedNodes }) => addedNodes.length && ![...addedNodes].includes(last));
    const anchors = CSS.supports("overflow-anchor", "auto") && this.#log.scrollTop > 0;

    if (this.#sticky || !above || anchors) return;

    this.#log.scrollTop += this.#log.scrollHeight - this.#height;
    this.#note();
  }

  #scrolled() {
    // The browser itself moves up when the log gets shorter; only a reader does when it does not.
    const shorter = this.#log.scrollHeight < this.#height;
    if (this.#gap < NEAR_PX) this.#sticky = true;
    else if (this.#log.scrollTop < this.#last - 1 && !shorter) this.#sticky = false;

    // For one frame a finished block has no height, and the log seems to end there.
    if (this.#sticky && this.#gap >= NEAR_PX) this.settle();
    else this.#note();
  }

  #show() {
    if (this.#jump) this.#jump.hidden = this.#sticky || this.#gap < NEAR_PX * 4;
  }

  #jumped() {
    this.follow();
    this.#log.focus({ preventScroll: true });
  }
}
