// The form under the log: keys, draft, the question on its way, and Stop while an answer is written.
// The text stays in the field until the server has taken it.

import { reason } from "./acts.js";
import { element, icon } from "./build.js";
import { failPending, showPending } from "./pending.js";
import { holdBack } from "./waiting.js";
import { word } from "./words.js";

const TOUCH = "(hover: none) and (pointer: coarse)";

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));

  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// A host may forbid storage; the draft is then kept in the page only.
function stored(act) {
  try {
    return act(sessionStorage);
  } catch {
    return null;
  }
}

export class Composer {
  #stream;
  #form;
  #field;
  #button;
  #sending = null;
  #failed = null;

  constructor(stream, signal) {
    this.#stream = stream;
    this.#form = stream.section.querySelector(".cs-composer");
    if (!this.#form) return;

    this.#field = this.#form.elements.content;
    this.#button = this.#form.querySelector(".cs-send");
    this.#field.value ||= stored((storage) => storage.getItem(this.#draft)) ?? "";
    this.#form.elements.key.value = this.#keyOfLost() ?? newKey();
    this.#listen(stream.section, signal);
    this.#grow();
    this.refresh();
  }

  #listen(section, signal) {
    const hear = (node, name, heard, options) =>
      node.addEventListener(name, heard, { signal, ...options });

    // Before htmx, which listens on the form itself.
    hear(section, "submit", (event) => this.#submitted(event), { capture: true });
    hear(section, "keydown", (event) => this.#escape(event));
    hear(section, "click", (event) => this.#suggested(event));
    hear(this.#field, "keydown", (event) => this.#enter(event));
    hear(this.#field, "input", () => this.#typed());
    hear(this.#form, "chatstream:answered", (event) => this.#answered(event));
    hear(this.#form.querySelector(".cs-card"), "pointerdown", (event) => this.#focus(event));
  }

  /** Show whether the button sends or stops, and whether it can. */
  refresh() {
    if (!this.#form) return;

    const stops = this.#stream.running;
    const mode = stops ? "stop" : "send";
    const stands = this.#button.matches(":focus-visible");
    this.#button.disabled = !stops && (this.#sending !== null || this.#blank || this.#over > 0);
    if (this.#button.dataset.mode === mode) return;

    this.#button.dataset.mode = mode;
    // By the keyboard one stands on the button: not on one that has nothing to send.
    if (stands && this.#button.disabled) this.#field.focus();
    this.#button.formNoValidate = stops;
    this.#button.setAttribute("aria-label", word(mode, this.#form));
  }

  get #draft() {
    const { mount } = this.#form.closest(".cs-root").dataset;

    return `cs:draft:${mount}:${this.#stream.dataset.conversation || "new"}`;
  }

  // A page that went while its question was on the way does not know whether it was taken; the same
  // text again is that question, and the same key has it asked once.
  #keyOfLost() {
    const sent = JSON.parse(stored((storage) => storage.getItem(`${this.#draft}:sent`)) ?? "null");
    if (!sent || sent.text !== this.#field.value) return null;

    this.#failed = sent.text;
    return sent.key;
  }

  get #blank() {
    return this.#field.value.trim() === "";
  }

  // Characters over the limit, counted as the server does: in code points.
  get #over() {
    const most = Number(this.#form.dataset.max) || Infinity;
    const { value } = this.#field;

    return value.length <= most ? 0 : [...value].length - most;
  }

  #typed() {
    stored((storage) => storage.setItem(this.#draft, this.#field.value));
    // Another text is another question: the old key would give the old answer.
    if (this.#failed !== null && this.#failed !== this.#field.value) this.#form.elements.key.value = newKey();

    this.#grow();
    this.#count();
    this.refresh();
  }

  #grow() {
    if (CSS.supports("field-sizing", "content")) return;

    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #count() {
    const over = this.#over;
    const count = this.#form.querySelector(".cs-count");
    count.textContent = over > 0 ? `−${over.toLocaleString(count.closest("[lang]")?.lang || undefined)}` : "";
  }

  #enter(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    if (matchMedia(TOUCH).matches) return;

    event.preventDefault();
    if (!this.#stream.running && !this.#blank) this.#form.requestSubmit();
  }

  #escape(event) {
    if (event.key !== "Escape" || event.defaultPrevented || !this.#stream.running) return;

    event.preventDefault();
    this.#stop();
  }

  #focus(event) {
    if (event.target.closest("button, textarea, a")) return;

    event.preventDefault();
    this.#field.focus();
  }

  #suggested(event) {
    const form = event.target.closest("form.cs-suggestion");
    if (!form) return;

    event.preventDefault();
    this.#field.value = form.elements.content.value;
    this.#form.requestSubmit();
    if (!matchMedia(TOUCH).matches) this.#field.focus();
  }

  #submitted(event) {
    if (event.target !== this.#form || "again" in this.#form.dataset) return;

    const stops = this.#stream.running;
    if (stops || this.#sending !== null || this.#blank || this.#over > 0) {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (stops && event.submitter === this.#button) this.#stop();
      return;
    }

    // Without htmx the form goes out as a form.
    if (globalThis.htmx) this.#begin();
  }

  #begin() {
    this.#sending = this.#field.value;
    const sent = JSON.stringify({ text: this.#sending, key: this.#form.elements.key.value });
    stored((storage) => storage.setItem(`${this.#draft}:sent`, sent));
    this.#form.dataset.sending = "";
    this.#form.setAttribute("aria-busy", "true");
    this.#notice();
    showPending(this.#stream.log, this.#sending.trim());
    this.#stream.toEnd();
    this.refresh();
  }

  #stop() {
    const stops = this.#stream.log.querySelectorAll('[data-action="stop"]');
    [...stops].at(-1)?.form.requestSubmit();
  }

  #answered(event) {
    if (event.target !== this.#form) return;

    event.preventDefault();
    const { ok, header, status, text, wait } = event.detail;
    const sent = this.#sending;
    this.#sending = null;
    delete this.#form.dataset.sending;
    this.#form.removeAttribute("aria-busy");

    // A log-in page is a 200 too; only an answer of ours names the conversation.
    if (ok && header("X-Conversation")) this.#taken(header, sent);
    else this.#refused(reason(ok ? 401 : status, ok ? "" : text, this.#form), wait, sent);
    this.refresh();
  }

  #taken(header, sent) {
    for (const name of [this.#draft, `${this.#draft}:sent`]) stored((storage) => storage.removeItem(name));
    if (this.#field.value === sent) this.#field.value = "";
    this.#failed = null;
    this.#form.elements.key.value = newKey();
    this.#grow();

    if (!this.#stream.dataset.conversation) this.#arrive(header);
    this.#stream.sync();
  }

  // The first question made the conversation: the address is its own before the first token.
  #arrive(header) {
    const conversation = header("X-Conversation");
    const address = header("X-Location");
    const root = this.#form.closest(".cs-root");

    this.#form.setAttribute("action", header("X-Messages-Url"));
    this.#stream.log.querySelector(".cs-empty")?.remove();
    this.#stream.adopt({ conversation, events: header("X-Events") });
    if (root.dataset.chatstream === "page") history.replaceState(history.state, "", address);

    const detail = { conversation, address };
    this.#stream.dispatchEvent(new CustomEvent("chatstream:created", { bubbles: true, detail }));
  }

  #refused(words, wait, sent) {
    this.#failed = sent;
    failPending(this.#stream.log);
    this.#notice(words, wait);
    this.#stream.toEnd();
  }

  // Words over the composer with a way on; without words it is taken away.
  #notice(words = "", seconds = 0) {
    this.#form.querySelector(".cs-notice")?.remove();
    if (!words) return;

    const retry = element("button", { type: "submit", class: "cs-retry" }, word("retry", this.#form));
    const note = element("p", {}, words);
    const box = element("div", { class: "cs-notice", role: "alert" }, icon("alert"), note, retry);
    this.#form.prepend(box);
    if (seconds) holdBack(retry, seconds);
  }
}
