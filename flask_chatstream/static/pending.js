// The question as it is shown from the key press until the server's own article takes its place.

import { element } from "./build.js";
import { word } from "./words.js";

function article(log, role, status, ...content) {
  return element(
    "article",
    { class: "cs-message cs-pending", "data-role": role, "data-status": status },
    element("h3", { class: "cs-sr-only" }, word(role === "user" ? "you" : "assistant", log)),
    element("div", { class: "cs-content" }, ...content),
  );
}

/** Show `text` as a question on its way, with the dots of the answer below it. */
export function showPending(log, text) {
  clearPending(log);

  const block = element("div", { class: "cs-block cs-final cs-plain", dir: "auto" }, text);
  log.append(article(log, "user", "sending", block), article(log, "assistant", "generating"));
}

/** The question was not taken: say so where it stands. */
export function failPending(log) {
  for (const node of log.querySelectorAll(".cs-pending")) {
    if (node.dataset.role === "user") {
      node.dataset.status = "failed";
      node.append(element("p", { class: "cs-note" }, word("unsent", log)));
    } else node.remove();
  }
}

/** Take away what the server's articles `added` stand for; without `added`, all of it. */
export function clearPending(log, added = null) {
  const roles = added?.map((node) => node.dataset.role);

  for (const node of log.querySelectorAll(":scope > .cs-pending")) {
    if (!roles || roles.includes(node.dataset.role)) node.remove();
  }
}
