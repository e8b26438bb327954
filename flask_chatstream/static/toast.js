// Short words at the edge of the root, gone by themselves; errors stay longer.

import { element } from "./build.js";

const SHOWN_MS = 5_000;

function shelf(root) {
  const found = root.querySelector(":scope > .cs-toasts");
  if (found) return found;

  const made = element("div", { class: "cs-toasts", role: "status", "aria-live": "polite" });
  root.append(made);

  return made;
}

/** Show `text` near `place` for a few seconds. */
export function toast(place, text) {
  const root = place.closest(".cs-root");
  if (!root) return;

  const note = element("p", { class: "cs-toast" }, text);
  shelf(root).append(note);
  setTimeout(() => note.remove(), SHOWN_MS);
}
