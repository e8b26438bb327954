// The list of conversations: a drawer on narrow pages, its refresh after a change, and deleting.

import { refusal } from "./acts.js";
import { element } from "./build.js";
import { patchChildren } from "./patch.js";
import { toast } from "./toast.js";
import { parse } from "./trust.js";
import { word } from "./words.js";

/** Listen on the document, for every list that is or will be on the page. */
export function listenForSidebar() {
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", closeByKey);
  document.addEventListener("chatstream:created", refresh);
  document.addEventListener("chatstream:settled", refresh);
  document.addEventListener("chatstream:answered", deleted, { capture: true });
}

function clicked(event) {
  const button = event.target.closest?.(".cs-root [data-action]");
  if (!button) return;

  const acts = { menu: openDrawer, "menu-close": closeDrawer, delete: confirmDelete };
  acts[button.dataset.action]?.(button, event);
}

function openDrawer(button, event) {
  event.preventDefault();
  const root = button.closest(".cs-root");
  root.classList.add("cs-drawer-open");
  root.querySelector(".cs-sidebar a, .cs-sidebar button")?.focus();
}

function closeDrawer(button, event) {
  event.preventDefault();
  const root = button.closest(".cs-root");
  root.classList.remove("cs-drawer-open");
  root.querySelector('[data-action="menu"]')?.focus();
}

function closeByKey(event) {
  if (event.key !== "Escape" || event.defaultPrevented) return;

  const root = event.target.closest?.(".cs-root.cs-drawer-open");
  if (root) closeDrawer(root.querySelector('[data-action="menu-close"]'), event);
}

async function refresh({ target }) {
  const root = target.closest(".cs-root");
  const list = root.querySelector(".cs-list");
  if (!list) return;

  const headers = { Accept: "text/html" };
  const response = await fetch(list.dataset.url, { headers, cache: "no-store" }).catch(() => null);
  if (!response?.ok || response.redirected) return;

  patchChildren(list, parse(await response.text()));
  globalThis.htmx?.process(list);
  markActive(root);
}

// The answer of the list does not know which conversation this page shows.
function markActive(root) {
  const shown = root?.querySelector("chat-stream")?.dataset.conversation;
  if (!shown) return;

  for (const link of root.querySelectorAll(".cs-conversations a[data-conversation-id]")) {
    const active = link.dataset.conversationId === shown;
    if (active) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (active) nameAfter(root, link.textContent.trim());
  }
}

function nameAfter(root, title) {
  const heading = root.querySelector(".cs-title");
  if (!heading || !title) return;

  heading.textContent = title;
  if (root.dataset.chatstream === "page") document.title = title;
}

function confirmDelete(button, event) {
  if (button.dataset.sure) {
    delete button.dataset.sure;
    return;
  }

  event.preventDefault();
  const sure = element("button", { class: "cs-danger", value: "yes", "data-action": "confirm" });
  const no = element("button", { class: "cs-quiet", value: "", autofocus: true });
  sure.textContent = word("delete", button);
  no.textContent = word("cancel", button);
  const title = button.closest("li").querySelector("a").textContent.trim();
  const dialog = element(
    "dialog",
    { class: "cs-dialog", "aria-labelledby": "cs-dialog-title" },
    element("h2", { id: "cs-dialog-title" }, word("deleteTitle", button)),
    element("p", { class: "cs-dialog-name", dir: "auto" }, title),
    element("p", {}, word("deleteText", button)),
    element("form", { method: "dialog" }, no, sure),
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue === "yes") goAhead(button);
    else button.focus();
  });
  button.closest(".cs-root").append(dialog);
  dialog.showModal();
}

function goAhead(button) {
  button.dataset.sure = "1";
  button.closest("li").hidden = true;
  button.click();
}

function deleted(event) {
  const form = event.target;
  if (!form.matches?.(".cs-delete")) return;

  event.preventDefault();
  const { ok, status } = event.detail;
  const item = form.closest("li");
  const root = form.closest(".cs-root");

  if (!ok && status !== 404) {
    item.hidden = false;
    toast(form, refusal(event.detail, form));
  } else if (item.querySelector('a[aria-current="page"]')) {
    location.assign(root.querySelector('[data-action="new"]')?.href ?? root.dataset.indexUrl);
  } else item.remove();
}
