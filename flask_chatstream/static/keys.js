// The keyboard: what works wherever one stands in a chat, and on its own page also where one stands
// nowhere; and the sheet that lists it all. What belongs to the composer is the composer's.

import { element } from "./build.js";
import { word } from "./words.js";

const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);

// Name, key, and what it does with the root; `mod` is ⌘ on Apple's machines, Ctrl elsewhere.
const SHORTCUTS = [
  ["keysNew", "mod+Shift+O", (root) => press(root, '[data-action="new"]')],
  ["keysField", "Shift+Escape", (root) => root.querySelector(".cs-composer textarea")?.focus()],
  ["keysCopy", "mod+Shift+;", (root) => press(root, '[data-role="assistant"] [data-action="copy"]')],
  ["keysPrevious", "Alt+ArrowUp", (root, event) => step(root, event, -1)],
  ["keysNext", "Alt+ArrowDown", (root, event) => step(root, event, 1)],
  ["keysHelp", "mod+/", showSheet],
];

// The composer's own, for the sheet.
const COMPOSER = [
  ["keysSend", "Enter"],
  ["keysLine", "Shift+Enter"],
  ["keysStop", "Escape"],
];

const SIGNS = {
  ...(APPLE ? { mod: "⌘", Shift: "⇧", Alt: "⌥" } : { mod: "Ctrl" }),
  ...{ Escape: "Esc", ArrowUp: "↑", ArrowDown: "↓" },
};

/** Listen on the document, for every chat that is or will be on the page. */
export function listenForKeys() {
  document.addEventListener("keydown", pressed);
  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.('.cs-root [data-action="keys"]');
    if (button) showSheet(button.closest(".cs-root"));
  });
}

function pressed(event) {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog:modal")) return;

  const root = rootOf(event.target);
  const act = root && actOf(event);
  if (!act || act(root, event) === false) return;

  event.preventDefault();
}

// Somebody who stands in the site's own part of a page means the site.
function rootOf(target) {
  if (target !== document.body) return target.closest?.(".cs-root");

  return document.querySelector(".cs-page");
}

function actOf(event) {
  if (event.key === "?" && !isTyped(event.target)) return showSheet;

  return SHORTCUTS.find(([, keys]) => matches(keys.split("+"), event))?.[2];
}

// Letters by their key too: with Shift, or in another layout, the sign is another.
function matches(keys, event) {
  const key = keys.at(-1);
  const isKey = event.key.toLowerCase() === key.toLowerCase() || event.code === codes[key];

  return (
    isKey &&
    (APPLE ? event.metaKey : event.ctrlKey) === keys.includes("mod") &&
    !(APPLE ? event.ctrlKey : event.metaKey) &&
    event.altKey === keys.includes("Alt") &&
    (event.shiftKey === keys.includes("Shift") || key === "/")
  );
}

const codes = { O: "KeyO", ";": "Semicolon" };

function isTyped(target) {
  return target.matches("input, textarea, select, [contenteditable]");
}

function press(root, selector) {
  const found = [...root.querySelectorAll(selector)].filter((node) => node.getClientRects().length);
  found.at(-1)?.click();
}

// In a field with text the arrows are the field's own.
function step(root, { target }, by) {
  if (isTyped(target) && target.value) return false;

  const messages = [...root.querySelectorAll(".cs-message")];
  const here = messages.indexOf(target.closest(".cs-message"));
  const next = messages[here < 0 ? messages.length - 1 : here + by];
  if (next) next.focus();
  else if (here >= 0 && by > 0) root.querySelector(".cs-composer textarea")?.focus();

  return true;
}

function showSheet(root) {
  const close = element("button", { class: "cs-quiet", value: "", autofocus: true }, word("close", root));
  const rows = [...COMPOSER, ...SHORTCUTS].map(([name, keys]) =>
    element("div", {}, element("dt", {}, word(name, root)), element("dd", {}, ...signs(keys))),
  );
  const dialog = element(
    "dialog",
    { class: "cs-dialog cs-keys", "aria-labelledby": "cs-keys-title" },
    element("h2", { id: "cs-keys-title" }, word("keys", root)),
    element("dl", {}, ...rows),
    element("form", { method: "dialog" }, close),
  );
  dialog.addEventListener("close", () => dialog.remove());
  root.append(dialog);
  dialog.showModal();
}

function signs(keys) {
  return keys.split("+").map((key) => element("kbd", {}, SIGNS[key] ?? key));
}
