// Fragments are upserts keyed by id: known ones are patched in place at their right edge, so that a
// selection, the focus and the caret in text that did not change stay; new ones are appended.

import { parse } from "./trust.js";

const footers = new WeakMap();

/** Raised when a fragment belongs into something that this page does not have. */
export class UnknownPlace extends Error {}

// What shows new text of blocks little by little, while a batch of fragments is applied.
let reveal = null;

/** Bring `root` up to date with the server's `html`; returns the elements that are new.
 *
 *  New text of answers that are being written is left to `pace`, a `Reveal`. */
export function applyFragments(root, html, pace = null) {
  const added = [];
  const focused = root.contains(document.activeElement) ? document.activeElement : null;

  for (const fragment of [...parse(html).children]) {
    const known = root.querySelector(`#${CSS.escape(fragment.id)}`);
    reveal = fragment.matches(".cs-block") ? pace : null;
    if (!reveal) pace?.finish();

    if (fragment.hasAttribute("data-remove")) known?.remove();
    else if (known) update(known, fragment);
    else added.push(insert(root, fragment));
  }

  reveal = null;
  if (focused && !focused.isConnected && !root.contains(document.activeElement)) refocus(root);

  return added;
}

// What had the focus went with its message: on to what can be done with the last one.
function refocus(root) {
  const last = [...root.querySelectorAll(".cs-message")].at(-1);
  (last?.querySelector(".cs-foot button") ?? last)?.focus({ preventScroll: true });
}

function insert(root, fragment) {
  const place = root.querySelector(`#${CSS.escape(fragment.dataset.into ?? "")}`);
  if (!place || fragment.hasAttribute("data-attrs")) throw new UnknownPlace(fragment.id);

  const node = document.adoptNode(fragment);
  reveal?.hold(node);
  place.insertBefore(node, place.querySelector(":scope > .cs-pending"));
  node.querySelectorAll(".cs-foot").forEach(activate);
  if (node.matches(".cs-foot")) activate(node);

  return node;
}

function update(known, fragment) {
  // A sealed block is final: its open form can only be an older event that came late.
  const late = known.matches(".cs-final") && fragment.matches(".cs-block:not(.cs-final)");

  if (late) return;
  if (fragment.hasAttribute("data-attrs")) patchAttributes(known, fragment);
  else patch(known, fragment);
}

function patch(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) return patchText(old, fresh.data);
  if (old.nodeType !== Node.ELEMENT_NODE) return undefined;

  patchAttributes(old, fresh);

  return old.matches(".cs-foot") ? patchFooter(old, fresh) : patchChildren(old, fresh);
}

function patchText(old, text) {
  const known = reveal?.whole(old) ?? old.data;
  if (known === text) return;

  if (text.startsWith(known)) {
    const rest = text.slice(known.length);
    if (reveal) reveal.append(old, rest);
    else old.appendData(rest);
    return;
  }

  reveal?.finish();
  let same = 0;
  while (same < text.length && old.data[same] === text[same]) same += 1;
  old.replaceData(same, old.data.length - same, text.slice(same));
}

function patchAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }

  for (const { name, value } of fresh.attributes) {
    if (name !== "data-attrs" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

/** Make the children of `old` those of `fresh`, keeping every node that can stay. */
export function patchChildren(old, fresh) {
  let here = old.firstChild;

  for (const node of [...fresh.childNodes]) {
    here = skipTo(here, node);

    if (here && alike(here, node)) {
      patch(here, node);
      here = here.nextSibling;
    } else {
      const added = document.adoptNode(node);
      reveal?.hold(added);
      old.insertBefore(added, here);
    }
  }

  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

function skipTo(here, node) {
  if (!here || !node.id || here.id === node.id) return here;

  let later = here.nextSibling;
  while (later && later.id !== node.id) later = later.nextSibling;
  if (!later) return here;

  while (here !== later) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }

  return later;
}

function alike(a, b) {
  return a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
}

// htmx keeps state on forms, so a footer is replaced whole, and only when the server changed it.
function patchFooter(old, fresh) {
  const html = fresh.innerHTML;
  if ((footers.get(old) ?? old.innerHTML) === html) return;

  const focused = old.contains(document.activeElement);
  old.replaceChildren(...fresh.childNodes);
  activate(old);
  footers.set(old, html);
  if (focused) firstShown(old).focus();
}

function firstShown(footer) {
  const acts = [...footer.querySelectorAll("button, a")];

  return acts.find((act) => act.getClientRects().length) ?? footer.closest(".cs-message");
}

function activate(footer) {
  footers.set(footer, footer.innerHTML);
  globalThis.htmx?.process(footer);
}
