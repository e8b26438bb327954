// <chat-widget>: the floating launcher and its panel, or a panel that stands in the page. The chat
// itself is loaded when it is first shown, so that the host's pages pay nothing for it.

import { element } from "./build.js";
import { parse } from "./trust.js";
import { holdBack, secondsIn } from "./waiting.js";
import { word } from "./words.js";

const PLACE = "0".repeat(32);
const TOUCH = "(hover: none) and (pointer: coarse)";

export class ChatWidget extends HTMLElement {
  #life = null;
  #loaded = null;
  #wait = 0;

  connectedCallback() {
    this.#life = new AbortController();
    const { signal } = this.#life;

    this.addEventListener("click", (event) => this.#clicked(event), { signal });
    this.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.addEventListener("chatstream:created", (event) => this.#created(event), { signal });
    if (!this.floating) this.#load();
    else if (document.querySelector(`.cs-page[data-mount="${this.dataset.mount}"]`)) this.hidden = true;
    else this.#restore();
  }

  disconnectedCallback() {
    this.#life?.abort();
  }

  get floating() {
    return this.dataset.chatstream === "widget";
  }

  get #panel() {
    return this.querySelector(".cs-panel");
  }

  get #body() {
    return this.querySelector(".cs-panel-body");
  }

  get #launcher() {
    return this.querySelector(".cs-launcher");
  }

  // Open or closed and which conversation, over reloads and the host's pages. Storage may be forbidden.
  get #kept() {
    try {
      return JSON.parse(localStorage.getItem(`cs:widget:${this.dataset.mount}`)) ?? {};
    } catch {
      return {};
    }
  }

  #keep(change) {
    try {
      const value = JSON.stringify({ ...this.#kept, ...change });
      localStorage.setItem(`cs:widget:${this.dataset.mount}`, value);
    } catch {
      // Kept in the page only.
    }
  }

  #restore() {
    const launcher = this.#launcher;
    launcher.setAttribute("role", "button");
    launcher.setAttribute("aria-expanded", "false");
    if (this.#kept.open) this.open({ focus: false });
  }

  /** Show the panel; the keyboard goes to the composer unless `focus` is false. */
  async open({ focus = true } = {}) {
    this.#panel.hidden = false;
    this.classList.add("cs-open");
    this.#launcher.setAttribute("aria-expanded", "true");
    this.#keep({ open: true });

    await this.#load();
    this.querySelector("chat-stream")?.toEnd?.();
    if (!focus) return;

    // On touch the focus would bring up the keyboard over what was opened to be read.
    const field = matchMedia(TOUCH).matches ? null : this.querySelector("textarea");
    (field ?? this.#panel).focus({ preventScroll: true });
  }

  /** Hide the panel; the answer goes on. */
  close() {
    this.#panel.hidden = true;
    this.classList.remove("cs-open");
    this.#launcher.setAttribute("aria-expanded", "false");
    this.#keep({ open: false });
    this.#launcher.focus({ preventScroll: true });
  }

  #clicked(event) {
    const control = event.target.closest("[data-action]");
    const acts = {
      launch: () => (this.#panel.hidden ? this.open() : this.close()),
      close: () => this.close(),
      new: () => this.#fresh(),
      reload: () => this.#reload(),
    };
    const act = acts[control?.dataset.action];
    if (!act || event.metaKey || event.ctrlKey) return;

    event.preventDefault();
    act();
  }

  #key(event) {
    if (event.target === this.#launcher && event.key === " ") {
      event.preventDefault();
      this.#launcher.click();
    }

    const shown = this.floating && !this.#panel.hidden;
    if (event.key === "Escape" && !event.defaultPrevented && shown) this.close();
  }

  #created({ detail: { conversation, address } }) {
    this.#keep({ conversation });
    this.#expand(address);
  }

  #expand(address) {
    this.querySelector(".cs-expand")?.setAttribute("href", address);
  }

  async #fresh() {
    this.#keep({ conversation: null });
    await this.#reload("new=1");
    this.querySelector("textarea")?.focus();
  }

  #reload(query = "") {
    this.#loaded = null;

    return this.#load(query);
  }

  #load(query = "") {
    this.#loaded ??= this.#fetch(query);

    return this.#loaded;
  }

  #address(conversation, query) {
    const { conversationUrl, indexUrl, chatstream } = this.dataset;
    const base = conversation ? conversationUrl.replace(PLACE, conversation) : indexUrl;
    const url = new URL(base, document.baseURI);
    url.search = `view=${chatstream}${query ? `&${query}` : ""}`;

    return url;
  }

  async #fetch(query) {
    const conversation = this.dataset.conversation || this.#kept.conversation;
    this.#body.setAttribute("aria-busy", "true");

    const page = await this.#ask(this.#address(query ? null : conversation, query));
    if (page === 404 && conversation && !this.dataset.conversation) {
      this.#keep({ conversation: null });
      return this.#fetch("");
    }

    this.#body.removeAttribute("aria-busy");
    if (typeof page !== "string") return this.#failed();

    return this.#show(page);
  }

  // The HTML of the chat, or the status that came instead of it.
  async #ask(url) {
    const headers = { Accept: "text/html" };
    const response = await fetch(url, { headers, cache: "no-store" }).catch(() => null);
    this.#wait = secondsIn(response?.headers.get("Retry-After"));
    if (!response?.ok && response?.status !== 401) return response?.status ?? 0;

    const html = await response.text();

    // A site's own page for those who are not signed in is not for the panel.
    return html.includes("<chat-stream") || html.includes("cs-sign-in") ? html : 401;
  }

  #show(html) {
    this.#body.replaceChildren(parse(html));
    globalThis.htmx?.process(this.#body);

    const conversation = this.querySelector("chat-stream")?.dataset.conversation;
    if (conversation) {
      this.#keep({ conversation });
      this.#expand(this.dataset.conversationUrl.replace(PLACE, conversation));
    }
  }

  #failed() {
    this.#loaded = null;
    const retry = element("button", { type: "button", class: "cs-retry", "data-action": "reload" });
    retry.textContent = word("retry", this);
    const link = element("a", { href: this.dataset.indexUrl }, word("openPage", this));
    const text = element("p", {}, word("unavailable", this));
    const box = element("div", { class: "cs-unavailable", role: "alert" }, text, retry, link);
    this.#body.replaceChildren(box);
    if (this.#wait) holdBack(retry, this.#wait);
  }
}
